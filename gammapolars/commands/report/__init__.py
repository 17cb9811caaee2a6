"""`gammapolars report`."""
