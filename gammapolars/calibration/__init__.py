"""Measured parameters of detectors.toml: energies, timing, and the drift of gains."""
