"""`gammapolars init`."""
