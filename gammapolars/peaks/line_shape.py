"""The shape that a detector's peaks have in common, learnt from a spectrum's own strong peaks."""

import math
from dataclasses import replace

import numpy as np

from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import Knowledge, Prior, RegionFit
from gammapolars.peaks.line_pairs import line_pair
from gammapolars.peaks.model import FURTHER, SHAPE
from gammapolars.peaks.regions import Data, Region
from gammapolars.peaks.resolution import WIDTH_UNC

OWN = 12.0
"""A strong peak has a shape of its own, or further tails, where -2 ln L falls by at least this."""

SHAPELY = 20_000.0
"""Counts from which a peak's own shape can be distinguished from the shape common to several peaks."""

FREE = Knowledge(Prior(1.0, 0.2), Prior(0.02, 0.3), Prior(1.8, 0.8), Prior(5e-4, 2e-3))
"""The shape where only the general behaviour of detectors is known."""

FURTHER_FREE = FREE._replace(
    upper=Prior(0.004, 0.02), upper_slope=Prior(1.8, 0.7), long=Prior(0.003, 0.02), long_slope=Prior(6.0, 2.0)
)
"""The same with a tail on the high side and a second one on the low side."""

UNKNOWN = Knowledge(Prior(1.0), tail=Prior(0.0, 0.02), step=Prior(0.0, 5e-4))
"""The common shape assumed where no isolated peak has shown it."""

SHAPES_DIFFER = np.array([0.003, 0.3, 5e-5, 0.001, 0.3, 0.001, 1.0])
"""How much tail, slope, step and the further tails differ from peak to peak of one detector, besides their
uncertainties.
"""

LEARNT = (*SHAPE[1:], *FURTHER[:4])

MOST_SHAPES = 10

ENOUGH_WIDTHS, WIDTHS_AGREE, MOST_AGREE = 4, 0.012, 0.7
"""Lone peaks from which their widths correct the expected ones, where this part of them agrees within so much."""

REACH = 1.7
"""How much farther the regions of strong peaks reach, whose tails are separated from the background there."""


def line_shape(data: Data, all_regions: list[Region], width_unc: float = WIDTH_UNC) -> Knowledge:
    """The detector's tails and step, from the clearest isolated peaks: their weighted means, and how they scatter."""
    lone = [region for region in all_regions if len(region.positions) == 1]
    lone.sort(key=lambda region: float(data.counts[region.low : region.high].sum()), reverse=True)
    plain, further = [], []
    for region in lone[:MOST_SHAPES]:
        fit = data.fit(region, FREE)
        area, area_unc = float(fit.areas[0]), math.sqrt(max(fit.covariance[0, 0], 0.0))
        if not fit.valid or "width" in fit.narrow or area < 5_000 or area < 40 * area_unc:
            continue
        wider, fits = region, [fit]
        if area > SHAPELY:
            wider = region.grown(REACH)
            fits = [data.fit(wider, FREE), data.fit(wider, FURTHER_FREE)]
        if _is_double(data, wider, min(fits, key=lambda one: one.cost)):
            continue
        plain.append(fits[0])
        further.append(fits[-1])
    gain = sum(one.cost - other.cost for one, other in zip(plain, further, strict=True))
    chosen = further if gain > 2 * OWN + 4 * len(further) else plain
    learnt = _common([fit for fit in chosen if fit.valid and fit.chi2 < 4 * fit.ndf])
    return learnt._replace(width=Prior(_width_factor([fit for fit in plain if fit.valid]), width_unc))


def _width_factor(fits: list[RegionFit]) -> float:
    """By how much peaks are wider than expected where most isolated ones agree that they are, else 1."""
    if len(fits) < ENOUGH_WIDTHS:
        return 1.0
    factors = np.array([fit.shape()[0] for fit in fits])
    middle = float(np.median(factors))
    agree = np.abs(factors - middle) < WIDTHS_AGREE
    return middle if agree.mean() > MOST_AGREE and abs(middle - 1) > WIDTHS_AGREE else 1.0


def _is_double(data: Data, region: Region, fit: RegionFit) -> bool:
    """True where two lines of the plainest shape describe a peak better than one line of any shape."""
    plain = Knowledge(Prior(1.0, WIDTH_UNC), tail=Prior(0.0, 0.02), step=Prior(0.0, 5e-4))
    pair = line_pair(data, fit, 0, plain, -math.inf)
    return pair is not None and data.fit(region._replace(positions=pair.positions), plain).cost < fit.cost


def own_shapes(knowledge: Knowledge) -> list[tuple[Knowledge, float]]:
    """Shapes that a strong peak may have of its own, each with the price of its freedom."""

    def freed(free: Knowledge) -> Knowledge:
        pairs = zip(free[1:], knowledge[1:], strict=True)
        own = (replace(prior, value=known.value) if prior.unc and known.value > 0 else prior for prior, known in pairs)
        return Knowledge(knowledge.width, *own)

    return [(freed(FREE), OWN), (freed(FURTHER_FREE), 1.5 * OWN)]


def _common(fits: list[RegionFit]) -> Knowledge:
    """The shape expected of any peak after these fits of some."""
    if not fits:
        return UNKNOWN
    values, variances = (np.array(part) for part in zip(*map(_learnt, fits), strict=True))
    weights = 1 / (variances + SHAPES_DIFFER**2)
    mean = (values * weights).sum(0) / weights.sum(0)
    unc = np.sqrt(1 / weights.sum(0) + SHAPES_DIFFER**2)
    # Terms that are not significant are left out: their noise would be common to all peaks of the spectrum.
    tail, step, upper, long = (float(mean[k]) if mean[k] > 2 * unc[k] else 0.0 for k in (0, 2, 3, 5))
    return Knowledge(
        Prior(1.0),
        Prior(tail, math.hypot(0.2 * tail, unc[0])),
        Prior(float(mean[1])),
        Prior(step, math.hypot(0.3 * step, unc[2])),
        Prior(upper),
        Prior(float(mean[4])),
        Prior(long),
        Prior(float(mean[6])),
    )


def _learnt(fit: RegionFit) -> tuple[Floats, Floats]:
    """Values and variances of the common shape from one fit; of further tails, none where it has none."""
    values, variances = np.array([0.0, 1.5, 0.0, 0.0, 1.5, 0.0, 6.0]), np.zeros(len(LEARNT))
    for place, name in enumerate(LEARNT):
        if name in fit.model.names:
            parameter = fit.model.names.index(name)
            values[place], variances[place] = fit.parameters[parameter], fit.covariance[parameter, parameter]
    return values, variances
