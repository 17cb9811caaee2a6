"""`gammapolars detectors`."""
