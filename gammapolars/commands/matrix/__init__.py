"""`gammapolars matrix`."""
