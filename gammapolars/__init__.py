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
    from gammapolars.analysis.gain_correction import correct_drift, load_drift
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
    from gammapolars.calibration.drift import DriftTrack, track_drift
    from gammapolars.calibration.energy import calibrate_peaks, fit_energy, match_lines
    from gammapolars.calibration.timing import Timing, measure_timing
    from gammapolars.coincidences import (
        add_back,
        chance_pairs,
        event_summary,
        events,
        nearest,
        nearest_chance_pairs,
        pairs,
        triples,
        veto,
    )
    from gammapolars.core.errors import (
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
    from gammapolars.core.flags import FLAGS, has_any
    from gammapolars.core.schema import DRIFT, EVENTS, HITS, LINES, MATRIX, PAIRS, PEAKS, SPECTRUM, TRIPLES, require
    from gammapolars.corrections import align, calibrate, energy_kev
    from gammapolars.corrections.drift_table import Drift
    from gammapolars.detectors import CalibrationSource, Detector, Detectors, load_detectors
    from gammapolars.gamma_lines import cascades, lines, nearest_lines, nuclides
    from gammapolars.gates import Gate, PolygonGate, load_gates
    from gammapolars.io import save, scan, scan_pairs
    from gammapolars.io.matrix_files import save_matrix, scan_matrix
    from gammapolars.io.reading import Losses
    from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum
    from gammapolars.io.spectrum_files import read_spectrum, save_spectrum
    from gammapolars.lifetimes import LifetimeFit, fit_lifetime, time_spectrum
    from gammapolars.peaks import find_peaks, fit_peaks
    from gammapolars.rates import true_rates
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
    from gammapolars.streaming.slices import slices

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
    "analysis.gain_correction": (
        "correct_drift",
        "load_drift",
    ),
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
    "calibration.drift": ("DriftTrack", "track_drift"),
    "calibration.energy": ("calibrate_peaks", "fit_energy", "match_lines"),
    "calibration.timing": (
        "Timing",
        "measure_timing",
    ),
    "coincidences": (
        "add_back",
        "chance_pairs",
        "event_summary",
        "events",
        "nearest",
        "nearest_chance_pairs",
        "pairs",
        "triples",
        "veto",
    ),
    "core.errors": (
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
    "core.flags": (
        "FLAGS",
        "has_any",
    ),
    "core.schema": (
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
    "corrections": (
        "align",
        "calibrate",
        "energy_kev",
    ),
    "corrections.drift_table": ("Drift",),
    "detectors": (
        "CalibrationSource",
        "Detector",
        "Detectors",
        "load_detectors",
    ),
    "gamma_lines": (
        "cascades",
        "lines",
        "nearest_lines",
        "nuclides",
    ),
    "gates": (
        "Gate",
        "PolygonGate",
        "load_gates",
    ),
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
    "lifetimes": (
        "LifetimeFit",
        "fit_lifetime",
        "time_spectrum",
    ),
    "peaks": (
        "find_peaks",
        "fit_peaks",
    ),
    "rates": ("true_rates",),
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
    "streaming.slices": ("slices",),
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
