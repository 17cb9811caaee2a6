"""`gammapolars lines`."""
