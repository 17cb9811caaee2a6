"""The fit of a region with one area held at a value: the profile of its likelihood."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import RegionFit

FEW = 25.0
"""Counts below which the likelihood of an area is visibly lopsided."""

TINY = 1e-12
REACH = 1.5
"""How far other peaks may move, in their σ."""

PRECISION, MOST_TRIALS = 1e-4, 60
"""How precise, in counts, the ends of an interval are, and trials after which they are as good as they get."""

STEPS = 30
NEAR = 1e-3


class Profile(NamedTuple):
    """The best description of a fit's expected counts with one area held: -2 ln L above the fit's own, its expectation,
    and its derivatives by the free parameters.
    """

    cost: float
    expected: Floats
    slopes: Floats


def profile(fit: RegionFit, number: int, area: float) -> Profile:
    """Hold one peak's area; the other peaks' areas and places, and the background, take their best values then.

    The shape is that of the fit. Fisher's scoring, whose steps are shortened until they gain.
    """
    null = _Null(fit, number)
    parameters = fit.parameters.copy()
    parameters[null.background] += max(parameters[number] - area, 0.0) / fit.model.bins
    parameters[number] = area
    now = null.at(parameters)
    for _ in range(STEPS):
        parameters, following = _step(null, parameters, now)
        gained, now = now.cost - following.cost, following
        if gained < NEAR * (1 + now.cost):
            break
    return now


class _Null:
    """Expected counts, and their cost, where one area is held."""

    def __init__(self, fit: RegionFit, number: int) -> None:
        peaks, parameters, model = len(fit.areas), fit.parameters, fit.model
        self._model, self._scale = model, fit.scale or 1.0
        self.background = model.coefficients
        self.free = np.zeros(len(parameters), np.bool_)
        self.free[: 2 * peaks] = self.free[self.background] = True
        self.free[[number, peaks + number]] = False
        least, most = np.full((2, len(parameters)), [[-math.inf], [math.inf]])
        least[self.background] = 0.0
        places, reach = slice(peaks, 2 * peaks), REACH * model.sigmas
        least[places], most[places] = fit.positions - reach, fit.positions + reach
        self.least, self.most = least[self.free], most[self.free]
        self.target = np.maximum(model.expected(parameters), TINY)
        # Without other peaks everything that moves is linear.
        self._constant = model.peaks(fit.positions, model.widths(model.shape(parameters)), model.shape(parameters))[0]
        self._is_linear = peaks == 1

    def at(self, parameters: Floats) -> Profile:
        """The cost above that of the fit, the counts per bin, and their derivatives."""
        if self._is_linear:
            slopes = self._model.basis
            counts = parameters[0] * self._constant + parameters[self.background] @ slopes
        else:
            there = self._model.at(parameters, self.free)
            counts, slopes = there.counts, there.slopes
        expected = np.maximum(counts, TINY)
        difference = self.target * np.log(self.target / expected) - self.target + expected
        return Profile(2 * self._scale * float(difference.sum()), expected, slopes)


def _step(null: _Null, parameters: Floats, now: Profile) -> tuple[Floats, Profile]:
    """One step of scoring, and the description then: the same where none gains."""
    gradient = now.slopes @ (null.target / now.expected - 1)
    moving = np.flatnonzero((parameters[null.free] > null.least) | (gradient > 0))
    slopes = now.slopes[moving]
    information = (slopes / now.expected) @ slopes.T
    root = np.sqrt(np.maximum(np.diag(information), 1e-300))
    change = np.zeros(len(null.least))
    change[moving] = np.linalg.lstsq(information / np.outer(root, root), gradient[moving] / root, rcond=1e-10)[0] / root
    for length in (1.0, 0.3, 0.1, 0.01):
        after = parameters.copy()
        after[null.free] = np.clip(parameters[null.free] + length * change, null.least, null.most)
        then = null.at(after)
        if then.cost < now.cost:
            return after, then
    return parameters, now


def area_interval(fit: RegionFit, number: int) -> tuple[float, float]:
    """How far an area reaches down and up, to where -2 ln L is higher by 1.

    Both are the standard deviation of the Fisher information where there are counts enough.
    """
    area, unc = float(fit.areas[number]), math.sqrt(max(float(fit.covariance[number, number]), 0.0))
    if not 0 < area < FEW or not unc > 0 or fit.scale is None:
        return unc, unc

    def above(value: float) -> float:
        return profile(fit, number, value).cost - 1

    low = area - _root(above, area, 0.0) if above(0.0) > 0 else area
    high = area + unc
    while above(high) < 0:
        high += unc
    return low, _root(above, area, high) - area


def _root(function: Callable[[float], float], below: float, above: float) -> float:
    """Where a function is 0 between two values, negative at the first and positive at the second, to 10⁻⁴.

    By false position; the value at an end that stays is halved, so that both ends move (the Illinois algorithm: M.
    Dowell and P. Jarratt 1971, BIT 11, 168).
    """
    least, most, stayed = function(below), function(above), 0
    middle = below
    for _ in range(MOST_TRIALS):
        before, middle = middle, (below * most - above * least) / (most - least)
        if abs(middle - before) < PRECISION:
            break
        value = function(middle)
        if value < 0:
            below, least, most = middle, value, most / 2 if stayed > 0 else most
            stayed = 1
        else:
            above, most, least = middle, value, least / 2 if stayed < 0 else least
            stayed = -1
    return middle
