"""`gammapolars gate`."""
