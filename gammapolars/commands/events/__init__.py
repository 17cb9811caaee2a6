"""`gammapolars events`."""
