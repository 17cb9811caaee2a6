"""Energy calibration: which peak is which line of the sources, and the polynomial through them."""

from gammapolars.calibration.energy.matching import match_lines
from gammapolars.calibration.energy.polynomial import fit_energy
from gammapolars.calibration.energy.result import Calibration, Pair, calibrate_peaks, parse_pairs

__all__ = [
    "Calibration",
    "Pair",
    "calibrate_peaks",
    "fit_energy",
    "match_lines",
    "parse_pairs",
]
