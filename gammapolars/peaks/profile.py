"""The fit of a region with one area held at a value: the profile of its likelihood."""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import RegionFit

FEW = 25.0
"""Counts below which the likelihood of an area is visibly lopsided."""

TINY = 1e-12
REACH = 1.5
"""How far other peaks may move, in their σ."""

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
    expected = null.expected(parameters)
    now = null.cost(expected)
    for _ in range(STEPS):
        parameters, expected, gained = _step(null, parameters, expected, now)
        now -= gained
        if gained < NEAR * (1 + now):
            break
    return Profile(now, expected, null.slopes(parameters)[null.free])


class _Null:
    """Expected counts, and their cost, where one area is held."""

    def __init__(self, fit: RegionFit, number: int) -> None:
        peaks = len(fit.areas)
        others = np.delete(np.arange(peaks), number)
        self._fit = fit
        self.background = fit.model.coefficients
        self.free = np.concatenate([others, others + peaks, np.arange(len(fit.parameters))[self.background]])
        self.least = np.full(len(fit.parameters), -math.inf)
        self.least[self.background] = 0.0
        self.most = np.full(len(fit.parameters), math.inf)
        places, reach = slice(peaks, 2 * peaks), REACH * fit.model.sigmas
        self.least[places], self.most[places] = fit.positions - reach, fit.positions + reach
        self.target = np.maximum(fit.model.expected(fit.parameters), TINY)
        # Without other peaks everything that moves is linear.
        self._constant = fit.model.slopes(fit.parameters) if peaks == 1 else None

    def slopes(self, parameters: Floats) -> Floats:
        """Derivatives of the expected counts by all parameters."""
        return self._fit.model.slopes(parameters) if self._constant is None else self._constant

    def expected(self, parameters: Floats) -> Floats:
        """Counts per bin."""
        if self._constant is None:
            return np.maximum(self._fit.model.expected(parameters), TINY)
        linear = parameters[0] * self._constant[0] + parameters[self.background] @ self._constant[self.background]
        return np.asarray(np.maximum(linear, TINY), np.float64)

    def cost(self, expected: Floats) -> float:
        """-2 ln L above that of the fit."""
        difference = self.target * np.log(self.target / expected) - self.target + expected
        return 2 * (self._fit.scale or 1.0) * float(difference.sum())


def _step(null: _Null, parameters: Floats, expected: Floats, now: float) -> tuple[Floats, Floats, float]:
    """One step of scoring, the counts expected then, and by how much the cost falls."""
    slopes = null.slopes(parameters)[null.free]
    gradient = slopes @ (null.target / expected - 1)
    moving = (parameters[null.free] > null.least[null.free]) | (gradient > 0)
    slopes, places = slopes[moving], null.free[moving]
    information = (slopes / expected) @ slopes.T
    root = np.sqrt(np.maximum(np.diag(information), 1e-300))
    change = np.linalg.lstsq(information / np.outer(root, root), gradient[moving] / root, rcond=1e-10)[0] / root
    for length in (1.0, 0.3, 0.1, 0.01):
        after = parameters.copy()
        after[places] += length * change
        after = np.clip(after, null.least, null.most)
        then = null.expected(after)
        if (gained := now - null.cost(then)) > 0:
            return after, then, gained
    return parameters, expected, 0.0


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
