"""`gammapolars drift`."""
