"""From adc to keV: calibrations applied as expressions, and found from the peaks of known sources."""

from gammapolars.calibration.expressions import MAX_TABLE, by_detector, calibrate, energy_kev, steady_adc

__all__ = ["MAX_TABLE", "by_detector", "calibrate", "energy_kev", "steady_adc"]
