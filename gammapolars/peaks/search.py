"""The search for peaks: the significance of a spectrum above its surroundings, by a filter as wide as its peaks."""

import math

import numpy as np
import numpy.typing as npt

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats
from gammapolars.peaks.significance import filter_tail

WIDTH_STEP = 1.15
"""Ratio of neighbouring filters' widths: half a step off costs less than a percent of the significance."""

NARROWEST = 1.4
"""Narrowest filter, FWHM in bins: a peak in a single bin cannot be distinguished from noise of another kind."""

REACH = 1.7
"""How far a filter reaches on each side, in units of its FWHM."""


def significances(counts: Floats, variance: Floats, fwhm: float) -> Floats:
    """By how many standard deviations each bin's surroundings look like a peak of a given width, FWHM in bins.

    The filter is a Gaussian less its mean, blind to a constant and a slope (Mariscotti 1967, Nucl. Instrum. Methods 50,
    309, with a Gaussian in place of its second derivative). Its response is compared with the one expected if the
    counts that it sees had fallen anywhere among its bins: `filter_tail`. Where counts can be negative, it is the
    contrast. It is 0 where the filter would reach beyond the spectrum.
    """
    return Filters(counts, variance).significances(fwhm)


class Filters:
    """The response of a spectrum to filters of any width, from its Fourier transform, which they share."""

    def __init__(self, counts: Floats, variance: Floats) -> None:
        self._counts, self._variance = counts, variance
        # Shorter than both together: what is wrapped around lies where the filter reaches beyond the spectrum.
        self._length = _fast_length(len(counts))
        self._transform = np.fft.rfft(counts, self._length)
        self._sums_of_counts, self._sums_of_variance = (
            np.concatenate([[0.0], np.cumsum(values)]) for values in (counts, variance)
        )
        self._can_be_negative = bool((counts < 0).any())

    def significances(self, fwhm: float) -> Floats:
        """As the function of this name."""
        kernel = _kernel(fwhm)
        if len(self._counts) < len(kernel) or self._can_be_negative:
            return self.contrast(fwhm)
        response = self._response(kernel)
        total, spread = (_sums(sums, len(kernel)) for sums in (self._sums_of_counts, self._sums_of_variance))
        scale = np.divide(total, spread, out=np.ones_like(total), where=spread > 0)
        significance = filter_tail(kernel).significance(response * scale, total * scale)
        return np.asarray(np.pad(significance, len(kernel) // 2), np.float64)

    def contrast(self, fwhm: float) -> Floats:
        """The response of the same filter in units of the standard deviation that it has where there is no peak.

        That is the background's in the filter's wings. For many counts the contrast is the significance. Of several
        filters the one with the most contrast is about as wide as a strong peak, while its significance grows with all
        that a wide filter sees around it.
        """
        kernel = _kernel(fwhm)
        reach = len(kernel) // 2
        if len(self._counts) < len(kernel):
            return np.zeros(len(self._counts))
        core = math.floor(max(0.9 * fwhm, 1.0))
        wings = 2 * (reach - core)
        inner = slice(reach - core, len(self._counts) - reach - core)
        level = _sums(self._sums_of_variance, len(kernel)) - _sums(self._sums_of_variance, 2 * core + 1)[inner]
        noise = np.sqrt(np.maximum(level, 1.0) / wings * (kernel**2).sum())
        return np.asarray(np.pad(self._response(kernel) / noise, reach), np.float64)

    def _response(self, kernel: Floats) -> Floats:
        """The sums of the counts that a symmetric filter sees, with its weights, where it sees none beyond the ends."""
        product = self._transform * np.fft.rfft(kernel, self._length)
        return np.asarray(np.fft.irfft(product, self._length)[len(kernel) - 1 : len(self._counts)], np.float64)


def _fast_length(least: int) -> int:
    """The next length whose only prime factors are 2 and 3, or 2 and 5."""
    return min(part << max(0, math.ceil(math.log2(least / part))) for part in (1, 3, 5, 9, 15))


def _kernel(fwhm: float) -> Floats:
    reach = max(2, math.ceil(REACH * fwhm))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * FWHM_PER_SIGMA / fwhm) ** 2)
    return np.asarray(kernel - kernel.mean(), np.float64)


def _sums(sums: Floats, bins: int) -> Floats:
    """Sums of so many neighbouring bins, from those of all before each, none below 0 by rounding."""
    return np.asarray(np.maximum(sums[bins:] - sums[:-bins], 0.0), np.float64)


