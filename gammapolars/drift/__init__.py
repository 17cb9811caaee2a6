"""The drift of gains: found from spectral lines, slice of time by slice of time, and undone hit by hit.

What undoes it is here. What finds it, in `gammapolars.drift.track`, needs scipy, for which no other command waits.
"""

from gammapolars.drift.attach import correct_drift
from gammapolars.drift.correction import Correction, correction_of
from gammapolars.drift.table import Drift, DriftRun, load_drift

__all__ = ["Correction", "Drift", "DriftRun", "correct_drift", "correction_of", "load_drift"]
