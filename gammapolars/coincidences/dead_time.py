"""How many random coincidences dead time takes away from two detectors that true coincidences leave dead together.

Both detectors see single events, with the rates s_a and s_b, and events that both see, with the rate c; R = s + c is
what each would count if it were never dead. After each of its hits a detector is dead for the time τ. Where what comes
then does not prolong that (non-extendable), it counts m = R / (1 + R τ); where it does (extendable), m = R exp(-R τ).

The density of pairs of a hit of a with one of b a time x > 0 later is m_a m_b beyond the dead times. Within that of b,
a hit of a that is part of a true coincidence has no b after it: to the lowest order in R τ the density is
m_a m_b (1 - f_a), with f_a the share of a's hits that are in a true coincidence with b. To all orders:

- Extendable: neither detector may have had an event within τ before its hit, so that for x < τ_b
  ρ(x) = g / (m_a m_b) = (s_a / R_a) exp(c min(τ_a, τ_b - x)), and 1 beyond.
- Non-extendable: a single detector is a renewal process. For the two together, the time that one is still dead when the
  other becomes alive is a Markov chain, which is solved on a grid of time. A single hit of a that meets b alive lets b
  fire from then on; one that meets b dead, when b has come back; one of a true coincidence, when b's dead time is over.

So follows which part of the true coincidences is counted: those that find both detectors alive. It is more than the
product of the live fractions, as true coincidences leave both dead at once: 71 % instead of 64 % where detectors are
live for 77 and 83 % of the time, and 60 % of the latter's events are true coincidences. Where dead time is extendable,
it is exp(-s_a τ_a - s_b τ_b - c max(τ_a, τ_b)), otherwise the part of the time in which the chain has both alive.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from gammapolars.core.types import Floats
from gammapolars.core.units import PS_PER_S

LEAST_STEPS, MOST_STEPS = 64, 96
"""Steps of the longer dead time on the grid: so many that the shorter one is nearly a whole number of them too."""

REACH = 4
"""Beyond so many times the longer dead time, two hits know nothing of each other."""

MOST_DEAD = {False: 0.6, True: 0.36}
"""Largest m τ, by whether dead time is extendable: then m τ = R τ exp(-R τ) is no larger than 1/e at any rate."""

NEGLIGIBLE = 1e-3
"""Below this, m τ times the share of hits in true coincidences, of which higher orders are, does not matter."""

ITERATIONS = 60

MOST_TERMS = 1000
"""The chain of hits that each come within the dead time of the other detector is followed no further."""


@dataclass(frozen=True)
class RandomDensity:
    """Random coincidences of two detectors by time difference, as a part of those of detectors that are never dead.

    Attributes:
        step_ps: of the grid (ps).
        after: (n + 1,) ∫ρ dx from 0 to k steps (ps), for b after a; ρ is 1 beyond the grid.
        before: the same for b before a.
        centre_ps: dt = t_b - t_a of hits of one event (ps).
        both_alive: the part of the time in which neither detector is dead.
    """

    step_ps: float
    after: Floats
    before: Floats
    centre_ps: float = 0.0
    both_alive: float = 1.0

    def width_ps(self, windows: Sequence[tuple[float, float]]) -> float:
        """∫ρ over some windows of dt (ps): the width w with which r_a r_b w T is the number of random coincidences."""
        return sum(self._up_to(high - self.centre_ps) - self._up_to(low - self.centre_ps) for low, high in windows)

    def _up_to(self, dt_ps: float) -> float:
        """∫ρ from 0 to a time difference, with its sign."""
        side = self.after if dt_ps >= 0 else self.before
        end = (len(side) - 1) * self.step_ps
        inside = float(np.interp(min(abs(dt_ps), end), np.arange(len(side)) * self.step_ps, side))
        return math.copysign(inside + max(abs(dt_ps) - end, 0.0), dt_ps)


def random_density(
    rates_cps: tuple[float, float],
    dead_ps: tuple[float, float],
    true_cps: float,
    *,
    extendable: bool = False,
    centre_ps: float = 0.0,
) -> RandomDensity | None:
    """The density of random coincidences of two detectors, from their measured rates.

    Args:
        rates_cps: m_a and m_b, hits counted (1/s).
        dead_ps: dead times τ_a and τ_b (ps).
        true_cps: true coincidences counted (1/s): those in which both detectors have a hit.
        extendable: whether events within the dead time prolong it.
        centre_ps: dt of true coincidences (ps).

    Returns:
        The density; None where no dead time matters, or where the detectors would be dead for so much of the time that
        nothing follows.
    """
    longest = max(dead_ps)
    busy = max(rate * dead / PS_PER_S for rate, dead in zip(rates_cps, dead_ps, strict=True))
    if longest <= 0 or true_cps <= 0 or busy > MOST_DEAD[extendable]:
        return None
    ratio = min(dead_ps) / longest
    steps = min(range(LEAST_STEPS, MOST_STEPS), key=lambda count: abs(count * ratio - round(count * ratio)))
    step_ps = longest / steps
    dead = round(dead_ps[0] / step_ps), round(dead_ps[1] / step_ps)
    model: Callable[[Pair, Steps, float, float], tuple[list[Floats], float]]
    model = _extendable if extendable else _non_extendable
    if busy * true_cps / min(rates_cps) < NEGLIGIBLE:
        model = partial(_lowest_order, extendable=extendable)
    sides, both_alive = model(rates_cps, dead, step_ps / PS_PER_S, true_cps)
    after, before = (np.concatenate([[0.0], np.cumsum(side)]) * step_ps for side in sides)
    return RandomDensity(step_ps, after, before, centre_ps, both_alive)


def live_fraction(rate_cps: float, dead_ps: float, *, extendable: bool = False) -> float:
    """The part of the time in which one detector is alive, from its measured rate: 1 - m τ, or exp(-R τ)."""
    dead_s = dead_ps / PS_PER_S
    return math.exp(-_undead(rate_cps, dead_s) * dead_s) if extendable else 1 - rate_cps * dead_s


Pair = tuple[float, float]
Steps = tuple[int, int]


def _lowest_order(
    counted: Pair, dead: Steps, step_s: float, true_cps: float, *, extendable: bool
) -> tuple[list[Floats], float]:
    """ρ in each step, for b after a and for a after b, where nothing but the two hits matters; and how often both are
    alive.
    """
    step = np.arange(REACH * max(dead))
    sides = [np.where(step < dead[then], 1 - true_cps / counted[first], 1.0) for first, then in ((0, 1), (1, 0))]
    ends = zip(counted, dead, strict=True)
    alive = math.prod(live_fraction(rate, one * step_s * PS_PER_S, extendable=extendable) for rate, one in ends)
    return sides, alive + true_cps * min(dead) * step_s


def _extendable(counted: Pair, dead: Steps, step_s: float, true_cps: float) -> tuple[list[Floats], float]:
    """ρ in the middle of each step, for b after a and for a after b; and how often both are alive."""
    dead_s = dead[0] * step_s, dead[1] * step_s
    rates = [_undead(rate, one) for rate, one in zip(counted, dead_s, strict=True)]
    both = 0.0
    for _ in range(ITERATIONS):  # counted = c exp(-s_a τ_a - s_b τ_b - c max(τ_a, τ_b))
        none = math.exp(-rates[0] * dead_s[0] - rates[1] * dead_s[1] + both * min(dead_s))
        both = min(true_cps / none, 0.999 * min(rates))
    sides = []
    for first, then in ((0, 1), (1, 0)):
        x = (np.arange(REACH * max(dead)) + 0.5) * step_s
        shared = np.minimum(dead_s[first], dead_s[then] - x)
        within = (1 - both / rates[first]) * np.exp(both * np.maximum(shared, 0.0))
        sides.append(np.where(x < dead_s[then], within, 1.0))
    return sides, none


def _undead(counted: float, dead_s: float) -> float:
    """R of m = R exp(-R τ): the smaller one."""
    rate = counted
    for _ in range(ITERATIONS):
        rate = counted * math.exp(rate * dead_s)
    return rate


def _non_extendable(counted: Pair, dead: Steps, step_s: float, true_cps: float) -> tuple[list[Floats], float]:
    """ρ in each step, for b after a and for a after b; and how often both are alive.

    The detectors are in equilibrium in proportion to the time in which both are alive, and linear in s_a, s_b and c.
    """
    rates = [rate / (1 - rate * steps * step_s) for rate, steps in zip(counted, dead, strict=True)]
    alone, shared = _entries(rates[0] * step_s, rates[1] * step_s, dead)
    alive_a = counted[0] / rates[0]
    both = 0.0
    for _ in range(ITERATIONS):
        still = [(rates[0] - both) * alone[0, d] + (rates[1] - both) * alone[1, d] + both * shared[d] for d in (0, 1)]
        waiting = [_waiting(still[d], rates[1 - d] * step_s) for d in (0, 1)]
        b_dead = float(still[1] @ -np.expm1(-rates[0] * step_s * np.arange(len(still[1])))) / rates[0]
        alive = alive_a / (1 + b_dead)  # a is alive with b alive, or with b dead
        better = min(true_cps / alive, 0.999 * min(rates))
        if abs(better - both) <= 1e-9 * better:
            break
        both = better
    sides = []
    for first, then in ((0, 1), (1, 0)):
        renewal = _renewal(rates[then] * step_s, dead[then], REACH * max(dead)) / step_s
        density = (rates[first] - both) * renewal
        for left in np.flatnonzero(waiting[then][1:]) + 1:
            density[left:] += rates[first] * step_s * waiting[then][left] * renewal[:-left]
        density[dead[then] :] += both * renewal[: len(renewal) - dead[then]]
        sides.append(density * alive / (counted[0] * counted[1]))
    return sides, alive


@lru_cache(maxsize=64)
def _entries(rate_a: float, rate_b: float, dead: Steps) -> tuple[Floats, Floats]:
    """How often one detector is left dead with the other alive, for each second in which both are alive.

    It is so after a single event, for all of its dead time; after an event that both saw, for what its dead time is
    longer; and where the other fired in the meantime, for what it has left when the first to be alive again is so.
    Those entries feed on each other: φ = source + M φ.

    Args:
        rate_a: R of detector a, per step.
        rate_b: that of b.
        dead: steps of the dead times.

    Returns:
        φ for single events, (detector of the event, detector that is dead, steps left), and for events of both,
        (detector that is dead, steps left): each per event.
    """
    n = max(dead) + 1
    rates = rate_a, rate_b
    matrix = np.zeros((2, n, 2, n))
    for still, other in ((0, 1), (1, 0)):
        left, step = np.tril_indices(dead[still])
        left, fires = left + 1, np.exp(-rates[other] * step) - np.exp(-rates[other] * (step + 1))
        for passed in (step, step + 1):  # half of the hits at the beginning of a step, half at its end
            excess = left - passed - dead[other]  # of the first over the other
            of_first = excess > 0
            np.add.at(matrix[still, :, still], (excess[of_first], left[of_first]), fires[of_first] / 2)
            np.add.at(matrix[other, :, still], (-excess[~of_first], left[~of_first]), fires[~of_first] / 2)
    matrix[:, 0] = 0.0  # nothing is left: both are alive
    source = np.zeros((3, 2, n))
    source[0, 0, dead[0]] = source[1, 1, dead[1]] = 1.0
    longer = int(dead[1] > dead[0])
    source[2, longer, abs(dead[0] - dead[1])] = 1.0
    source[:, :, 0] = 0.0
    alone_a, alone_b, shared = _summed(matrix.reshape(2 * n, 2 * n).T, source.reshape(3, 2 * n)).reshape(3, 2, n)
    return np.stack([alone_a, alone_b]), shared


def _summed(matrix: Floats, source: Floats) -> Floats:
    """φ = source + φ M, term by term: each is the source after one hit more in the meantime.

    LAPACK, which would solve it at once, needs more stack than the threads have on which polars calls us.
    """
    total, term = source.copy(), source
    for _ in range(MOST_TERMS):
        term = term @ matrix
        total += term
        if term.max() < 1e-12:
            break
    return total


def _waiting(entries: Floats, rate: float) -> Floats:
    """By steps left, how long a detector is dead with the other alive, for each second in which both are alive."""
    waiting = entries.copy()
    for left in range(len(entries) - 2, -1, -1):
        waiting[left] += waiting[left + 1] * math.exp(-rate)
    return waiting


def _renewal(rate: float, dead: int, count: int) -> Floats:
    """Hits per step of a detector that becomes alive at 0, in each step of the grid."""
    waiting = -math.expm1(-rate) * np.exp(-rate * np.arange(count))
    hits = waiting.copy()
    for step in range(max(dead, 1), count):  # hits in step j let it be alive again from j + dead on
        hits[step] += hits[: step - dead + 1] @ waiting[step - dead :: -1] if dead else 0.0
    return hits if dead else np.full(count, rate)
