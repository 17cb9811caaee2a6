"""The fit of a whole spectrum: regions, the detector's own line shape, and peaks that only a fit resolves."""

import math
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import numpy as np

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import Knowledge, Prior, RegionFit
from gammapolars.peaks.model import SHAPE
from gammapolars.peaks.regions import Data, Region, is_sharp, regions
from gammapolars.peaks.resolution import WIDTH_UNC
from gammapolars.peaks.significance import significance_of
from gammapolars.peaks.widths import Widths

BENT = 10.0
"""A parabola takes the place of a straight background where -2 ln L falls by at least this."""

WIDE = 30.0
"""A lone peak has a width of its own where -2 ln L falls by at least this, as for annihilation radiation."""

OWN = 20.0
"""A strong peak has a tail and step of its own where -2 ln L falls by at least this."""

SHAPELY = 20_000.0
"""Counts from which a peak's own shape can be distinguished from the shape common to several peaks."""

FREE = Knowledge(Prior(1.0, 0.2), Prior(0.02, 0.3), Prior(1.8, 0.8), Prior(5e-4, 2e-3))
"""A shape of which nothing is known but what detectors do."""

SHAPES_DIFFER = np.array([0.003, 0.3, 5e-5])
"""How much tail, slope and step differ from peak to peak of one detector, besides their uncertainties."""

MOST_SHAPES = 10

CLOSEST, CLOSEST_BROAD = 0.35, 0.8
"""Peaks closer than this part of their FWHM are not resolved; the second of a scintillator, on a bent background."""

MOST_ADDED = 4
"""Peaks that may be added to a region after its first fit."""

LEAST_PART = 0.004
"""A peak within a few widths of a larger one has at least this part of its area: less may be the larger one's shape."""


@dataclass(frozen=True)
class Settings:
    """How a spectrum is fitted: whether peaks are added and dropped where the fit asks for it, and how well widths are
    known.
    """

    least_significance: float = 4.0
    refine: bool = True
    width_unc: float = WIDTH_UNC


def fit_spectrum(data: Data, positions: Floats, settings: Settings) -> list[RegionFit]:
    """Fit all peaks of a spectrum, region by region.

    The clearest lone peaks are fitted first, with a free shape; the tail and step that they give hold for all others.
    Positions are in bins.
    """
    all_regions = regions(positions, data.widths, len(data.counts))
    knowledge = line_shape(data, all_regions, settings.width_unc)
    fit = partial(_refine, settings=settings) if settings.refine else _best_fit
    return [fit(data, region, knowledge) for region in all_regions]


def line_shape(data: Data, all_regions: list[Region], width_unc: float = WIDTH_UNC) -> Knowledge:
    """The detector's tail and step, from the clearest lone peaks: their weighted means, and how they scatter."""
    lone = [region for region in all_regions if len(region.positions) == 1]
    lone.sort(key=lambda region: float(data.counts[region.low : region.high].sum()), reverse=True)
    shapes = []
    for region in lone[:MOST_SHAPES]:
        fit = data.fit(region, FREE)
        area, area_unc = float(fit.areas[0]), math.sqrt(max(fit.covariance[0, 0], 0.0))
        if fit.valid and not fit.narrow and fit.chi2 < 4 * fit.ndf and area > 5_000 and area > 40 * area_unc:
            variances = np.diag(fit.covariance)[3:6] + SHAPES_DIFFER**2
            shapes.append((fit.parameters[3:6], 1 / variances))
    if not shapes:
        return Knowledge(Prior(1.0, width_unc), tail=Prior(0.0, 0.02), step=Prior(0.0, 5e-4))
    values, weights = (np.array(part) for part in zip(*shapes, strict=True))
    tail, slope, step = ((values * weights).sum(0) / weights.sum(0)).tolist()
    tail_unc, _, step_unc = np.sqrt(1 / weights.sum(0) + SHAPES_DIFFER**2).tolist()
    # What is not significantly there is left out: its noise would be common to all peaks of the spectrum.
    tail, step = (value if value > 2 * unc else 0.0 for value, unc in ((tail, tail_unc), (step, step_unc)))
    return Knowledge(
        Prior(1.0, width_unc),
        Prior(tail, math.hypot(0.3 * tail, tail_unc)),
        Prior(slope),
        Prior(step, math.hypot(0.3 * step, step_unc)),
    )


