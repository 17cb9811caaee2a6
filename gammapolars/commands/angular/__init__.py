"""`gammapolars angular`."""
