"""From adc to keV: calibrations applied as expressions."""

from gammapolars.calibration.expressions import MAX_TABLE, by_detector, calibrate, energy_kev

__all__ = ["MAX_TABLE", "by_detector", "calibrate", "energy_kev"]
