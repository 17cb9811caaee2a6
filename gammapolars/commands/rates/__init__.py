"""`gammapolars rates`."""
