"""Whether there is a peak at all: tests of "no peak", right at few counts as at many, locally and in a whole spectrum.

Two tests of the same question are made here: one of counts under a filter, where a spectrum is searched, and one of a
fitted peak. Both are roots of likelihood ratios r, brought to their exact tail by r* = r + ln(u / r) / r, u being the
departure in units of its uncertainty under the alternative (Barndorff-Nielsen 1986, Biometrika 73, 307). At many
counts u = r, and nothing is left of the correction; at a few counts r by itself is exceeded ten times too often.

The significance of a peak is no area in units of its uncertainty. The uncertainty of an area has the scatter of the
peak's own counts in it, which are not there where there is no peak: 9 counts above no background at all are known
to 33 %, and yet no background makes them.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import RegionFit
from gammapolars.peaks.profile import profile

TILTS = np.concatenate([[1e-3], np.geomspace(1e-2, 60.0, 200)])
"""How far a distribution is tilted towards its tail, in units of the inverse standard deviation of the kernel."""


class FilterTail(NamedTuple):
    """The tail of a filter's response to N counts that fall at random into the bins that it sees, by the mean response
    per count.

    Attributes:
        mean: per count; the tables' argument.
        root: r / √N.
        correction: (r* - r) √N.
        least_counts: with fewer counts than this the tail is as thin as at a smaller mean: a few counts in one bin.
        deviation: standard deviation of the response to one count.
    """

    mean: Floats
    root: Floats
    correction: Floats
    least_counts: Floats
    deviation: float

    def significance(self, response: Floats, counts: Floats) -> Floats:
        """In standard deviations, of responses to numbers of counts."""
        root_counts = np.sqrt(counts)
        mean = np.divide(response, counts, out=np.zeros_like(response), where=counts > 0)
        mean = np.minimum(mean, np.interp(counts, self.least_counts, self.mean, right=math.inf))
        r = root_counts * np.interp(mean, self.mean, self.root)
        correction = np.interp(mean, self.mean, self.correction) / np.maximum(root_counts, 1.0)
        tail = r + correction * (1 - np.exp(-0.5 * r * r))
        return np.asarray(np.where(mean > self.mean[0], tail, mean * root_counts / self.deviation), np.float64)


def filter_tail(kernel: Floats) -> FilterTail:
    """The tail of a filter's response, by the saddlepoint of its distribution for a given number of counts.

    How many counts there are contains no information on where they are: given their number, the unknown background
    drops out of the test, whatever it is.
    """
    return _filter_tail(tuple(kernel.tolist()))


@lru_cache(maxsize=256)
def _filter_tail(kernel: tuple[float, ...]) -> FilterTail:
    response = np.array(kernel)
    deviation, most = float(response.std()), float(response.max())
    tilts = TILTS / deviation
    weights = np.exp(np.outer(tilts, response - most))
    cumulant = np.log(weights.mean(1)) + tilts * most
    weights /= weights.sum(1)[:, None]
    mean = weights @ response
    variance = np.maximum(weights @ response**2 - mean**2, 1e-300)
    root = np.sqrt(2 * np.maximum(tilts * mean - cumulant, 1e-300))
    correction = np.log(tilts * np.sqrt(variance) / root) / root
    growth = np.maximum(np.gradient(root), 1e-300)
    least_counts = np.maximum.accumulate(np.maximum(-np.gradient(correction) / growth, 0.0))
    return FilterTail(mean, root, correction, least_counts, deviation)


def significance_of(fit: RegionFit) -> Floats:
    """By how many standard deviations each peak of a region exceeds the counts expected without it.

    The counts that the fit expects are compared with the best description without the peak, in which everything else
    of the region has moved to where it then fits best: the root of the likelihood ratio, brought to its exact tail.
    Where counts can be negative, it is the root of the change of χ².
    """
    expected = np.maximum(fit.model.expected(fit.parameters), 1e-12)
    return np.array([_significance(fit, number, expected) for number in range(len(fit.areas))])


def _significance(fit: RegionFit, number: int, expected: Floats) -> float:
    area, variance = float(fit.areas[number]), float(fit.covariance[number, number])
    if area == 0:
        return 0.0
    if fit.scale is None:
        return area / math.sqrt(variance) if variance > 0 else 0.0
    null = profile(fit, number, 0.0)
    r = math.sqrt(max(null.cost, 0.0))
    shift = np.log(expected / null.expected)
    slopes = null.slopes / null.expected
    weighted = slopes * expected
    coefficients = np.linalg.lstsq(weighted @ slopes.T, weighted @ shift, rcond=1e-12)[0]
    rest = shift - coefficients @ slopes
    u = math.sqrt(max(fit.scale * float(expected @ rest**2), 1e-300))
    correction = math.log(u / r) / r * (1 - math.exp(-0.5 * r * r)) if r > 0 else 0.0
    return math.copysign(max(r + correction, 0.0), area)


def resolution_elements(fwhm: Floats) -> float:
    """How many peaks would fit next to each other in a spectrum, from the FWHM at each bin, in bins."""
    return float((1 / np.maximum(fwhm, 1.0)).sum())


def global_p_value(significance: float, elements: float) -> float:
    """The probability that background gives a peak as significant as this anywhere in a spectrum.

    The significance of background as a function of the place crosses a height z upwards in each bin of a length L at a
    rate L √λ exp(-z²/2) / 2π, λ = 1 / (2 σ²) for peaks of a width σ (S. O. Rice 1944; E. Gross and O. Vitells 2010,
    Eur. Phys. J. C 70, 525).

    Args:
        significance: of a peak at its own place.
        elements: of the spectrum, from `resolution_elements`.
    """
    crossings = elements * FWHM_PER_SIGMA / (2 * math.pi * math.sqrt(2)) * math.exp(-0.5 * max(significance, 0.0) ** 2)
    return -math.expm1(-crossings - float(ndtr(-significance)))
