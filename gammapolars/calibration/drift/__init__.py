"""The drift of gains, found from spectral lines, slice of time by slice of time."""

from gammapolars.calibration.drift.curves import Reference as Reference
from gammapolars.calibration.drift.results import DriftTrack as DriftTrack
from gammapolars.calibration.drift.track import REACH as REACH
from gammapolars.calibration.drift.track import track_drift as track_drift
