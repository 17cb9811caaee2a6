"""The drift of gains, found from spectral lines, slice of time by slice of time."""

from gammapolars.calibration.drift.curves import Reference
from gammapolars.calibration.drift.results import DriftTrack
from gammapolars.calibration.drift.track import REACH, track_drift

__all__ = [
    "REACH",
    "DriftTrack",
    "Reference",
    "track_drift",
]
