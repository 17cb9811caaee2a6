"""`gammapolars spectrum`."""
