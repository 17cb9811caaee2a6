"""The true rate of a detector from the times between its hits."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_INTERVALS = 100

GROUPS = 20
"""Exponential or not is judged in so many groups of equal expectation."""

EXPONENTIAL = 1e-3
"""Least probability of χ² at which intervals are taken to be exponential."""

MARGINS = (1.03, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
"""How many times the shortest interval the cut is tried at, one after the other."""


class TrueRate(NamedTuple):
    """What the times between a detector's hits tell.

    Attributes:
        rate_cps: true rate, counts/s: what would be counted without dead time.
        rate_cps_unc: one standard deviation.
        cut_ps: intervals above this were used: from there on they are exponential.
        intervals: how many these are.
        chi2: of the exponential in groups of equal expectation.
        ndf: degrees of freedom.
        exponential: whether the intervals agree with one rate (χ² more probable than 0.1 %); they do not where the rate
            changed, or where hits come in bunches.
    """

    rate_cps: float
    rate_cps_unc: float
    cut_ps: float
    intervals: int
    chi2: float
    ndf: int
    exponential: bool


def true_rate(edges_ps: Floats, counts: Floats, sums_ps: Floats, shortest_ps: float) -> TrueRate | None:
    """The rate of a Poisson process from the intervals between the hits that a detector with dead time counts.

    After each hit a detector is dead for a while. Whatever that time is, and whether it varies, the waiting times that
    are longer than the longest dead time t_c are exponential with the true rate: r = n / Σ (t - t_c), by maximum
    likelihood, with the uncertainty r / √n. The cut t_c is the smallest at which they are exponential, by χ². Dead time
    that later hits prolong (paralysable) leads to the same distribution beyond twice the dead time.

    Args:
        edges_ps: (n + 1,) edges of bins of intervals.
        counts: (n,) intervals in each bin.
        sums_ps: (n,) their sums.
        shortest_ps: the shortest interval.

    Returns:
        The rate; None where there are too few intervals.
    """
    found = None
    for margin in MARGINS:
        first = int(np.searchsorted(edges_ps, max(shortest_ps, 1.0) * margin))
        tried = _above(edges_ps, counts, sums_ps, first)
        if tried is None:
            break
        found = tried if found is None or tried.exponential else found
        if found.exponential:
            break
    return found


def _above(edges: Floats, counts: Floats, sums: Floats, first: int) -> TrueRate | None:
    """The rate from all intervals from a bin on."""
    n = float(counts[first:].sum())
    cut = float(edges[min(first, len(edges) - 1)])
    beyond = float(sums[first:].sum()) - n * cut
    if n < LEAST_INTERVALS or beyond <= 0:
        return None
    rate = n / beyond
    chi2, ndf = _chi2(edges[first:], counts[first:], rate, n)
    probable = _survival(chi2, ndf) > EXPONENTIAL
    return TrueRate(1e12 * rate, 1e12 * rate / math.sqrt(n), cut, int(n), chi2, ndf, probable)


def _chi2(edges: Floats, counts: Floats, rate: float, n: float) -> tuple[float, int]:
    """χ² of the exponential, in groups of bins that are expected to hold alike."""
    below = -np.expm1(-rate * (edges - edges[0]))
    group = np.minimum((below[:-1] * GROUPS).astype(np.int64), GROUPS - 1)
    found = np.bincount(group, counts, minlength=GROUPS)
    expected = np.bincount(group, np.diff(below), minlength=GROUPS) * n
    filled = expected > 5
    chi2 = float(((found - expected)[filled] ** 2 / expected[filled]).sum())
    return chi2, max(int(filled.sum()) - 2, 0)


def _survival(chi2: float, ndf: int) -> float:
    from scipy.stats import chi2 as distribution

    return float(distribution.sf(chi2, ndf)) if ndf else 1.0
