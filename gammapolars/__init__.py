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
    from gammapolars.calibration import calibrate, energy_kev
    from gammapolars.coincidences import chance_pairs, nearest, pairs
    from gammapolars.detectors import Detector, Detectors, load_detectors
    from gammapolars.drift import Drift, DriftTrack, correct_drift, load_drift, track_drift
    from gammapolars.errors import (
        DetectorsError,
        GammapolarsError,
        InputError,
        OutputError,
        QueryError,
        TableError,
        TimeOrderError,
        UsageError,
    )
    from gammapolars.flags import FLAGS, has_any
    from gammapolars.io import save, scan, scan_pairs
    from gammapolars.io.matrix_files import save_matrix, scan_matrix
    from gammapolars.io.reading import Losses
    from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum
    from gammapolars.io.spectrum_files import read_spectrum, save_spectrum
    from gammapolars.schema import DRIFT, HITS, MATRIX, PAIRS, SPECTRUM, require
    from gammapolars.spectra import matrix, spectrum
    from gammapolars.streaming import slices
    from gammapolars.timing import align

_HOMES = {
    "calibration": ("calibrate", "energy_kev"),
    "coincidences": ("chance_pairs", "nearest", "pairs"),
    "detectors": ("Detector", "Detectors", "load_detectors"),
    "drift": ("Drift", "DriftTrack", "correct_drift", "load_drift", "track_drift"),
    "errors": (
        "DetectorsError",
        "GammapolarsError",
        "InputError",
        "OutputError",
        "QueryError",
        "TableError",
        "TimeOrderError",
        "UsageError",
    ),
    "flags": ("FLAGS", "has_any"),
    "io": ("save", "scan", "scan_pairs"),
    "io.matrix_files": ("save_matrix", "scan_matrix"),
    "io.reading": ("Losses",),
    "io.spectra.measurement": ("Measurement", "RecordedSpectrum"),
    "io.spectrum_files": ("read_spectrum", "save_spectrum"),
    "schema": ("DRIFT", "HITS", "MATRIX", "PAIRS", "SPECTRUM", "require"),
    "spectra": ("matrix", "spectrum"),
    "streaming": ("slices",),
    "timing": ("align",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DRIFT",
    "FLAGS",
    "HITS",
    "MATRIX",
    "PAIRS",
    "SPECTRUM",
    "Detector",
    "Detectors",
    "DetectorsError",
    "Drift",
    "DriftTrack",
    "GammapolarsError",
    "InputError",
    "Losses",
    "Measurement",
    "OutputError",
    "QueryError",
    "RecordedSpectrum",
    "TableError",
    "TimeOrderError",
    "UsageError",
    "align",
    "calibrate",
    "chance_pairs",
    "correct_drift",
    "energy_kev",
    "has_any",
    "load_detectors",
    "load_drift",
    "matrix",
    "nearest",
    "pairs",
    "read_spectrum",
    "require",
    "save",
    "save_matrix",
    "save_spectrum",
    "scan",
    "scan_matrix",
    "scan_pairs",
    "slices",
    "spectrum",
    "track_drift",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the command line's help must not wait for polars."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'gammapolars' has no attribute '{name}'")
    return getattr(import_module(f"gammapolars.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
