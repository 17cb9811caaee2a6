"""Angular correlations of two photons in cascade: counts by detector pair, W(θ), its Legendre fit, and theory."""

from gammapolars.angular.correlation import NORMALISATIONS as NORMALISATIONS
from gammapolars.angular.correlation import angular_correlation as angular_correlation
from gammapolars.angular.counts import COUNTS as COUNTS
from gammapolars.angular.counts import ENDS as ENDS
from gammapolars.angular.counts import SINGLES as SINGLES
from gammapolars.angular.counts import WEIGHTS as WEIGHTS
from gammapolars.angular.counts import angular_counts as angular_counts
from gammapolars.angular.counts import angular_singles as angular_singles
from gammapolars.angular.counts import check_gates as check_gates
from gammapolars.angular.counts import hits_by_weight as hits_by_weight
from gammapolars.angular.counts import net_hits as net_hits
from gammapolars.angular.counts import net_pairs as net_pairs
from gammapolars.angular.counts import pairs_by_weight as pairs_by_weight
from gammapolars.angular.directions import angle_deg as angle_deg
from gammapolars.angular.directions import attenuation as attenuation
from gammapolars.angular.directions import check_directions as check_directions
from gammapolars.angular.directions import cone_attenuation as cone_attenuation
from gammapolars.angular.directions import legendre as legendre
from gammapolars.angular.legendre import AngularFit as AngularFit
from gammapolars.angular.legendre import fit_legendre as fit_legendre
from gammapolars.angular.theory import angular_coefficients as angular_coefficients
