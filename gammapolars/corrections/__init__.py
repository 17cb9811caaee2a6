"""What is applied to hits: energy polynomials, gain factors, time offsets and walk; each as expressions."""

from gammapolars.corrections.energy import MAX_TABLE, by_detector, calibrate, energy_kev, steady_adc
from gammapolars.corrections.timing import align, spread_ps
from gammapolars.corrections.walk import walk_ps

__all__ = ["MAX_TABLE", "align", "by_detector", "calibrate", "energy_kev", "spread_ps", "steady_adc", "walk_ps"]
