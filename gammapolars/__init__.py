"""gammapolars: list-mode gamma spectrometry on dataframes.

    import gammapolars as gp

    hits = gp.scan("run.root").pipe(gp.calibrate, gp.load_detectors("detectors.toml"))
    pairs = hits.pipe(gp.pairs, window="250ns")
    gp.save(pairs, "pairs.parquet")

Every stage takes and gives a polars LazyFrame, so that further lazy polars fits between any two of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gammapolars.activities import (
        Activity,
        CurrieLimits,
        EfficiencyCurve,
        EfficiencyFit,
        NuclideActivity,
        activity,
        activity_at,
        activity_of,
        currie_limits,
        efficiency_points,
        fit_efficiency,
        line_counts,
        minimum_detectable_activity,
    )
    from gammapolars.alignment import Timing, measure_timing
    from gammapolars.angular import (
        AngularFit,
        angle_deg,
        angular_coefficients,
        angular_correlation,
        angular_counts,
        angular_singles,
        attenuation,
        fit_legendre,
    )
    from gammapolars.calibration import calibrate, energy_kev
    from gammapolars.calibration.matching import match_lines
    from gammapolars.calibration.polynomial import fit_energy
    from gammapolars.calibration.result import calibrate_peaks
    from gammapolars.coincidences import chance_pairs, nearest, nearest_chance_pairs, pairs
    from gammapolars.detectors import CalibrationSource, Detector, Detectors, load_detectors
    from gammapolars.drift import Drift, correct_drift, load_drift
    from gammapolars.drift.results import DriftTrack
    from gammapolars.drift.track import track_drift
    from gammapolars.errors import (
        CalibrationError,
        DetectorsError,
        GammapolarsError,
        InputError,
        OutputError,
        QueryError,
        TableError,
        TimeOrderError,
        UsageError,
    )
    from gammapolars.event_building import add_back, event_summary, events, triples, veto
    from gammapolars.flags import FLAGS, has_any
    from gammapolars.gamma_lines import lines, nearest_lines, nuclides
    from gammapolars.gamma_lines.cascades import cascades
    from gammapolars.gates import Gate, PolygonGate, load_gates
    from gammapolars.io import save, scan, scan_pairs
    from gammapolars.io.matrix_files import save_matrix, scan_matrix
    from gammapolars.io.reading import Losses
    from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum
    from gammapolars.io.spectrum_files import read_spectrum, save_spectrum
    from gammapolars.lifetimes import LifetimeFit, fit_lifetime, time_spectrum
    from gammapolars.peaks import find_peaks, fit_peaks
    from gammapolars.rates import true_rates
    from gammapolars.schema import DRIFT, EVENTS, HITS, LINES, MATRIX, PAIRS, PEAKS, SPECTRUM, TRIPLES, require
    from gammapolars.spectra import (
        add_spectra,
        cube_slice,
        divide_by_efficiency,
        gate,
        matrix,
        per_second,
        project,
        rebin,
        spectrum,
        subtract,
        time_slices,
    )
    from gammapolars.streaming import slices
    from gammapolars.timing import align

_HOMES = {
    "activities": (
        "Activity",
        "CurrieLimits",
        "EfficiencyCurve",
        "EfficiencyFit",
        "NuclideActivity",
        "activity",
        "activity_at",
        "activity_of",
        "currie_limits",
        "efficiency_points",
        "fit_efficiency",
        "line_counts",
        "minimum_detectable_activity",
    ),
    "alignment": ("Timing", "measure_timing"),
    "angular": (
        "AngularFit",
        "angle_deg",
        "angular_coefficients",
        "angular_correlation",
        "angular_counts",
        "angular_singles",
        "attenuation",
        "fit_legendre",
    ),
    "calibration": (
        "calibrate",
        "energy_kev",
    ),
    "calibration.matching": ("match_lines",),
    "calibration.polynomial": ("fit_energy",),
    "calibration.result": ("calibrate_peaks",),
    "coincidences": (
        "chance_pairs",
        "nearest",
        "nearest_chance_pairs",
        "pairs",
    ),
    "detectors": (
        "CalibrationSource",
        "Detector",
        "Detectors",
        "load_detectors",
    ),
    "drift": ("Drift", "correct_drift", "load_drift"),
    "drift.results": ("DriftTrack",),
    "drift.track": ("track_drift",),
    "errors": (
        "CalibrationError",
        "DetectorsError",
        "GammapolarsError",
        "InputError",
        "OutputError",
        "QueryError",
        "TableError",
        "TimeOrderError",
        "UsageError",
    ),
    "event_building": (
        "add_back",
        "event_summary",
        "events",
        "triples",
        "veto",
    ),
    "flags": (
        "FLAGS",
        "has_any",
    ),
    "gates": ("Gate", "PolygonGate", "load_gates"),
    "gamma_lines": (
        "lines",
        "nearest_lines",
        "nuclides",
    ),
    "gamma_lines.cascades": ("cascades",),
    "io": (
        "save",
        "scan",
        "scan_pairs",
    ),
    "io.matrix_files": (
        "save_matrix",
        "scan_matrix",
    ),
    "io.reading": ("Losses",),
    "io.spectra.measurement": (
        "Measurement",
        "RecordedSpectrum",
    ),
    "io.spectrum_files": (
        "read_spectrum",
        "save_spectrum",
    ),
    "lifetimes": ("LifetimeFit", "fit_lifetime", "time_spectrum"),
    "peaks": (
        "find_peaks",
        "fit_peaks",
    ),
    "rates": ("true_rates",),
    "schema": (
        "DRIFT",
        "EVENTS",
        "HITS",
        "LINES",
        "MATRIX",
        "PAIRS",
        "PEAKS",
        "SPECTRUM",
        "TRIPLES",
        "require",
    ),
    "spectra": (
        "add_spectra",
        "cube_slice",
        "divide_by_efficiency",
        "gate",
        "matrix",
        "per_second",
        "project",
        "rebin",
        "spectrum",
        "subtract",
        "time_slices",
    ),
    "streaming": ("slices",),
    "timing": ("align",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DRIFT",
    "EVENTS",
    "FLAGS",
    "HITS",
    "LINES",
    "MATRIX",
    "PAIRS",
    "PEAKS",
    "SPECTRUM",
    "TRIPLES",
    "Activity",
    "AngularFit",
    "CalibrationError",
    "CalibrationSource",
    "CurrieLimits",
    "Detector",
    "Detectors",
    "DetectorsError",
    "Drift",
    "DriftTrack",
    "EfficiencyCurve",
    "EfficiencyFit",
    "GammapolarsError",
    "Gate",
    "InputError",
    "LifetimeFit",
    "Losses",
    "Measurement",
    "NuclideActivity",
    "OutputError",
    "PolygonGate",
    "QueryError",
    "RecordedSpectrum",
    "TableError",
    "TimeOrderError",
    "Timing",
    "UsageError",
    "activity",
    "activity_at",
    "activity_of",
    "add_back",
    "add_spectra",
    "align",
    "angle_deg",
    "angular_coefficients",
    "angular_correlation",
    "angular_counts",
    "angular_singles",
    "attenuation",
    "calibrate",
    "calibrate_peaks",
    "cascades",
    "chance_pairs",
    "correct_drift",
    "cube_slice",
    "currie_limits",
    "divide_by_efficiency",
    "efficiency_points",
    "energy_kev",
    "event_summary",
    "events",
    "find_peaks",
    "fit_efficiency",
    "fit_energy",
    "fit_legendre",
    "fit_lifetime",
    "fit_peaks",
    "gate",
    "has_any",
    "line_counts",
    "lines",
    "load_detectors",
    "load_drift",
    "load_gates",
    "match_lines",
    "matrix",
    "measure_timing",
    "minimum_detectable_activity",
    "nearest",
    "nearest_chance_pairs",
    "nearest_lines",
    "nuclides",
    "pairs",
    "per_second",
    "project",
    "read_spectrum",
    "rebin",
    "require",
    "save",
    "save_matrix",
    "save_spectrum",
    "scan",
    "scan_matrix",
    "scan_pairs",
    "slices",
    "spectrum",
    "subtract",
    "time_slices",
    "time_spectrum",
    "track_drift",
    "triples",
    "true_rates",
    "veto",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the command line's help must not wait for polars."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'gammapolars' has no attribute '{name}'")
    return getattr(import_module(f"gammapolars.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
