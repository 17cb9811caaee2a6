"""`gammapolars coincidences`."""
