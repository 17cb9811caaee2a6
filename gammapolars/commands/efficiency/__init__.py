"""`gammapolars efficiency`."""
