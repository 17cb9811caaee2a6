"""`gammapolars lifetime`."""
