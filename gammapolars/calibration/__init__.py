"""What is measured and written into detectors.toml: energies, timing, and the drift of gains."""
