"""`gammapolars convert`."""
