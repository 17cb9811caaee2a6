"""Figures for users, as `gp.plot`: each takes tables of gammapolars, and returns a plotnine `ggplot` to go on with.

    figure = gp.plot.spectrum(hits.pipe(gp.calibrate, detectors).pipe(gp.spectrum, bin_kev=1))
    figure = figure + plotnine.scale_y_continuous()
    figure.save("spectrum.pdf")

Tables may be lazy or not, and have the names of detectors or not; `gp.named` adds them. What was chosen of sizes, axes
and fonts is a `FigureStyle`.
"""

from gammapolars.figures.angular import angular as angular
from gammapolars.figures.calibration import calibration as calibration
from gammapolars.figures.calibration import residuals as residuals
from gammapolars.figures.calibration import resolution as resolution
from gammapolars.figures.drift import drift as drift
from gammapolars.figures.efficiency import efficiency as efficiency
from gammapolars.figures.lifetime import lifetime as lifetime
from gammapolars.figures.matrix import matrix as matrix
from gammapolars.figures.peaks import peaks as peaks
from gammapolars.figures.pulse_shapes import pulse_shapes as pulse_shapes
from gammapolars.figures.rates import rates as rates
from gammapolars.figures.spectrum import gated as gated
from gammapolars.figures.spectrum import spectrum as spectrum
from gammapolars.figures.style import FigureStyle as FigureStyle
from gammapolars.figures.time_difference import time_differences as time_differences
from gammapolars.figures.time_difference import timing as timing
