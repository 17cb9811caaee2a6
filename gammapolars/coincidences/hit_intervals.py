"""The dead time of a detector from the times between its hits, and whether hits within it prolong it."""

import math
from typing import NamedTuple

import numpy as np

from gammapolars.core.types import Floats, Integers
from gammapolars.core.units import PS_PER_S

PER_OCTAVE = 32

SCALE = np.asarray(2.0 ** (np.arange(28 * PER_OCTAVE + 1) / PER_OCTAVE), np.float64)
"""Edges (ps) of bins of times between hits, 2 % wide, up to 2^28 ps = 268 us; times below 1 ps are in the first."""

LEAK = 0.05
"""This many times less often than otherwise may hits come within the dead time: fewer than none would be too strict."""

LEAST_INTERVALS = 20


def binned(intervals_ps: Integers) -> Floats:
    """How many of some times lie in each bin of `SCALE`; longer ones are left out."""
    inside = np.clip(intervals_ps[intervals_ps < SCALE[-1]], 1, None)
    place = np.floor(np.log2(inside) * PER_OCTAVE).astype(np.int64)
    return np.bincount(np.minimum(place, len(SCALE) - 2), minlength=len(SCALE) - 1).astype(np.float64)


class DeadTime(NamedTuple):
    """The dead time of a detector (ps), and how probable it is that there is one at all."""

    dead_ps: float
    probability: float


class DeadEnd(NamedTuple):
    """A dead time (ps) as closely as it is known, and its standard deviation."""

    dead_ps: float
    unc_ps: float


def dead_time(counts: Floats) -> DeadTime:
    """Where the times between hits of a detector begin, by maximum likelihood.

    Up to their median X they are taken to be as frequent everywhere beyond the dead time τ, with the density D, and
    `LEAK` times that within it, so that a few that are too short, as those of pile-up or noise, do not hide it. The
    likelihood of n times, k of them below τ, is n ln D + k ln LEAK - n, with D = n / (X - τ + LEAK τ).

    Args:
        counts: (n,) times in the bins of `SCALE`.

    Returns:
        The dead time, and its probability: the likelihood of none relative to the mean likelihood of all that it may
        be. With few hits it is the shortest time between two of them, which random hits have as well: then it is not
        probable, since any other time might have been the shortest.
    """
    if counts.sum() < LEAST_INTERVALS:
        return DeadTime(0.0, 0.0)
    total = np.cumsum(counts)
    end = int(np.searchsorted(total, total[-1] / 2)) + 1
    n = float(total[end - 1])
    edges = np.concatenate([[0.0], SCALE[1:end]])
    below = np.concatenate([[0.0], total[: end - 1]])
    density = n / (SCALE[end] - (1 - LEAK) * edges)
    likelihood = n * np.log(density) + below * math.log(LEAK)
    best = int(likelihood.argmax())
    odds = float(np.logaddexp.reduce(likelihood) - likelihood[0]) - math.log(len(likelihood))
    return DeadTime(float(edges[best]), 1 / (1 + math.exp(-min(odds, 50.0)))) if best else DeadTime(0.0, 0.0)


def dead_end(counts: Floats) -> DeadEnd:
    """The dead time within the bin of `SCALE` in which times between hits begin: as much of it is dead as it lacks.

    Args:
        counts: (n,) times in the bins of `SCALE`.

    Returns:
        The dead time; 0 ± 0 where there is none.
    """
    first = int(np.searchsorted(SCALE, dead_time(counts).dead_ps))
    if not first:
        return DeadEnd(0.0, 0.0)
    width = np.diff(SCALE)
    behind = slice(first + 1, first + 1 + PER_OCTAVE)
    density = float(counts[behind].sum() / width[behind].sum())
    if not density:
        return DeadEnd(float(SCALE[first]), float(width[first]))
    alive = min(float(counts[first]) / density, float(width[first]))
    unc = math.hypot(math.sqrt(counts[first] + 1) / density, alive / math.sqrt(counts[behind].sum()))
    return DeadEnd(float(SCALE[first + 1]) - alive, min(unc, float(width[first])))


SHAPE_DEAD = 8
"""The shape of the times between hits is looked at up to so many dead times."""

GRID = 32


def extendable_log_odds(counts: Floats, rate_cps: float) -> float:
    """Whether the dead time is prolonged by hits within it: ln of the likelihood ratio, extendable to not.

    Where it is not, times between hits are exponential beyond the dead time τ, with R = m / (1 - m τ). Where it is,
    any time beyond τ after a hit is as good as another for a hit, with the density m, so that the times f between
    successive ones follow from f(x) = m (1 - ∫ f) with the integral from τ to x - τ (renewal theory). For a time x the
    fraction 1 - x/L is seen, in blocks of the length L of the whole scale.

    Args:
        counts: (n,) times between hits in the bins of `SCALE`.
        rate_cps: m, hits counted (1/s).

    Returns:
        The odds, 0 where the times do not decide.
    """
    dead, rate = dead_time(counts).dead_ps, rate_cps / PS_PER_S
    if dead <= 0 or not 0 < rate * dead < 0.36:
        return 0.0
    x = (np.arange(SHAPE_DEAD * GRID) + 0.5) / GRID * dead
    plain = np.where(x > dead, np.exp(-rate / (1 - rate * dead) * (x - dead)), 0.0)
    prolonged = np.where(x > dead, 1.0, 0.0)
    for step in range(2 * GRID, len(x)):
        prolonged[step] = 1 - rate * dead / GRID * prolonged[GRID : step - GRID].sum()
    inside = (SCALE[:-1] > 1.05 * dead) & (SCALE[1:] < SHAPE_DEAD * dead)
    edges, cumulative = np.arange(len(x) + 1) / GRID * dead, [np.cumsum([0.0, *shape]) for shape in (plain, prolonged)]
    logs = []
    seen = 1 - np.sqrt(SCALE[1:] * SCALE[:-1]) / SCALE[-1]
    for one in cumulative:
        part = (seen * np.diff(np.interp(SCALE, edges, one)))[inside]
        logs.append(np.log(part / part.sum()))
    return float(counts[inside] @ (logs[1] - logs[0]))
