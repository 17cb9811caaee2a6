"""`gammapolars peaks`."""
