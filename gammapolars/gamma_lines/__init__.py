"""Gamma lines of calibration sources and of the natural background, and the cascades that they belong to.

The table is `gamma_lines.csv` in this folder; README.md there gives the source of every figure.
"""

from gammapolars.gamma_lines.ensdf import cascades, in_cascade
from gammapolars.gamma_lines.table import ANNIHILATION, canonical, lines, nearest_lines, nuclides

__all__ = [
    "ANNIHILATION",
    "canonical",
    "cascades",
    "in_cascade",
    "lines",
    "nearest_lines",
    "nuclides",
]
