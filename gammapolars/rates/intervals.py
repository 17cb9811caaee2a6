"""The true rate of a detector from the times between its hits."""

import math
from typing import NamedTuple

import numpy as np

from gammapolars.core.types import Floats

LEAST_INTERVALS = 100

GROUPS = 20
"""Whether intervals are exponential is judged in this many groups of equal expectation."""

EXPONENTIAL = 1e-3
"""Least probability of χ² at which intervals are taken to be exponential."""

AGREE_SIGMA = 3.0
"""Rates above two cuts agree if they differ by no more."""

DEAR = 2.0
"""A cut is not moved on where that makes the uncertainty this many times larger."""

MARGINS = (1.03, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
"""How many times the shortest interval the cut is tried at, one after the other."""


class TrueRate(NamedTuple):
    """Results from the times between a detector's hits.

    Attributes:
        rate_cps: true rate, counts/s, as it would be counted without dead time.
        rate_cps_unc: one standard deviation.
        cut_ps: intervals above this were used: from there on they are exponential.
        intervals: how many these are.
        chi2: of the exponential in groups of equal expectation.
        ndf: degrees of freedom.
        live_fraction: counted rate over true rate, of the same intervals.
        live_fraction_unc: one standard deviation.
        dead_time_ps: per counted hit, as that fraction implies for a dead time that is not prolonged: 1/m - 1/r.
        dead_time_ps_unc: one standard deviation.
        exponential: whether the intervals agree with one rate (χ² more probable than 0.1 %); they do not where the rate
            changed, or where hits come in bunches.
    """

    rate_cps: float
    rate_cps_unc: float
    cut_ps: float
    intervals: int
    chi2: float
    ndf: int
    live_fraction: float
    live_fraction_unc: float
    dead_time_ps: float
    dead_time_ps_unc: float
    exponential: bool


def true_rate(edges_ps: Floats, counts: Floats, sums_ps: Floats, shortest_ps: float) -> TrueRate | None:
    """The rate of a Poisson process from the intervals between the hits that a detector with dead time counts.

    After each hit a detector is dead for a while. Whatever that time is, and whether it varies, the waiting times that
    are longer than the longest dead time t_c are exponential with the true rate: r = n / Σ (t - t_c), by maximum
    likelihood, with the uncertainty r / √n (the Fisher information of n exponential times). The cut t_c is the smallest
    at which they are exponential, by χ², and agree with the rate above any later cut; then one step further,
    because a few short dead times beyond the cut would not be noticed. Dead time that later hits prolong (paralysable)
    leads to the same distribution beyond twice the dead time.

    Args:
        edges_ps: (n + 1,) edges of bins of intervals.
        counts: (n,) intervals in each bin.
        sums_ps: (n,) their sums.
        shortest_ps: the shortest interval.

    Returns:
        The rate; None where there are too few intervals.
    """
    candidates: list[TrueRate] = []
    for margin in MARGINS:
        first = int(np.searchsorted(edges_ps, max(shortest_ps, 1.0) * margin))
        rate = _above(edges_ps, counts, sums_ps, first)
        if rate is None:
            break
        candidates.append(rate)
    for place, rate in enumerate(candidates):
        later = candidates[place + 1 :]
        if rate.exponential and all(_agree(rate, other) for other in later):
            further = later[0] if later else rate  # the time that the data chose is, if anything, too early
            return further if further.rate_cps_unc < DEAR * rate.rate_cps_unc else rate
    return next((rate for rate in candidates if rate.exponential), candidates[0] if candidates else None)


def _agree(rate: TrueRate, later: TrueRate) -> bool:
    """Whether a rate agrees with that above a later cut, of a part of the same intervals: variances subtract."""
    variance = max(later.rate_cps_unc**2 - rate.rate_cps_unc**2, 0.0)
    return abs(rate.rate_cps - later.rate_cps) <= AGREE_SIGMA * math.sqrt(variance) + 1e-9 * rate.rate_cps


def _above(edges: Floats, counts: Floats, sums: Floats, first: int) -> TrueRate | None:
    """The rate from all intervals from a bin on."""
    n = float(counts[first:].sum())
    cut = float(edges[min(first, len(edges) - 1)])
    beyond = float(sums[first:].sum()) - n * cut
    if n < LEAST_INTERVALS or beyond <= 0:
        return None
    rate = n / beyond
    from scipy.special import chdtrc  # scipy.stats, which has the same, takes half a second to import

    chi2, ndf = _chi2(edges[first:], counts[first:], rate, n)
    probability = float(chdtrc(ndf, chi2)) if ndf else 1.0
    return TrueRate(
        rate_cps=1e12 * rate,
        rate_cps_unc=1e12 * rate / math.sqrt(n),
        cut_ps=cut,
        intervals=int(n),
        chi2=chi2,
        ndf=ndf,
        **_dead(counts, sums, first, cut),
        exponential=probability > EXPONENTIAL,
    )


def _dead(counts: Floats, sums: Floats, first: int, cut: float) -> dict[str, float]:
    """Live fraction and dead time of a detector, with their standard deviations.

    Both are functions of means over all N intervals x: of x itself, of y = 1 above the cut and 0 below, and of z = x -
    cut above and 0 below. The counted rate is m = 1 / x̄, the true one r = ȳ / z̄; m / r = z̄ / (x̄ ȳ), and 1/m - 1/r = x̄ -
    z̄ / ȳ. To first order, an interval adds (z / z̄ - x / x̄ - y / ȳ) / N to the logarithm of the former, and (x - z / ȳ +
    z̄ y / ȳ²) / N to the latter, so that their variances over the intervals, divided by N, are those of the results: for
    any distribution of dead times, with all correlations, where intervals are independent. Intervals of a bin (2 %) are
    taken as its mean.
    """
    n = float(counts.sum())
    x = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    y = np.where(np.arange(len(counts)) >= first, 1.0, 0.0)
    z = y * (x - cut)
    mean_x, mean_y, mean_z = (float((counts * one).sum()) / n for one in (x, y, z))

    def deviation(terms: Floats) -> float:
        mean = float((counts * terms).sum()) / n
        return math.sqrt(float((counts * (terms - mean) ** 2).sum())) / n

    live = mean_z / (mean_x * mean_y)
    return {
        "live_fraction": live,
        "live_fraction_unc": live * deviation(z / mean_z - x / mean_x - y / mean_y),
        "dead_time_ps": mean_x - mean_z / mean_y,
        "dead_time_ps_unc": deviation(x - z / mean_y + mean_z * y / mean_y**2),
    }


def _chi2(edges: Floats, counts: Floats, rate: float, n: float) -> tuple[float, int]:
    """χ² of the exponential, in groups of bins that are expected to hold alike."""
    below = -np.expm1(-rate * (edges - edges[0]))
    group = np.minimum((below[:-1] * GROUPS).astype(np.int64), GROUPS - 1)
    observed = np.bincount(group, counts, minlength=GROUPS)
    expected = np.bincount(group, np.diff(below), minlength=GROUPS) * n
    enough = expected > 5
    chi2 = float(((observed - expected)[enough] ** 2 / expected[enough]).sum())
    return chi2, max(int(enough.sum()) - 2, 0)
