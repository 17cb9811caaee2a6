"""Angular correlations of two photons in cascade, from net coincidences of detectors at known directions."""

from gammapolars.angular.correlation import AngularFit, angular_correlation, fit_legendre
from gammapolars.angular.directions import angle_deg, attenuation

__all__ = ["AngularFit", "angle_deg", "angular_correlation", "attenuation", "fit_legendre"]
