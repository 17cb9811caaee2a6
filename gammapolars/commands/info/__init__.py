"""`gammapolars info`."""
