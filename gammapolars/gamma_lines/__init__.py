"""Gamma lines of calibration sources and of the natural background, and the cascades that they belong to.

The table is `gamma_lines.csv` in this folder; README.md there gives the source of every figure. `x_rays.csv` holds
K X-rays, `half_lives.csv` half-lives.
"""

from gammapolars.gamma_lines.ensdf import cascades as cascades
from gammapolars.gamma_lines.ensdf import in_cascade as in_cascade
from gammapolars.gamma_lines.half_lives import evaluated_half_life as evaluated_half_life
from gammapolars.gamma_lines.table import ANNIHILATION as ANNIHILATION
from gammapolars.gamma_lines.table import COMMON as COMMON
from gammapolars.gamma_lines.table import AnyLines as AnyLines
from gammapolars.gamma_lines.table import canonical as canonical
from gammapolars.gamma_lines.table import heads as heads
from gammapolars.gamma_lines.table import lines as lines
from gammapolars.gamma_lines.table import lines_of as lines_of
from gammapolars.gamma_lines.table import nearest_lines as nearest_lines
from gammapolars.gamma_lines.table import nuclides as nuclides
from gammapolars.gamma_lines.table import x_rays as x_rays
