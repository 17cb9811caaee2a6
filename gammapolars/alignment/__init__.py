"""Time offsets, walk and resolution of detectors, measured from the prompt peaks of their pairs."""

from gammapolars.alignment.measure import measure_timing
from gammapolars.alignment.results import Timing

__all__ = ["Timing", "measure_timing"]
