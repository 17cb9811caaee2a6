"""`gammapolars plot`."""
