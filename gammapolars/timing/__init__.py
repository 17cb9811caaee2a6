"""Time offsets and time walk of detectors, as they are applied to hits."""

from gammapolars.timing.shifts import align, spread_ps
from gammapolars.timing.walk import walk_ps

__all__ = ["align", "spread_ps", "walk_ps"]
