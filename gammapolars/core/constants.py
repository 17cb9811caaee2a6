"""Constants of nature and of mathematics that several rooms need."""

import math

ANNIHILATION_KEV = 510.99895
"""Energy of annihilation photons: the electron's mass (CODATA 2018)."""

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian, in standard deviations."""
