"""How wide a spectrum's peaks are: measured at its clearest peaks, where nothing tells it."""

import math

import numpy as np

from gammapolars.peaks.likelihood import Knowledge, Known, fit_region
from gammapolars.peaks.model import Model
from gammapolars.peaks.search import candidates
from gammapolars.peaks.shape import FWHM_PER_SIGMA, Floats
from gammapolars.peaks.widths import Width, WidthModel, width_model

CLEAR = 6.0
MOST_MEASURED = 40
LEAST_LIKENESS = 0.8
"""Share of what a slope cannot describe that a peak has to: a Compton edge fails here."""


def measured_widths(counts: Floats, variance: Floats) -> WidthModel | None:
    """The width model of a spectrum, from its clearest peaks; None where it has none.

    Args:
        counts: per bin.
        variance: of the counts.
    """
    found: list[Width] = []
    for place, fwhm, _ in candidates(counts, variance, CLEAR)[:MOST_MEASURED]:
        width = _measured(counts, variance, place, fwhm)
        if width is not None and all(abs(width.position - other.position) > 0.3 * width.fwhm for other in found):
            found.append(width)
    return width_model(found)


def _measured(counts: Floats, variance: Floats, place: int, fwhm: float) -> Width | None:
    """The width of one peak; None where there is no peak, or something of another shape."""
    position, width = _half_maximum(counts, place, fwhm)
    for _ in range(2):
        reach = max(5, math.ceil(2.2 * width))
        low, high = max(0, round(position) - reach), min(len(counts), round(position) + reach + 1)
        if high - low < 9:
            return None
        part = slice(low, high)
        model = Model(low, high - low, np.array([width / FWHM_PER_SIGMA]))
        fit = fit_region(counts[part], variance[part], model, np.array([position]), Knowledge(Known(1.0, 0.5)))
        if not fit.valid or (fit.narrow and fit.narrow != ("background_0",) and "width" in fit.narrow):
            return None
        position, before, width = float(fit.parameters[1]), width, width * float(fit.parameters[2])
        if abs(width / before - 1) < 0.2:
            break
    area, area_unc = float(fit.parameters[0]), math.sqrt(fit.covariance[0, 0])
    width_unc = before * math.sqrt(fit.covariance[2, 2])
    if area < CLEAR * area_unc or width_unc > 0.3 * width:
        return None
    flat = fit_region(
        counts[part], variance[part], Model(low, high - low, np.empty(0)), np.empty(0), Knowledge(Known(1.0))
    )
    unexplained, structure = max(fit.chi2 - fit.ndf, 0.0), flat.chi2 - flat.ndf
    if structure <= 0 or 1 - unexplained / structure < LEAST_LIKENESS:
        return None
    return Width(position, width, width_unc, area / area_unc)


def _half_maximum(counts: Floats, place: int, fwhm: float) -> tuple[float, float]:
    """A first guess: the middle and width at half of the height above what lies beside.

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
