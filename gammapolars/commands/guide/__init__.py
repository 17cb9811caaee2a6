"""`gammapolars guide`."""
