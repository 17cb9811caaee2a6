"""Full-energy peaks of spectra: their search and their fit, of calibrated and uncalibrated spectra of any detector."""

from gammapolars.peaks.figure_of_merit import figure_of_merit as figure_of_merit
from gammapolars.peaks.spectra import find_peaks as find_peaks
from gammapolars.peaks.spectra import fit_peaks as fit_peaks
from gammapolars.peaks.sums import difference as difference
from gammapolars.peaks.sums import with_sums as with_sums
from gammapolars.peaks.width_doubts import width_doubts as width_doubts
