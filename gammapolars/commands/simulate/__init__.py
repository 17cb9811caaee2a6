"""`gammapolars simulate`."""
