"""The minimum of a cost within limits, by Fisher's scoring with Levenberg's and Marquardt's damping.

-2 ln L of counts and the departures from a prior have an expected curvature without second derivatives of the
model (Osborne 1992, Int. Stat. Rev. 60, 99), so that a minimum takes a few steps where a method that has to learn the
curvature takes dozens. A parameter at its limit whose slope leads outwards stays there.
"""

from typing import NamedTuple, Protocol

import numpy as np

from gammapolars.core.types import Floats, Integers, Mask

MOST_STEPS = 100

NEAR = 1e-3
"""A step that can gain no more than this in cost ends at the minimum: parameters are within 0.03 σ. Where counts lie
further from the model than they scatter, so do the parameters, and it is this part of the cost per bin.
"""

STUCK = 3e-2
"""A search that ends without such a step is at a minimum if its last one gained no more than this."""

LEAST_DAMPING, MOST_DAMPING = 1e-9, 1e9


class Function(Protocol):
    """A function that can be minimised."""

    @property
    def bins(self) -> int:
        """Over how many bins the cost is a sum."""
        ...

    def at(self, parameters: Floats) -> tuple[float, Floats, Floats]:
        """The cost, its slopes, and half of its expected curvature: the Fisher information."""
        ...


class Minimum(NamedTuple):
    """Where a search ended, the cost there, whether that is a minimum, and which free parameters lie at a limit."""

    parameters: Floats
    cost: float
    is_minimum: bool
    at_limit: Mask


def minimum(function: Function, start: Floats, low: Floats, high: Floats, free: Mask) -> Minimum:
    """The minimum nearest to where the search starts; fixed parameters stay there."""
    place = np.where(free, np.minimum(np.maximum(start, low), high), start)
    value, slopes, information = function.at(place)
    damping, gain, last, unit = 1e-3, np.inf, np.inf, 1.0
    for _ in range(MOST_STEPS):
        unit = max(1.0, value / function.bins)
        moving = np.flatnonzero(free & ~((place <= low) & (slopes > 0)) & ~((place >= high) & (slopes < 0)))
        step = _step(slopes, information, moving, min(damping, 1e-3))
        gain = -0.5 * float(slopes[moving] @ step)
        if gain < NEAR * unit:
            break
        while damping < MOST_DAMPING:
            if damping > 1e-3:
                step = _step(slopes, information, moving, damping)
            trial = place.copy()
            trial[moving] = np.minimum(np.maximum(place[moving] + step, low[moving]), high[moving])
            following = function.at(trial)
            if following[0] < value:
                break
            damping = max(6 * damping, 4e-3)
        else:
            # Without background the cost has kinks, where an expectation is 0, and no step leads down from there.
            gain = 0.0
            break
        last = value - following[0]
        damping = max(damping / 8.0, LEAST_DAMPING)
        place = trial
        value, slopes, information = following
    at_limit = free & ((place <= low) | (place >= high))
    return Minimum(place, value, bool(min(gain, last) < STUCK * unit), at_limit)


def _step(slopes: Floats, information: Floats, moving: Integers, damping: float) -> Floats:
    """The damped step to the minimum of a parabola whose curvature is twice the information."""
    scale = 1 / np.sqrt(np.maximum(np.diagonal(information)[moving], 1e-300))
    matrix = information[moving[:, None], moving] * (scale[:, None] * scale)
    matrix.flat[:: len(moving) + 1] += damping + 1e-12
    try:
        return np.asarray(np.linalg.solve(matrix, -0.5 * slopes[moving] * scale) * scale, np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(-0.5 * slopes[moving] * scale**2 / (1 + damping), np.float64)
