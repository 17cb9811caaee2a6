"""Whether one wide peak is really two: by the likelihood of both, so that no blend is taken for a width.

Two lines closer than their width make one maximum that is wider than each of them. Where there are counts enough, its
shape gives it away; a single peak with a tail is the alternative.
"""

import math

import numpy as np

from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import Knowledge, Prior, RegionFit, fit_region
from gammapolars.peaks.minimum import Condition
from gammapolars.peaks.model import Model

GAIN = 20.0
"""Two peaks replace one where -2 ln L falls by at least this: by chance once in 20,000 peaks."""

BEYOND_TAIL = 10.0
"""And by this much more than with a tail, which has as many parameters."""

LEAST_PART = 0.03
"""Share of the larger peak below which the smaller one may be a misfit of the shape."""

TAILED = Knowledge(Prior(1.0, 0.5), Prior(0.02, 0.3), Prior(1.8, 0.8), Prior(5e-4, 2e-3))


def one_or_two(counts: Floats, variance: Floats, single: RegionFit) -> RegionFit:
    """The fit of one peak, or that of two of a common width where it is clearly the better one, and a tail no good.

    Args:
        counts: of the fit's bins.
        variance: of the counts.
        single: the fit of one peak of any width.
    """
    if not single.valid or _is_good(single):
        return single
    tailed = fit_region(counts, variance, single.model, single.positions, TAILED)
    if _is_good(tailed):
        return single
    double = _better_double(counts, variance, single)
    areas = double.areas
    distance = abs(float(double.positions[1] - double.positions[0])) / _fwhm(double)
    is_double = (
        double.valid
        and "width" not in double.narrow
        and single.cost - double.cost >= GAIN
        and areas.min() > LEAST_PART * areas.max()
        and 0.3 < distance < 3
    )
    return double if is_double and tailed.cost - double.cost >= BEYOND_TAIL else single


def _better_double(counts: Floats, variance: Floats, single: RegionFit) -> RegionFit:
    """The better one of the fits of two peaks from both starts.

    The second one ends as soon as it is better than the first with a negative area, as below an edge, where the way to
    its minimum would be long: it is no doublet then, and nor is the first, which is not as good.
    """
    first, second = _starts(counts, single)
    one = _two(counts, variance, single, *first)
    other = _two(
        counts, variance, single, *second, until=lambda values, cost: cost < one.cost and float(values[:2].min()) < 0
    )
    return min(one, other, key=lambda fit: fit.cost)


def _is_good(fit: RegionFit) -> bool:
    return fit.chi2 <= fit.ndf + 1.5 * math.sqrt(2 * fit.ndf)


def _fwhm(fit: RegionFit) -> float:
    return float(fit.model.sigmas[0]) * fit.shape()[0] * math.sqrt(8 * math.log(2))


def _starts(counts: Floats, single: RegionFit) -> list[tuple[list[float], float]]:
    """Where two peaks may be, and how wide they are in units of the one: on both sides of it, or next to it."""
    fwhm, place = _fwhm(single), float(single.positions[0])
    residual = np.convolve(counts - single.model.expected(single.parameters), np.full(3, 1 / 3), "same")
    other = float(single.model.first + int(np.argmax(residual[1:-1])) + 1)
    pair = [place, other + (0.01 if other == place else 0.0)]
    return [([place - 0.35 * fwhm, place + 0.35 * fwhm], 0.65), (sorted(pair), 0.85)]


def _two(
    counts: Floats,
    variance: Floats,
    single: RegionFit,
    positions: list[float],
    factor: float,
    until: Condition | None = None,
) -> RegionFit:
    sigma = factor * single.shape()[0] * float(single.model.sigmas[0])
    model = Model(single.model.first, single.model.bins, np.array([sigma, sigma]), single.model.degree)
    return fit_region(counts, variance, model, np.array(positions), Knowledge(Prior(1.0, 0.5)), until)
