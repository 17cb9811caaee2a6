"""The files in which single spectra and matrices are kept: one module a format, put together in `io.spectrum_files`."""
