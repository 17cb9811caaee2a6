"""The fit of a whole spectrum: regions, the detector's own line shape, and peaks that only a fit resolves."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats, Mask
from gammapolars.peaks.likelihood import CLOSEST, Knowledge, Prior, RegionFit
from gammapolars.peaks.line_pairs import LEAST_GAIN, line_pair
from gammapolars.peaks.line_shape import OWN, REACH, SHAPELY, line_shape, own_shapes
from gammapolars.peaks.model import SHAPE
from gammapolars.peaks.regions import MOST_PEAKS, Data, Region, regions
from gammapolars.peaks.resolution import GIVEN_WIDTH_UNC
from gammapolars.peaks.results import misfit
from gammapolars.peaks.significance import significance_of
from gammapolars.peaks.widths import Widths, is_sharp

BENT, BENT_SHARP = 10.0, 20.0
"""A parabola takes the place of a straight background where -2 ln L falls by at least this: below the broad peaks of a
scintillator, and below those of a semiconductor, where a bend is more often another line.
"""

WIDE, NO_DOUBLET = 30.0, 10.0
"""An isolated peak has its own width where -2 ln L falls by at least this, and where it is lower by at least this than
that of several lines.
"""

KNOWN_BROAD = 20.0
"""At 511 keV several lines take the place of a wide one where -2 ln L falls by at least this."""

LEAST_BROAD = 1.08
"""A width of its own is larger than the others' by this factor at least."""

NEAR_ANNIHILATION, BROAD = 1.6, 1.6
"""How far annihilation radiation reaches that is taken for several lines, in units of their FWHM; and how much wider
than other peaks it is.
"""

LEAST_SURE, LEAST_SURE_OF_WEAK = 2.0, 1.5
"""The area of a peak that is added is this many times its own uncertainty, which of two halves of a line it is not.
Less will do next to weak peaks, whose counts are too few to show a wrong shape.
"""

FAR_REACHING = 100_000.0
"""Counts from which a peak's region reaches farther."""

CLOSEST_BROAD = 1.0
"""Peaks of a scintillator closer than this part of their FWHM are not resolved, on a bent background."""

WIDTH_SHOWS, LOOSE_UNC, LOOSE = 5_000.0, 0.06, 8.0
"""Counts from which a peak shows its width to 1 %; and how far that may be from what is known, where -2 ln L
falls by at least this.
"""

LENIENT = 2.0
"""A peak is added where -2 ln L falls by the square of the least significance less this: by 14, for its two parameters,
at one place in a thousand by chance; a peak that is not significant itself is dropped again.
"""

CLOSE, CLOSE_GAIN = 0.8, 8.0
"""A peak nearer to another one than so many FWHM is no maximum of its own: -2 ln L must fall by so much more. In
many spectra with many single lines, a few would otherwise be split by chance.
"""

MANY_DOUBLETS = 0.1
"""Where this part of a spectrum's peaks are split all the same, close lines are the rule, and need to gain no more than
others.
"""

MOST_TRIALS = 2
"""Peaks of a region that two lines are tried in place of, those where linear fits gain most."""

MOST_ADDED = 4
"""Peaks that may be added to a region after its first fit."""

LEAST_PART = 0.004
"""A peak within a few widths of a larger one has at least this part of its area: less may be the larger one's shape."""


@dataclass(frozen=True)
class Settings:
    """How a spectrum is fitted: whether peaks are added and dropped where the fit asks for it, how well the widths are
    known, and by how much more -2 ln L must fall where a peak is split.
    """

    least_significance: float = 4.0
    refine: bool = True
    width_unc: float = GIVEN_WIDTH_UNC
    close_gain: float = CLOSE_GAIN


def fit_spectrum(data: Data, positions: Floats, settings: Settings) -> list[RegionFit]:
    """Fit all peaks of a spectrum, region by region.

    The clearest isolated peaks are fitted first, with a free shape; their tail and step hold for all others.
    Positions are in bins.
    """
    all_regions = regions(positions, data.widths, len(data.counts))
    knowledge = line_shape(data, all_regions, settings.width_unc)
    if not settings.refine:
        return [_best_fit(data, region, knowledge) for region in all_regions]

    fits = [_refine(data, region, knowledge, settings) for region in all_regions]
    split = sum(_close_pairs(fit, data.widths) for _, fit in fits)
    if split > MANY_DOUBLETS * sum(len(fit.areas) for _, fit in fits):
        settings = replace(settings, close_gain=0.0)
        fits = [_refine(data, region, knowledge, settings) for region in all_regions]
    return _apart(fits, data.widths, lambda region: _refine(data, region, knowledge, settings))


def _apart(
    fits: list[tuple[Region, RegionFit]], widths: Widths, refined: Callable[[Region], tuple[Region, RegionFit]]
) -> list[RegionFit]:
    """The fits of regions none of whose peaks lies in another's bins: those that do meet are fitted again as one.

    Else a peak that one region's fit adds, or shifts, into the flank of another's would be counted by both.
    """
    result: list[tuple[Region, RegionFit]] = []
    for following in sorted(fits, key=lambda of: of[0].low):
        result.append(following)
        while len(result) > 1 and _meet(result[-2][1], result[-1][1]):
            joined = result[-2][0].joined(result[-1][0], widths)
            result[-2:] = [refined(joined)]
    return [fit for _, fit in result]


