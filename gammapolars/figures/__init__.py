"""Figures of small tables: each function returns a plotnine `ggplot`, or two side by side, to be drawn or saved.

plotnine takes a second to import, so that nothing in gammapolars imports this package before a figure is wanted.
"""

from gammapolars.figures.angular import angular
from gammapolars.figures.calibration import calibration, residuals, resolution
from gammapolars.figures.drift import drift
from gammapolars.figures.efficiency import curve_energies, efficiency
from gammapolars.figures.gated import gated
from gammapolars.figures.lifetime import lifetime
from gammapolars.figures.matrix import map_of, matrix
from gammapolars.figures.rates import rates
from gammapolars.figures.spectrum import spectrum
from gammapolars.figures.theme import png
from gammapolars.figures.time_difference import time_difference, timing

__all__ = [
    "angular",
    "calibration",
    "curve_energies",
    "drift",
    "efficiency",
    "gated",
    "lifetime",
    "map_of",
    "matrix",
    "png",
    "rates",
    "residuals",
    "resolution",
    "spectrum",
    "time_difference",
    "timing",
]
