"""How wide a spectrum's peaks are: measured at its clearest peaks where it is not given."""

import math
from typing import NamedTuple

import numpy as np

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats
from gammapolars.peaks.doublets import one_or_two
from gammapolars.peaks.likelihood import Knowledge, Prior, fit_region
from gammapolars.peaks.model import Model
from gammapolars.peaks.regions import Data, regions
from gammapolars.peaks.search import candidates
from gammapolars.peaks.widths import Width, WidthModel, Widths, is_decided, is_sharp, scatter_about, width_model

CLEAR = 6.0
MOST_MEASURED = 40
ENOUGH_WIDTHS = 6
LEAST_WIDTH_UNC, WIDTH_UNC, WIDTH_UNC_OF_FEW = 0.01, 0.03, 0.08
"""Relative uncertainty of a single peak's width by a width model: one of many peaks, at least and at most, as they
scatter about it, and one of few.
"""

GIVEN_WIDTH_UNC = 0.01
"""The same, where the widths are given: how peaks of a good detector scatter."""

ENOUGH_BINS = 10.0
"""Bins per FWHM that are enough for a fit; where there are many more, neighbours are joined."""

LEAST_LIKENESS = 0.8
"""Share of the part that a slope cannot describe which a peak has to: a Compton edge fails here."""


class RefinedWidths(NamedTuple):
    """The widths of a spectrum's peaks, the relative uncertainty that they have for a single one, larger where they
    rest on few peaks, and whether the peaks agree on them rather than on others.
    """

    widths: Widths
    unc: float
    decided: bool


def measured_widths(counts: Floats, variance: Floats) -> WidthModel | None:
    """The width model of a spectrum, from its clearest peaks; None where it has none."""
    measurements: list[Width] = []
    for place, fwhm, _ in candidates(counts, variance, CLEAR)[:MOST_MEASURED]:
        width = _measure(counts, variance, place, fwhm)
        if width is not None and all(abs(width.position - other.position) > 0.3 * width.fwhm for other in measurements):
            measurements.append(width)
    return width_model(measurements)


def refined_widths(data: Data, positions: Floats) -> RefinedWidths:
    """The width model once more, from peaks that are fitted together where they overlap; positions are in bins.

    Peaks of a scintillator sit on each other's flanks, and are measured too narrow one by one.
    """
    for _ in range(2):  # the bins that are fitted follow the widths
        measurements = _joint_widths(data, positions)
        model = width_model(measurements)
        data = data._replace(widths=model or data.widths)
    if model is None:
        return RefinedWidths(data.widths, WIDTH_UNC_OF_FEW, decided=True)
    scatter = scatter_about(measurements, model)
    unc = WIDTH_UNC if scatter is None else min(max(scatter, LEAST_WIDTH_UNC), WIDTH_UNC)
    unc = unc if len(measurements) >= ENOUGH_WIDTHS else WIDTH_UNC_OF_FEW
    return RefinedWidths(data.widths, unc, is_decided(measurements, model))


def _joint_widths(data: Data, positions: Floats) -> list[Width]:
    """The widths of clear peaks, each region's fitted together; where one peak does not describe it, two."""
    measurements: list[Width] = []
    clearest = regions(positions, data.widths, len(data.counts))
    clearest.sort(key=lambda region: -data.counts[region.low : region.high].sum())
    for region in clearest[:MOST_MEASURED]:
        part = slice(region.low, region.high)
        fit = data.fit(region, Knowledge(Prior(1.0, 0.3)))
        if len(region.positions) == 1 and is_sharp(float(fit.positions[0]), float(data.widths.at(fit.positions[0]))):
            fit = one_or_two(data.counts[part], data.variance[part], fit)
        if not fit.valid or "width" in fit.narrow:
            continue
        unc = np.sqrt(np.diag(fit.covariance))
        factor, factor_unc = fit.shape()[0], float(unc[2 * len(fit.areas)])
        fwhms = fit.model.sigmas * FWHM_PER_SIGMA
        for at, fwhm, area, area_unc in np.array([fit.positions, fwhms, fit.areas, unc[: len(fwhms)]]).T.tolist():
            if area > CLEAR * area_unc > 0:
                measurements.append(
                    Width(
                        at,
                        fwhm * factor,
                        fwhm * factor_unc,
                        area / area_unc,
                        resolved=len(fwhms) > len(region.positions),
                    )
                )
    return measurements