def filter_widths(low: float, high: float) -> Floats:
    """Widths (FWHM in bins) from `low` to `high`, each a step above the one before."""
    low = max(low, NARROWEST)
    steps = max(0, math.ceil(math.log(max(high, low) / low) / math.log(WIDTH_STEP)))
    return np.asarray(low * WIDTH_STEP ** np.arange(steps + 1), np.float64)


def significance_at_width(counts: Floats, variance: Floats, fwhm: Floats) -> Floats:
    """The significance of each bin for the width that peaks have there: `fwhm` at each bin, in bins."""
    peak_fwhm = np.maximum(fwhm, NARROWEST)
    widths = filter_widths(float(peak_fwhm.min()), float(peak_fwhm.max()))
    filters = Filters(counts, variance)
    if len(widths) == 1:
        return filters.significances(float(widths[0]))
    grid = np.array([filters.significances(float(width)) for width in widths])
    rows = np.log(peak_fwhm / widths[0]) / math.log(WIDTH_STEP)
    below = np.clip(np.floor(rows).astype(np.int64), 0, len(widths) - 2)
    share, bins = np.clip(rows - below, 0.0, 1.0), np.arange(len(counts))
    return np.asarray((1 - share) * grid[below, bins] + share * grid[below + 1, bins], np.float64)


def local_maxima(values: Floats, least: float) -> npt.NDArray[np.intp]:
    """Where values rise before and fall after, and are at least so large; of several equal ones, the middle."""
    changes = np.flatnonzero(values[1:] != values[:-1])  # the last of each row of equal values, but for the last row
    rises = values[changes + 1] > values[changes]
    tops = np.flatnonzero(rises[:-1] & ~rises[1:])
    first, last = changes[tops] + 1, changes[tops + 1]
    return np.asarray(((first + last) // 2)[values[first] >= least], np.intp)


def maxima(significance: Floats, fwhm: Floats, least: float) -> npt.NDArray[np.intp]:
    """Bins where the significance has a maximum of at least `least`, no two closer than half the expected FWHM."""
    places = local_maxima(significance, least)
    order = places[np.argsort(-significance[places], kind="stable")]
    result: list[int] = []
    for place in order.tolist():
        if all(abs(place - other) > 0.5 * fwhm[place] for other in result):
            result.append(place)
    return np.array(sorted(result), np.intp)


def is_edge(counts: Floats, place: float, fwhm: float) -> bool:
    """True where a spectrum begins or ends: nearly nothing on one side, on the other about as much as in the middle.

    A trigger's threshold, or the end of the adc range, is as steep as a peak.
    """
    middle = round(place)
    reach = math.ceil(1.5 * fwhm)
    sides = [
        counts[max(0, middle + low) : max(0, middle + high)] for low, high in ((-2 * reach, -reach), (reach, 2 * reach))
    ]
    less, more = sorted(float(side.mean()) if side.size else 0.0 for side in sides)
    core = counts[max(0, middle - max(1, reach // 4)) : middle + max(1, reach // 4) + 1]
    if not (more > 9 and less < 0.1 * more and float(core.mean()) < 2.5 * more):
        return False
    # Another peak next to it is no plateau: there is a valley between them.
    run = max(1, math.ceil(fwhm / 4))
    around = counts[max(0, middle - 2 * reach) : middle + 2 * reach]
    smooth = np.convolve(around, np.full(run, 1 / run), "same")
    here = min(middle, 2 * reach)
    plateau = smooth[run:here] if sides[0].size and sides[0].mean() > less else smooth[here:-run]
    return bool(plateau.size) and float(plateau.min()) > 0.6 * float(core.mean())


def candidates(counts: Floats, variance: Floats, least: float) -> list[tuple[int, float, float]]:
    """Places that are significant at any width: bin, the width (FWHM in bins) at which they are most, and the contrast.

    The clearest first, no two closer than their widths.
    """
    peaks: list[tuple[float, int, float]] = []
    filters = Filters(counts, variance)
    for fwhm in filter_widths(NARROWEST, len(counts) / (4 * REACH)):
        response = filters.contrast(float(fwhm))
        places = local_maxima(response, least)
        peaks += [(float(response[place]), int(place), float(fwhm)) for place in places]
    if not peaks:
        return []
    height, place, width = np.array(sorted(peaks, reverse=True)).T
    kept = np.zeros(len(place), dtype=bool)
    for number in range(len(place)):
        apart = np.abs(place[number] - place[kept]) > np.maximum(0.7 * np.minimum(width[number], width[kept]), 1.5)
        kept[number] = apart.all()
    return [
        (int(at), float(fwhm), float(top)) for at, fwhm, top in zip(place[kept], width[kept], height[kept], strict=True)
    ]
