"""Angular correlations of two photons in cascade: counts by detector pair, W(θ), its Legendre fit, and theory."""

from gammapolars.angular.correlation import angular_correlation
from gammapolars.angular.counts import angular_counts, angular_singles
from gammapolars.angular.directions import angle_deg, attenuation
from gammapolars.angular.legendre import AngularFit, fit_legendre
from gammapolars.angular.theory import angular_coefficients

__all__ = [
    "AngularFit",
    "angle_deg",
    "angular_coefficients",
    "angular_correlation",
    "angular_counts",
    "angular_singles",
    "attenuation",
    "fit_legendre",
]