def _meet(before: RegionFit, after: RegionFit) -> bool:
    """True where a peak of one of two neighbours is seen in the bins of the other."""
    if len(before.areas) == 0 or len(after.areas) == 0:
        return False
    right, left = (before.positions + _reach(before)).max(), (after.positions - _reach(after)).min()
    return bool(right > after.model.first or left < before.model.first + before.model.bins - 1)


def _reach(fit: RegionFit) -> Floats:
    """How far from its position each peak is higher than the scatter of the background; half of a FWHM at least."""
    sigmas = fit.model.widths(fit.model.shape(fit.parameters))
    scatter = math.sqrt(max(float(fit.model.background(fit.parameters).min()), 1.0))
    heights = np.maximum(fit.areas, 1.0) / (math.sqrt(2 * math.pi) * sigmas)
    return np.asarray(sigmas * np.sqrt(2 * np.log(np.maximum(heights / scatter, 2.0))), np.float64)


def _best_fit(data: Data, region: Region, knowledge: Knowledge) -> RegionFit:
    """The fit of one region; where it is poor, on a bent background or, of an isolated peak, with any width.

    Strong peaks may have a shape of their own, since their counts show every difference.
    """
    straight = data.fit(region, knowledge)
    is_strong = straight.areas.max(initial=0.0) > SHAPELY
    is_odd = _is_poor(straight) or _too_wide(straight, knowledge)
    if not is_odd and not is_strong:
        return straight
    if straight.valid:
        region = region._replace(positions=straight.positions)
    freedoms = [(knowledge, 0.0)]
    if is_odd and straight.areas.max(initial=0.0) > WIDTH_SHOWS:
        freedoms.append((knowledge._replace(width=Prior(knowledge.width.value, LOOSE_UNC)), LOOSE))
    if is_strong:
        freedoms += own_shapes(knowledge)
    fits = [straight, *(data.fit(region, shape, 1, price) for shape, price in freedoms[1:])]
    if is_odd and region.high - region.low >= 3 * len(region.positions) + 8:
        bent = BENT_SHARP if _is_sharp(data, region) else BENT
        likely = min(range(len(fits)), key=lambda number: fits[number].total)
        fits += [data.fit(region, freedoms[k][0], 2, freedoms[k][1] + bent) for k in {0, likely}]
    sound = [fit for fit in fits if fit.valid and not (fit.price >= OWN and set(fit.narrow) & set(SHAPE))]
    return min(sound, key=lambda fit: fit.total, default=straight)


def _is_sharp(data: Data, region: Region) -> bool:
    middle = 0.5 * (region.low + region.high)
    return is_sharp(middle, float(data.widths.at(middle)))


def _is_poor(fit: RegionFit) -> bool:
    return fit.chi2 > fit.ndf + 1.5 * math.sqrt(2 * fit.ndf)


def _refine(data: Data, region: Region, knowledge: Knowledge, settings: Settings) -> tuple[Region, RegionFit]:
    """A region, and its fit, with as many peaks as are significant, and one with its own width where that is better."""
    if region.broad is not None:
        return _with_peaks(data, region, knowledge, settings)
    if _near_annihilation(data, region.positions).any():
        return _annihilation(data, region.grown(BROAD), knowledge, settings)
    result = _with_peaks(data, region, knowledge, settings)
    fit = result[1]
    is_single = len(fit.positions) == 1 and (_is_poor(fit) or _too_wide(fit, knowledge))
    spread = float(np.ptp(fit.positions)) if len(fit.positions) else 0.0
    if not is_single and not 0 < spread < 2 * float(data.widths.at(fit.positions[0])):
        return result
    wide = _with_broad(result[0], fit, np.ones(len(fit.positions), bool))
    trial = _best_fit(data, wide, knowledge)
    if (
        not trial.valid
        or trial.parameters[-1] < LEAST_BROAD
        or trial.total + (WIDE if is_single else NO_DOUBLET) > fit.total
    ):
        return result
    # The bins were chosen for narrower peaks.
    return _with_peaks(data, wide.grown(float(trial.parameters[-1])), knowledge, settings)


def _annihilation(data: Data, region: Region, knowledge: Knowledge, settings: Settings) -> tuple[Region, RegionFit]:
    """A region around 511 keV with one wide peak there, unless several narrow ones are clearly better."""
    narrow = _with_peaks(data, region, knowledge, settings)
    members = _near_annihilation(data, narrow[0].positions)
    if not members.any():
        return narrow
    wide = _with_peaks(data, _with_broad(*narrow, members), knowledge, settings)
    is_wide = wide[0].broad is not None and wide[1].valid and wide[1].parameters[-1] > LEAST_BROAD
    return wide if is_wide and wide[1].total < narrow[1].total + KNOWN_BROAD else narrow


