"""Angular correlations of two photons in cascade: counts by detector pair, W(θ), its Legendre fit, and theory."""

from gammapolars.angular.correlation import NORMALISATIONS, angular_correlation
from gammapolars.angular.counts import (
    COUNTS,
    ENDS,
    SINGLES,
    WEIGHTS,
    angular_counts,
    angular_singles,
    check_gates,
    hits_by_weight,
    net_hits,
    net_pairs,
    pairs_by_weight,
)
from gammapolars.angular.directions import angle_deg, attenuation, check_directions, cone_attenuation, legendre
from gammapolars.angular.legendre import AngularFit, fit_legendre
from gammapolars.angular.theory import angular_coefficients

__all__ = [
    "COUNTS",
    "ENDS",
    "NORMALISATIONS",
    "SINGLES",
    "WEIGHTS",
    "AngularFit",
    "angle_deg",
    "angular_coefficients",
    "angular_correlation",
    "angular_counts",
    "angular_singles",
    "attenuation",
    "check_directions",
    "check_gates",
    "cone_attenuation",
    "fit_legendre",
    "hits_by_weight",
    "legendre",
    "net_hits",
    "net_pairs",
    "pairs_by_weight",
]
