"""Physics shown against simulated truth, recorded spectra with known answers, and other people's fits."""
