"""`gammapolars run`."""
