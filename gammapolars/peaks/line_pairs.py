"""Pairs of lines in place of one: the start of a fit, from linear least squares over many places."""

from itertools import product
from typing import NamedTuple

import numpy as np

from gammapolars.core.nonnegative import nonnegative_solution
from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import Knowledge, RegionFit
from gammapolars.peaks.regions import Data

SHIFTS = (-0.3, -0.15, 0.0, 0.15, 0.3)
"""By how much the one line may lie off the peak, in units of its FWHM."""

DISTANCES = (-1.4, -1.0, -0.75, -0.5, 0.5, 0.75, 1.0, 1.4)
"""How far off the other one may lie: as far on the one side as on the other."""

GRID = np.array([(shift, shift + distance) for shift, distance in product(SHIFTS, DISTANCES)])
"""Both for all pairs that are tried."""

ROUNDING = 1e-12

LEAST_VARIANCE = 0.3

LEAST_GAIN = 8.0
"""By how much χ² falls at least where a fit of two lines is worth a trial."""


REACH = 3.0
"""Over which bins the linear fits go, on both sides of the peak, in units of its FWHM."""


class Pair(NamedTuple):
    """Positions of a region's peaks, with two in place of one, and by how much they lower χ² in a linear fit."""

    gain: float
    positions: Floats


def line_pair(data: Data, fit: RegionFit, number: int, knowledge: Knowledge, least_gain: float) -> Pair | None:
    """Two lines in place of one, where they describe the counts best; their places are on a grid.

    The other peaks of the region stay as they were fitted. None where no two lines lower χ² by more than `least_gain`.
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
    single = float((((counts - expected) * root) ** 2).sum())
    others = np.delete(at, number)
    pairs = at[number] + fwhm * GRID
    is_apart = np.abs(others - pairs[:, 1:]).min(axis=1, initial=np.inf) >= 0.5 * fwhm
    pairs = pairs[is_apart & (pairs[:, 1] > model.first) & (pairs[:, 1] < model.first + model.bins)]
    if not len(pairs):
        return None
    shape = knowledge.values(further=model.has_further)
    sigmas = np.full(pairs.size, model.sigmas[number])
    peaks = model.peaks(pairs.ravel(), sigmas, shape)[:, near].reshape(*pairs.shape, -1)
    background = np.broadcast_to(fitted[len(at) :], (len(pairs), model.degree + 1, peaks.shape[2]))
    best = _best_columns(np.concatenate([peaks, background], axis=1) * root, left, single - least_gain)
    if best is None:
        return None
    place, chi2 = best
    return Pair(single - chi2, np.sort(np.append(others, pairs[place])))


def _best_columns(columns: Floats, target: Floats, most: float) -> tuple[int, float] | None:
    """Of many sets of columns the one that describes a target best by coefficients that are not negative, and its χ².

    A fit with any coefficients is never worse: so few sets need another one.

    Args:
        columns: (sets, columns, values).
        target: (values,).
        most: None where no set has a smaller χ².
    """
    matrix, right = columns @ columns.transpose(0, 2, 1), columns @ target
    scale = np.sqrt(np.maximum(np.diagonal(matrix, axis1=1, axis2=2), 1e-300))
    matrix = matrix / (scale[:, :, None] * scale[:, None, :]) + ROUNDING * np.eye(matrix.shape[1])
    right = right / scale
    solution = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
    square = float(target @ target)
    bounds = square - (right * solution).sum(1)
    best = None
    for place in np.argsort(bounds, kind="stable").tolist():
        if bounds[place] >= (most if best is None else best[1]):
            break
        coefficients = nonnegative_solution(matrix[place], right[place])
        chi2 = float(((target - (coefficients / scale[place]) @ columns[place]) ** 2).sum())
        if chi2 < (most if best is None else best[1]):
            best = place, chi2
    return best
