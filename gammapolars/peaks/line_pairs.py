"""Pairs of lines in place of one: the start of a fit, from linear least squares over many places."""

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import Knowledge, RegionFit
from gammapolars.peaks.regions import Data

SHIFTS = (-0.3, -0.15, 0.0, 0.15, 0.3)
"""By how much the one line may lie off the peak, in units of its FWHM."""

DISTANCES = (-1.4, -1.0, -0.75, -0.5, 0.5, 0.75, 1.0, 1.4)
"""How far off the other one may lie: as far on the one side as on the other."""

LEAST_VARIANCE = 0.3

LEAST_GAIN = 8.0
"""By how much χ² falls at least where a fit of two lines is worth a trial."""


REACH = 3.0
"""Over which bins the linear fits go, on both sides of the peak, in units of its FWHM."""


class Pair(NamedTuple):
    """Positions of a region's peaks, with two in place of one, and by how much they lower χ² in a linear fit."""

    gain: float
    positions: Floats


def line_pair(data: Data, fit: RegionFit, number: int, knowledge: Knowledge) -> Pair | None:
    """Two lines in place of one, where they describe the counts best; their places are on a grid.

    The other peaks of the region stay as they were fitted.
    """
    model, at = fit.model, fit.positions
    fwhm = float(data.widths.at(at[number]))
    low = max(0, round(at[number] - REACH * fwhm) - model.first)
    near = slice(low, max(low + 1, round(at[number] + REACH * fwhm) - model.first + 1))
    if number == model.broad:
        return None
    counts = data.counts[model.first : model.first + model.bins][near]
    expected = model.expected(fit.parameters)[near]
    root = 1 / np.sqrt(np.maximum(expected, LEAST_VARIANCE))
    fitted = model.parts(at, model.shape(fit.parameters))[:, near]
    areas = np.where(np.arange(len(at)) == number, 0.0, fit.areas)
    left = np.maximum((counts - areas @ fitted[: len(at)]) * root, 0.0)
    shape = knowledge.values(further=model.has_further)
    background = fitted[len(at) :] * root
    single = float((((counts - expected) * root) ** 2).sum())
    best = None
    for shift, distance in product(SHIFTS, DISTANCES):
        pair = at[number] + fwhm * np.array([shift, shift + distance])
        others = np.delete(at, number)
        if np.abs(others - pair[1]).min(initial=np.inf) < 0.5 * fwhm or not 0 < pair[1] - model.first < model.bins:
            continue
        peaks = model.peaks(pair, model.sigmas[[number, number]], shape)[:, near] * root
        gain = single - float(nnls(np.concatenate([peaks, background]).T, left)[1]) ** 2
        if best is None or gain > best.gain:
            best = Pair(gain, np.sort(np.append(others, pair)))
    return best
