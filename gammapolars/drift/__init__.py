"""The drift of gains: found from spectral lines, slice of time by slice of time, and undone hit by hit."""

from gammapolars.drift.attach import correct_drift
from gammapolars.drift.correction import Correction, correction_of
from gammapolars.drift.results import DriftTrack
from gammapolars.drift.table import Drift, DriftRun, load_drift
from gammapolars.drift.track import track_drift

__all__ = [
    "Correction",
    "Drift",
    "DriftRun",
    "DriftTrack",
    "correct_drift",
    "correction_of",
    "load_drift",
    "track_drift",
]