def _best_fit(data: Data, region: Region, knowledge: Knowledge) -> RegionFit:
    """The fit of one region; where it is poor, on a bent background or, of a lone peak, with any width."""
    straight = data.fit(region, knowledge)
    if not _is_poor(straight) and not _too_wide(straight, knowledge):
        return straight
    peaks = len(region.positions)
    freedoms = [(knowledge, 0.0)]
    if peaks == 1:
        freedoms.append((knowledge._replace(width=Prior(1.0, None)), WIDE))
    if straight.areas.max(initial=0.0) > SHAPELY:
        freedoms.append((FREE._replace(width=knowledge.width), OWN))
    fits = [straight, *(data.fit(region, shape, 1, price) for shape, price in freedoms[1:])]
    if region.high - region.low >= 3 * peaks + 8:
        fits += [data.fit(region, shape, 2, price + BENT) for shape, price in freedoms]
    sound = [fit for fit in fits if fit.valid and not (fit.price >= OWN and set(fit.narrow) & set(SHAPE))]
    return min(sound, key=lambda fit: fit.total, default=straight)


def _is_poor(fit: RegionFit) -> bool:
    return fit.chi2 > fit.ndf + 1.5 * math.sqrt(2 * fit.ndf)


def _refine(data: Data, region: Region, knowledge: Knowledge, settings: Settings) -> RegionFit:
    """The fit of a region to which peaks are added, and from which they are dropped, until nothing stands out."""
    fit = _best_fit(data, region, knowledge)
    if fit.price >= WIDE:
        # The bins were chosen for a narrower peak.
        region = region.grown(fit.shape()[0])
        fit = _best_fit(data, region, knowledge)
    for _ in range(MOST_ADDED):
        better = _with_one_more(data, region, fit, knowledge, settings.least_significance)
        if better is None:
            break
        region, fit = better
    while len(region.positions) > 0:
        significance = significance_of(fit)
        weakest = int(np.argmin(significance))
        if significance[weakest] >= settings.least_significance:
            break
        region = region._replace(positions=np.delete(region.positions, weakest))
        fit = _best_fit(data, region, knowledge)
    return fit


def _with_one_more(
    data: Data, region: Region, fit: RegionFit, knowledge: Knowledge, least: float
) -> tuple[Region, RegionFit] | None:
    """The region with one more peak, where the counts stand out of the fit most; None where they do not."""
    at = fit.positions
    trials = []
    place = _residual_peak(data, region, fit, least)
    if place is not None:
        trials.append(np.sort(np.append(at, place)))
    if _is_poor(fit) or _too_wide(fit, knowledge):
        # Two lines closer than their width look like one that is wider.
        for number in range(len(at)):
            half = 0.3 * float(data.widths.at(at[number]))
            doublet = [at[number] - half, at[number] + half]
            trials.append(np.sort(np.concatenate([np.delete(at, number), doublet])))
    best = None
    for positions in trials:
        wider = region._replace(positions=positions)
        trial = _best_fit(data, wider, knowledge)
        gain = fit.total - trial.total
        if not trial.valid or gain < least**2 + 2 or not _distinct(trial, data.widths):
            continue
        if best is None or trial.total < best[1].total:
            best = (wider._replace(positions=np.sort(trial.positions)), trial)
    return best


def _residual_peak(data: Data, region: Region, fit: RegionFit, least: float) -> float | None:
    """Where the counts stand out of the fit most, if they do at all."""
    expected = np.maximum(fit.model.expected(fit.parameters), 0.1)
    residual = data.counts[region.low : region.high] - expected
    sigma = float(data.widths.at(0.5 * (region.low + region.high))) / FWHM_PER_SIGMA
    offsets = np.arange(-math.ceil(2.5 * sigma), math.ceil(2.5 * sigma) + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    if len(residual) <= len(kernel):
        return None
    significance = np.convolve(residual, kernel, "same") / np.sqrt(np.convolve(expected, kernel**2, "same"))
    edge = max(1, round(sigma))
    inner = significance[edge:-edge]
    top = int(np.argmax(inner))
    return float(region.low + edge + top) if inner[top] > 0.75 * least else None


def _too_wide(fit: RegionFit, knowledge: Knowledge) -> bool:
    """True where the fit stretches the peaks' width against what is known of it."""
    unc = knowledge.width.unc
    return bool(unc) and fit.shape()[0] > 1 + 2 * (unc or 0.0)


def _distinct(fit: RegionFit, widths: Widths) -> bool:
    """True where all peaks are apart from each other, and no small one sits on the shape of a large one."""
    areas, at = fit.areas, fit.positions
    for one, other in permutations(range(len(areas)), 2):
        if areas[one] > areas[other]:
            continue
        distance = abs(float(at[one] - at[other])) / float(widths.at(at[other]))
        closest = CLOSEST if is_sharp(float(at[other]), float(widths.at(at[other]))) else CLOSEST_BROAD
        if distance < closest or (distance < 2.5 and areas[one] < LEAST_PART * areas[other]):
            return False
        if distance < 1.2 and areas[one] < 10 * LEAST_PART * areas[other]:
            return False
    return True
