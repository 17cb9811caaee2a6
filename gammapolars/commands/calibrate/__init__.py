"""`gammapolars calibrate`."""
