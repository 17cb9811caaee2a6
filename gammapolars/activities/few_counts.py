"""Decisions and limits of net counts that hold at few counts as at many: of a region, less a multiple of its sides.

A region has n counts, its sides s; pure background would give a ratio r times the counts of the sides in the region.
Given the total n + s, the counts in the region are binomial with the probability r / (1 + r), whatever the
background is (Przyborowski and Wilenski 1940, Biometrika 31, 313). All functions also take numbers that are not
integers, such as those of several lines taken together.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc, gammaincc, gammaln, ndtri

SHARE = 0.6
"""Weight of the probability of the observed counts themselves in a tail. Half (the mid-p of Lancaster 1961,
Biometrika 48, 223) makes up to 5.6 % false detections of 5 %, all of it hardly 4 % at 30 counts; this no more than 5 %
anywhere, and more than 4.5 % from 30 counts on.
"""

MANY = 400.0
"""Counts from which a normal distribution is as good."""


class CountingLimits(NamedTuple):
    """Smallest amounts that counts can distinguish from background, in the unit of an activity.

    Attributes:
        critical: decision threshold.
        detectable: true value that is detected with a probability of 95 %.
        upper: 95 % upper limit from counting statistics only; None: that of a normal distribution is as good.
    """

    critical: float
    detectable: float
    upper: float | None


def counting_limits(value: float, null_variance: float, *, per_bq: float, ratio: float = 1.0) -> CountingLimits:
    """The limits of a value that has a variance where there is nothing, and some counts per unit.

    Args:
        value: the activity, which may be negative.
        null_variance: of the value where there is no activity.
        per_bq: counts per Bq.
        ratio: of the background in the line's region to that in its sides.
    """
    variance = null_variance * per_bq**2
    sides = variance / (ratio * (1 + ratio))
    critical = critical_counts(sides, ratio)
    upper = upper_limit_counts(value * per_bq, sides, ratio)
    return CountingLimits(
        critical / per_bq, detectable_counts(critical, variance) / per_bq, None if upper is None else upper / per_bq
    )


@lru_cache(maxsize=4096)
def critical_counts(sides: float, ratio: float, confidence: float = 0.95) -> float:
    """Net counts n - r s from which on there is a detection; background reaches them with at most 1 - confidence.

    Args:
        sides: s, counts of the sides.
        ratio: r, of the background in the region to that in the sides.
        confidence: 1 - α.
    """
    part = ratio / (1 + ratio)

    def excess(counts: float) -> float:
        tail = SHARE * betainc(counts, sides + 1, part)
        if sides > 0:
            tail += (1 - SHARE) * betainc(counts + 1, sides, part)
        return float(tail) - (1 - confidence)

    expected = ratio * sides
    most = expected + 10 + 10 * math.sqrt((1 + ratio) * (expected + 1))
    return float(brentq(excess, max(expected * 0.5, 1e-6), most)) - expected


def detectable_counts(critical: float, variance: float, confidence: float = 0.95) -> float:
    """True net counts of which `critical` are reached with a probability, their scatter that of counts and background.

    With critical = k σ₀ it is Currie's L_D = k² + 2 k σ₀.

    Args:
        critical: net counts from which on there is a detection.
        variance: σ₀², of net counts where there is no line.
        confidence: 1 - β.
    """
    k = float(ndtri(confidence))
    return critical + 0.5 * k**2 + k * math.sqrt(0.25 * k**2 + max(critical, 0.0) + variance)


def upper_limit_counts(net: float, sides: float, ratio: float, confidence: float = 0.95) -> float | None:
    """The upper limit of a line's true counts, of which any number from 0 on is taken for as likely before.

    Their probability is the Poisson one of the region's counts, averaged over the background that the sides leave
    possible (Helene 1983, Nucl. Instrum. Methods 212, 319). None: there are so many counts that the normal
    distribution's limit is as good.

    Args:
        net: n - r s.
        sides: s.
        ratio: r.
        confidence: of the limit.
    """
    counts = max(net + ratio * sides, 0.0)
    if counts > MANY or sides > MANY:
        return None
    background = np.arange(math.floor(counts) + 1.0)
    logs = gammaln(background + sides + 0.5) - gammaln(background + 1) + background * math.log(ratio / (1 + ratio))
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()

    def excess(line: float) -> float:
        return float(weights @ gammaincc(counts - background + 1, line)) - (1 - confidence)

    return float(brentq(excess, 0.0, counts + 10 + 10 * math.sqrt(counts + 1)))
