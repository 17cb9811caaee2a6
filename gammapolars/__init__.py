"""List-mode gamma spectrometry on dataframes."""
