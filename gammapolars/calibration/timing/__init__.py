"""Time offsets, walk and resolution of detectors, measured from the prompt peaks of their pairs."""

from gammapolars.calibration.timing.measure import measure_timing as measure_timing
from gammapolars.calibration.timing.tables import Timing as Timing
