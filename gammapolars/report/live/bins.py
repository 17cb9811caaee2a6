"""How fine the matrix of a report is, so that gates on its page resolve as much as the detectors."""

from gammapolars.detectors import Detectors
from gammapolars.spectra import fitting_bin_kev
from gammapolars.spectra.line_gates import fwhm_kev

AT_KEV = 661.657
"""Where resolutions are compared: at the line of Cs-137."""

LEAST_KEV = 1.0

OF_FWHM = {"HPGe": 1 / 2, "Ge": 1 / 2, "Si": 1 / 2}
"""The bins' width in FWHM of a semiconductor's lines; a scintillator's are smooth, and wide enough for a quarter."""

OF_SCINTILLATORS = 1 / 4


def matrix_bin_kev(detectors: Detectors) -> float:
    """The width of the bins, in keV: half a FWHM of the detector with the best resolution, or a quarter; 1 keV or more.

    Rounded down to 1, 2 or 5 times a power of ten; no finer than the coarsest detector's adc step. Where no resolution
    is known, 1 keV.
    """
    widths = [
        OF_FWHM.get(one.kind, OF_SCINTILLATORS) * fwhm
        for one in detectors
        if (fwhm := fwhm_kev(one, AT_KEV)) is not None
    ]
    asked = max(LEAST_KEV, min(widths, default=LEAST_KEV))
    steps = [digit * 10.0**power for power in range(4) for digit in (1, 2, 5)]
    return fitting_bin_kev(detectors, least_kev=max(step for step in steps if step <= asked * (1 + 1e-9)))
