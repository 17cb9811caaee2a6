"""`gammapolars activity`."""
