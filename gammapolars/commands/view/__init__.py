"""`gammapolars view`."""
