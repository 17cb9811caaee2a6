"""Figures of small tables: each function returns a plotnine `ggplot`, or two side by side, to be drawn or saved.

plotnine takes a second to import, so that nothing in gammapolars imports this package before a figure is wanted.
"""

from gammapolars.figures.angular import angular as angular
from gammapolars.figures.calibration import calibration as calibration
from gammapolars.figures.calibration import residuals as residuals
from gammapolars.figures.calibration import resolution as resolution
from gammapolars.figures.drift import drift as drift
from gammapolars.figures.efficiency import curve_energies as curve_energies
from gammapolars.figures.efficiency import efficiency as efficiency
from gammapolars.figures.gated import gated as gated
from gammapolars.figures.lifetime import lifetime as lifetime
from gammapolars.figures.matrix import map_of as map_of
from gammapolars.figures.matrix import matrix as matrix
from gammapolars.figures.rates import rates as rates
from gammapolars.figures.spectrum import spectrum as spectrum
from gammapolars.figures.theme import png as png
from gammapolars.figures.time_difference import time_difference as time_difference
from gammapolars.figures.time_difference import timing as timing