def _measure(counts: Floats, variance: Floats, place: int, fwhm: float) -> Width | None:
    """The width of one peak; None where there is no peak, or something of another shape."""
    position, width = _half_maximum(counts, place, fwhm)
    for _ in range(2):
        reach = max(5, math.ceil(2.2 * width))
        low, high = max(0, round(position) - reach), min(len(counts), round(position) + reach + 1)
        if high - low < 9:
            return None
        factor = max(1, int(width / ENOUGH_BINS))
        high -= (high - low) % factor
        coarse, coarse_variance = (values[low:high].reshape(-1, factor).sum(1) for values in (counts, variance))
        # The joined bins are numbered from 0; the middle of the first is half a joined bin from the first edge.
        at = (position - low + 0.5) / factor - 0.5
        model = Model(0, len(coarse), np.array([width / FWHM_PER_SIGMA / factor]))
        fit = fit_region(coarse, coarse_variance, model, np.array([at]), Knowledge(Prior(1.0, 0.5)))
        if not fit.valid or (fit.narrow and fit.narrow != ("background_0",) and "width" in fit.narrow):
            return None
        position = (float(fit.positions[0]) + 0.5) * factor + low - 0.5
        if abs(fit.shape()[0] - 1) < 0.2:
            break
        width *= fit.shape()[0]
    if is_sharp(position, width):
        fit = one_or_two(coarse, coarse_variance, fit)
    largest = int(np.argmax(fit.areas))
    area, area_unc = float(fit.areas[largest]), math.sqrt(fit.covariance[largest, largest])
    unit = float(fit.model.sigmas[0]) * FWHM_PER_SIGMA * factor
    place_of_width = 2 * len(fit.areas)
    width, width_unc = unit * fit.shape()[0], unit * math.sqrt(fit.covariance[place_of_width, place_of_width])
    if area < CLEAR * area_unc or width_unc > 0.3 * width:
        return None
    flat = fit_region(coarse, coarse_variance, Model(0, len(coarse), np.empty(0)), np.empty(0), Knowledge(Prior(1.0)))
    excess, structure = max(fit.chi2 - fit.ndf, 0.0), flat.chi2 - flat.ndf
    if structure <= 0 or 1 - excess / structure < LEAST_LIKENESS:
        return None
    return Width(position, width, width_unc, area / area_unc, resolved=len(fit.areas) > 1)


def _half_maximum(counts: Floats, place: int, fwhm: float) -> tuple[float, float]:
    """A first guess: the middle and width at half of the height above the background.

    A filter answers strong peaks most when it is wider than they are, so that its width is no more than a beginning.
    """
    reach = math.ceil(1.7 * fwhm)
    low, high = max(0, place - reach), min(len(counts), place + reach + 1)
    mean_of = max(1, int(fwhm / 6) // 2 * 2 + 1)
    smooth = np.convolve(counts[low:high], np.full(mean_of, 1 / mean_of), "same")
    near = slice(max(0, place - low - math.ceil(0.6 * fwhm)), place - low + math.ceil(0.6 * fwhm) + 1)
    top = near.start + int(np.argmax(smooth[near]))
    ends = max(1, reach // 5)
    level = 0.5 * float(smooth[:ends].mean() + smooth[-ends:].mean())
    half = level + 0.5 * (float(smooth[top]) - level)
    left, right = top, top
    while left > 0 and smooth[left] > half:
        left -= 1
    while right < len(smooth) - 1 and smooth[right] > half:
        right += 1
    width = min(max(float(right - left) - 1.0, 1.5), 1.5 * fwhm)
    return float(low + top), width