def _near_annihilation(data: Data, positions: Floats) -> Mask:
    """Which peaks may be annihilation radiation, or one half of it."""
    fwhm = 0.0 if data.annihilation is None else float(data.widths.at(data.annihilation))
    if data.annihilation is None or not is_sharp(data.annihilation, fwhm):
        return np.zeros(len(positions), bool)
    reach = NEAR_ANNIHILATION * fwhm
    return np.asarray(np.abs(positions - data.annihilation) < reach, np.bool_)


def _with_broad(region: Region, fit: RegionFit, members: Mask) -> Region:
    """The region with one peak of a width of its own in place of some."""
    order = np.argsort(fit.positions)
    at, areas = fit.positions[order], np.maximum(fit.areas[order], 1.0)
    middle = float(np.average(at[members], weights=areas[members]))
    return region._replace(positions=np.sort(np.append(at[~members], middle)), broad=middle)


def _with_peaks(data: Data, region: Region, knowledge: Knowledge, settings: Settings) -> tuple[Region, RegionFit]:
    """A region, and its fit, to which peaks are added, and from which they are dropped, until no excess is left."""
    fit = _best_fit(data, region, knowledge)
    if fit.areas.max(initial=0.0) > FAR_REACHING and len(region.positions) < MOST_PEAKS and region.broad is None:
        # Tails and step are distinguished from the background farther off than where the peak itself ends.
        region = region.grown(REACH)
        fit = _best_fit(data, region, knowledge)
    for _ in range(MOST_ADDED):
        better = _with_one_more(data, region, fit, knowledge, settings)
        if better is None:
            break
        region, fit = better
    while len(region.positions) > 0:
        significance = significance_of(fit)
        is_crowded = np.array([f"position_{number}" in fit.narrow for number in range(len(significance))])
        suspects = is_crowded if is_crowded.any() and len(significance) > 1 else ~is_crowded
        weakest = int(np.argmin(np.where(suspects, significance, np.inf)))
        if not is_crowded.sum() > 1 and significance[weakest] >= settings.least_significance:
            break
        left = np.delete(region.positions, weakest)
        region = region._replace(positions=left, broad=None if weakest == fit.model.broad else region.broad)
        fit = _best_fit(data, region, knowledge)
    return region._replace(positions=np.sort(fit.positions)), fit


def _with_one_more(
    data: Data, region: Region, fit: RegionFit, knowledge: Knowledge, settings: Settings
) -> tuple[Region, RegionFit] | None:
    """The region with one more peak, where the counts exceed the fit most; None where they do not."""
    at, least = fit.positions, settings.least_significance
    trials = []
    place = _residual_peak(data, region, fit, least)
    if place is not None:
        trials.append(np.sort(np.append(at, place)))
    least_gain = -math.inf if _is_poor(fit) or _too_wide(fit, knowledge) else LEAST_GAIN
    pairs = [line_pair(data, fit, number, knowledge, least_gain) for number in range(len(at))]
    likely = sorted((pair for pair in pairs if pair), key=lambda pair: -pair.gain)
    trials += [pair.positions for pair in likely[:MOST_TRIALS]]
    best = None
    for positions in trials:
        wider = region._replace(positions=positions)
        trial = _best_fit(data, wider, knowledge)
        # Where counts differ from every shape by more than they scatter, so may any gain by another peak.
        gain = (fit.total - trial.total) / misfit(trial) ** 2
        is_split = _close_pairs(trial, data.widths) > _close_pairs(fit, data.widths)
        needed = least**2 - LENIENT + (settings.close_gain if is_split else 0.0)
        if not trial.valid or gain < needed or not _distinct(trial, data.widths):
            continue
        if best is None or trial.total < best[1].total:
            best = (wider._replace(positions=np.sort(trial.positions)), trial)
    return best


def _residual_peak(data: Data, region: Region, fit: RegionFit, least: float) -> float | None:
    """Where the counts exceed the fit most, if they do at all."""
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
    """True where the fit stretches the peaks' width against its prior."""
    unc = knowledge.width.unc
    return bool(unc) and fit.shape()[0] > 1 + 2 * (unc or 0.0)


def _close_pairs(fit: RegionFit, widths: Widths) -> int:
    """How many peaks follow another one at less than `CLOSE` FWHM."""
    at = np.sort(fit.positions)
    return int((np.diff(at) < CLOSE * widths.at(at[1:])).sum())


def _distinct(fit: RegionFit, widths: Widths) -> bool:
    """True where all peaks are apart from each other, and no small one sits on the shape of a large one."""
    areas, at = fit.areas, fit.positions
    uncs = np.sqrt(np.diag(fit.covariance)[: 2 * len(areas)])
    sure = LEAST_SURE if areas.max() > WIDTH_SHOWS else LEAST_SURE_OF_WEAK
    if (areas < sure * uncs[: len(areas)]).any() or (uncs == 0).any():
        return False
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
