"""What a fit of a region becomes where one area is held at a value: the profile of its likelihood."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import RegionFit
from gammapolars.peaks.model import SHAPE

FEW = 25.0
"""Counts below which the likelihood of an area is visibly lopsided."""

TINY = 1e-12
STEPS = 30
NEAR = 1e-4


Indices = npt.NDArray[np.intp]


class Profile(NamedTuple):
    """The best description of a fit's expected counts with one area held: -2 ln L above the fit's own, what it expects,
    and its derivatives by what was free.
    """

    cost: float
    expected: Floats
    slopes: Floats


def profile(fit: RegionFit, number: int, area: float) -> Profile:
    """Hold one peak's area; the other peaks' areas and places, and the background, take what they then like best.

    The shape is that of the fit. Fisher's scoring, whose steps are shortened until they gain.
    """
    target = np.maximum(fit.model.expected(fit.parameters), TINY)
    free = _free(fit, number)
    background = _background(fit)
    least = np.full(len(fit.parameters), -math.inf)
    least[background] = 0.0
    parameters = fit.parameters.copy()
    parameters[background] += max(parameters[number] - area, 0.0) / fit.model.bins
    parameters[number] = area

    def cost(values: Floats) -> float:
        expected = np.maximum(fit.model.expected(values), TINY)
        return 2 * (fit.scale or 1.0) * float((target * np.log(target / expected) - target + expected).sum())

    now = cost(parameters)
    for _ in range(STEPS):
        after, gained = _step(fit, target, parameters, free, least, now, cost)
        if gained <= 0:
            break
        parameters, now = after, now - gained
        if gained < NEAR * (1 + now):
            break
    return Profile(now, np.maximum(fit.model.expected(parameters), TINY), fit.model.slopes(parameters)[free])


def _background(fit: RegionFit) -> slice:
    """The background's coefficients among the parameters."""
    first = 2 * len(fit.areas) + len(SHAPE)
    return slice(first, first + fit.model.degree + 1)


def _free(fit: RegionFit, number: int) -> Indices:
    """The parameters that move: areas and places of the other peaks, and the background."""
    peaks = len(fit.areas)
    others = np.delete(np.arange(peaks), number)
    background = np.arange(len(fit.parameters))[_background(fit)]
    return np.concatenate([others, others + peaks, background])


def _step(
    fit: RegionFit,
    target: Floats,
    parameters: Floats,
    free: Indices,
    least: Floats,
    now: float,
    cost: Callable[[Floats], float],
) -> tuple[Floats, float]:
    """One step of scoring, and by how much it lowers the cost."""
    expected = np.maximum(fit.model.expected(parameters), TINY)
    slopes = fit.model.slopes(parameters)
    gradient = slopes @ (target / expected - 1)
    moving = free[(parameters[free] > least[free]) | (gradient[free] > 0)]
    slopes = slopes[moving]
    information = (slopes / expected) @ slopes.T
    root = np.sqrt(np.maximum(np.diag(information), 1e-300))
    change = np.linalg.lstsq(information / np.outer(root, root), gradient[moving] / root, rcond=1e-10)[0] / root
    for length in (1.0, 0.3, 0.1, 0.01):
        after = parameters.copy()
        after[moving] += length * change
        after = np.maximum(after, least)
        gained = now - cost(after)
        if gained > 0:
            return after, gained
    return parameters, 0.0


def area_interval(fit: RegionFit, number: int) -> tuple[float, float]:
    """How far an area reaches down and up, to where -2 ln L is higher by 1.

    Both are the standard deviation of the Fisher information where there are counts enough.
    """
    area, unc = float(fit.areas[number]), math.sqrt(max(float(fit.covariance[number, number]), 0.0))
    if not 0 < area < FEW or not unc > 0 or fit.scale is None:
        return unc, unc

    def above(value: float) -> float:
        return profile(fit, number, value).cost - 1

    low = area - brentq(above, 0.0, area, xtol=1e-3) if above(0.0) > 0 else area
    high = area + unc
    while above(high) < 0:
        high += unc
    return float(low), float(brentq(above, area, high, xtol=1e-3)) - area
