"""Gamma lines of calibration sources and of the natural background, and the cascades that they belong to.

The table is `gamma_lines.csv` in this folder; README.md beside it tells where every figure comes from.
"""

from gammapolars.gamma_lines.table import canonical, lines, nearest_lines, nuclides

__all__ = ["canonical", "lines", "nearest_lines", "nuclides"]
