"""Spectra and matrices: counts per bin with their variances, both kept right on the way to a result."""

from gammapolars.corrections.dithering import dithered as dithered
from gammapolars.spectra.arithmetic import add_spectra as add_spectra
from gammapolars.spectra.arithmetic import divide_by_efficiency as divide_by_efficiency
from gammapolars.spectra.arithmetic import per_second as per_second
from gammapolars.spectra.arithmetic import subtract as subtract
from gammapolars.spectra.binning import spectrum as spectrum
from gammapolars.spectra.bins import fitting_bin_kev as fitting_bin_kev
from gammapolars.spectra.coincidence_peaks import CoincidencePeak as CoincidencePeak
from gammapolars.spectra.coincidence_peaks import coincidence_peak as coincidence_peak
from gammapolars.spectra.matrices import matrix as matrix
from gammapolars.spectra.matrices import project as project
from gammapolars.spectra.rebinning import rebin as rebin
from gammapolars.spectra.rebinning import rebinned as rebinned
from gammapolars.spectra.selections import cube_slice as cube_slice
from gammapolars.spectra.selections import gate as gate
from gammapolars.spectra.selections import time_slices as time_slices
