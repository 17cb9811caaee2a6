"""The drift of gains, found from spectral lines, slice of time by slice of time."""
