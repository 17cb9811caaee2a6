"""Figures of small tables: each function returns a plotnine `ggplot`, or several in one, to be drawn or saved.

plotnine takes a second to import, so that nothing in gammapolars imports this package before a figure is wanted.
`plot` holds what users call, as `gp.plot`.
"""

from gammapolars.figures import plot as plot
from gammapolars.figures.angular import angular as angular
from gammapolars.figures.calibration import calibration as calibration
from gammapolars.figures.calibration import residuals as residuals
from gammapolars.figures.calibration import resolution as resolution
from gammapolars.figures.drift import drift as drift
from gammapolars.figures.efficiency import curve_energies as curve_energies
from gammapolars.figures.efficiency import efficiency as efficiency
from gammapolars.figures.image import image as image
from gammapolars.figures.image import pixels as pixels
from gammapolars.figures.image import png as png
from gammapolars.figures.lifetime import lifetime as lifetime
from gammapolars.figures.matrix import matrix as matrix
from gammapolars.figures.peaks import peaks as peaks
from gammapolars.figures.pulse_shapes import pulse_shapes as pulse_shapes
from gammapolars.figures.rates import rates as rates
from gammapolars.figures.spectrum import gated as gated
from gammapolars.figures.spectrum import spectrum as spectrum
from gammapolars.figures.style import SCREEN as SCREEN
from gammapolars.figures.style import FigureStyle as FigureStyle
from gammapolars.figures.time_difference import time_differences as time_differences
from gammapolars.figures.time_difference import timing as timing
