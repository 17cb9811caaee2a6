"""Full-energy peaks of spectra: their search and their fit, of calibrated and uncalibrated spectra of any detector."""

from gammapolars.peaks.spectra import find_peaks, fit_peaks

__all__ = ["find_peaks", "fit_peaks"]
