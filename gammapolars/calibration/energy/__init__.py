"""Energy calibration: which peak is which line of the sources, and the polynomial through them."""
