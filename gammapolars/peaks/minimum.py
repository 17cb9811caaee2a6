"""The minimum of a cost within limits, by Fisher's scoring and Newton's steps, damped as by Levenberg and Marquardt.

-2 ln L of counts and the departures from a prior have an expected curvature without second derivatives of the
model (Osborne 1992, Int. Stat. Rev. 60, 99), so that a minimum takes a few steps where a method that has to learn the
curvature takes dozens. Where counts differ from every model by much more than they scatter, as at a Compton edge, the
curvature is not as expected, and such steps overshoot dozens of times: so the last step, and all steps from the first
one that does not lead down, have the curvature of the counts themselves, if it is positive. A parameter at its limit
whose slope leads outwards stays there.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from gammapolars.core.types import Floats, Integers, Mask

MOST_STEPS = 100

SOON = 4
"""After so many steps without the minimum, the curvature of the counts takes the place of the expected one."""

NEAR = 1e-3
"""A step that can gain no more than this in cost ends at the minimum: parameters are within 0.03 σ. Where counts lie
further from the model than they scatter, so do the parameters, and it is this part of the cost per bin.
"""

HERE = 1e-6
"""A step that gains no more leads to the minimum, whatever its curvature."""

STUCK = 3e-2
"""A search that ends without such a step is at a minimum if its last one gained no more than this."""

LEAST_DAMPING, MOST_DAMPING = 1e-9, 1e9

EVERY = slice(None)


class Point(NamedTuple):
    """A cost, its slopes, half of its expected curvature (the Fisher information), and how to get half of the rest
    of the curvature, which has the second derivatives of the model.
    """

    cost: float
    slopes: Floats
    information: Floats
    rest: Callable[[], Floats]


Condition = Callable[[Floats, float], bool]
"""Of parameters, and their cost."""


class Function(Protocol):
    """A function that can be minimised."""

    @property
    def bins(self) -> int:
        """Over how many bins the cost is a sum."""
        ...

    def at(self, parameters: Floats) -> Point:
        """The cost and its derivatives."""
        ...


class Minimum(NamedTuple):
    """Where a search ended, the cost there, whether that is a minimum, and which parameters lie at a limit."""

    parameters: Floats
    cost: float
    is_minimum: bool
    at_limit: Mask


def minimum(function: Function, start: Floats, low: Floats, high: Floats, until: Condition | None = None) -> Minimum:
    """The minimum nearest to where the search starts, between limits.

    Where `until` is given, and true of parameters and their cost, the search ends before, and finds no minimum.
    """
    place = np.minimum(np.maximum(start, low), high)
    point = function.at(place)
    damping, gain, last, unit, is_slow = 1e-3, np.inf, np.inf, 1.0, False
    for number in range(MOST_STEPS):
        if until and until(place, point.cost):
            gain = last = np.inf
            break
        unit = max(1.0, point.cost / function.bins)
        is_slow = is_slow or number >= SOON
        parabola = _parabola(point, place, low, high, whole=is_slow)
        step, gain = parabola.step(min(damping, 1e-3))
        if HERE < gain < NEAR * unit and not is_slow:
            is_slow, parabola = True, _parabola(point, place, low, high, whole=True)
            step, gain = parabola.step(min(damping, 1e-3))
        if gain < NEAR * unit:
            place = _moved(place, parabola.moving, step, low, high)
            break
        while damping < MOST_DAMPING:
            if damping > 1e-3:
                step, _ = parabola.step(damping)
            trial = _moved(place, parabola.moving, step, low, high)
            following = function.at(trial)
            if following.cost < point.cost:
                break
            damping = max(6 * damping, 4e-3)
            if not is_slow:
                is_slow, parabola = True, _parabola(point, place, low, high, whole=True)
        else:
            # Without background the cost has kinks, where an expectation is 0, and no step leads down from there.
            gain = 0.0
            break
        last = point.cost - following.cost
        damping = max(damping / 8.0, LEAST_DAMPING)
        place, point = trial, following
    return Minimum(place, point.cost, bool(min(gain, last) < STUCK * unit), (place <= low) | (place >= high))


class _Parabola(NamedTuple):
    """A cost near a point: of the parameters that move, slopes and half of the curvature, in units of which the
    information has a diagonal of 1, and these units.
    """

    moving: Integers | slice
    slopes: Floats
    curvature: Floats
    scale: Floats

    def step(self, damping: float) -> tuple[Floats, float]:
        """The damped step to the minimum, and how much it gains."""
        matrix = self.curvature.copy()
        matrix.flat[:: len(matrix) + 1] += damping + 1e-12
        try:
            step = np.linalg.solve(matrix, -0.5 * self.slopes)
        except np.linalg.LinAlgError:
            step = -0.5 * self.slopes / (1 + damping)
        return np.asarray(step * self.scale, np.float64), -0.5 * float(self.slopes @ step)


def _parabola(point: Point, place: Floats, low: Floats, high: Floats, *, whole: bool) -> _Parabola:
    """With the expected curvature, or the whole one where that is positive."""
    slopes, information = point.slopes, point.information
    rest = point.rest() if whole else None
    moving: Integers | slice = EVERY
    at_low, at_high = place <= low, place >= high
    if at_low.any() or at_high.any():
        moving = rows = np.flatnonzero(~((at_low & (slopes > 0)) | (at_high & (slopes < 0))))
        here = rows[:, None], rows
        slopes, information, rest = slopes[rows], information[here], None if rest is None else rest[here]
    scale = 1 / np.sqrt(np.maximum(information.diagonal(), 1e-300))
    units = scale[:, None] * scale
    curvature = information * units
    if rest is not None:
        actual = curvature + rest * units
        if _is_positive(actual):
            curvature = actual
    return _Parabola(moving, slopes * scale, curvature, scale)


def _is_positive(matrix: Floats) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _moved(place: Floats, moving: Integers | slice, step: Floats, low: Floats, high: Floats) -> Floats:
    """Where a step leads within the limits."""
    trial = place.copy()
    trial[moving] = np.minimum(np.maximum(place[moving] + step, low[moving]), high[moving])
    return trial
