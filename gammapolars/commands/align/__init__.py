"""`gammapolars align`."""
