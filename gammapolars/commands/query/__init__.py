"""`gammapolars query`."""
