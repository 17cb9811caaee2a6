"""Spectra and matrices: counts per bin with their variances, and what keeps both right on the way to a result."""

from gammapolars.corrections.dithering import dithered
from gammapolars.spectra.arithmetic import add_spectra, divide_by_efficiency, per_second, subtract
from gammapolars.spectra.binning import spectrum
from gammapolars.spectra.bins import fitting_bin_kev
from gammapolars.spectra.matrices import matrix, project
from gammapolars.spectra.rebinning import rebin, rebinned
from gammapolars.spectra.selections import cube_slice, gate, time_slices

__all__ = [
    "add_spectra",
    "cube_slice",
    "dithered",
    "divide_by_efficiency",
    "fitting_bin_kev",
    "gate",
    "matrix",
    "per_second",
    "project",
    "rebin",
    "rebinned",
    "spectrum",
    "subtract",
    "time_slices",
]
