"""Random triples: in which windows three hits lie, and the weights with which sums subtract the random ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.coincidences.regions import FINE, Clock
from gammapolars.coincidences.rule import AnyWindow, PairRule
from gammapolars.coincidences.sample import AUTO, measured
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Floats, Integers, Key
from gammapolars.core.units import Window, format_ps
from gammapolars.core.wording import setting

Windows = tuple[Window, ...]

NONE, PROMPT, ONE_RANDOM, RANDOM = range(4)
"""Kinds of three hits: no triple, or one of a region, in the order of `schema.TRIPLE_REGION`."""

NO_STEPS = Clock(1, 0)
"""The clock of a detector whose steps are not known: picoseconds."""


class Times(NamedTuple):
    """Three hits a row, a the earliest and c the latest: when each was, and the number of its detector."""

    a: Integers
    b: Integers
    c: Integers
    detector: Integers  # rows of three


@dataclass(frozen=True)
class TripleRegions:
    """Prompt and random windows of triples.

    Where some of three hits come from one decay and the others are random, the density of triples in time is, exactly,

        r₁ r₂ r₃ + r₁ c(t₂, t₃) + r₂ c(t₁, t₃) + r₃ c(t₁, t₂) + c(t₁, t₂, t₃)

    with the rates r, and what true coincidences add to them, c, which is 0 where any two of its hits are further apart
    than true ones are (the cumulants of a stationary point process; Daley, Vere-Jones, Theory of Point Processes I,
    chapter 5). For prompt triples, all within the window of each other, only the last term is wanted. The others are
    measured where nothing else is:

    - pairs within the window with a third hit in a random window of both (`one_random`): each weighs -w_p/w_r, where
      w_p is how long the third hit could have been in the prompt window of both, and w_r in the random windows of both,
      at the distance that the two have. Their sum measures one term r c, and r₁ r₂ r₃, which is there as well.
    - three hits each in a random window of both others (`random`): as the three sums above have subtracted r₁ r₂ r₃
      three times where it is there once, it has to be added twice: each weighs +2 A_p/A_r, with the areas that two
      time differences have in the prompt and in the random windows.

    The sum of weights is then the true triples, whatever energies they are sorted by, and the sum of squared weights
    its variance. That triples share hits adds little to it: the weights of all triples that a random hit can make
    with two others add up to 0, but for the ends of random windows. Only two true pairs that overlap at random make two
    triples at once. In simulated runs (`python -m tests.validation --only triples`), pulls have the width 1.03 without
    true pairs, and 1.02 to 1.07 where 8 % of the hits are of one.

    Times of a clock are counted in its steps, as for pairs: so w and A are numbers of times that a hit could have had.

    Attributes:
        reach_ps: the window: prompt are hits within it of each other.
        random: windows of time difference, both signs, ascending and apart.
        clock: of the detectors whose steps are known.

    Raises:
        UsageError: the random windows hold no three hits all random to each other, or none random to two prompt ones.
    """

    reach_ps: int
    random: Windows
    clock: Mapping[Key, Clock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Ends that a step may miss do not count.
        step = max((clock.step_ps for clock in self.clock.values()), default=0)
        inner = tuple(Window(low + step, high - step) for low, high in self.random if high - low > 2 * step)
        beside = all(_overlap(inner, apart) > 0 for apart in (0, self.reach_ps))
        if not beside or not _area(inner):
            told = ", ".join(str(window) for window in self.random if window.low > 0)
            window = f"{format_ps(2 * max(self.reach_ps, 1))}:{format_ps(8 * max(self.reach_ps, 1))}".replace(" ", "")
            advice = setting(f"--random {window}", f'random="{window}"')
            raise UsageError(
                f"random windows of {told} are too narrow for triples, which need three mutually random "
                f"hits: give one whose upper end is more than twice its lower end, such as {advice}"
            )

    @property
    def reach(self) -> int:
        """The longest time between the first and the last hit of a triple."""
        return max(self.reach_ps, *(window.high for window in self.random))

    def together(self, apart: Integers) -> npt.NDArray[np.bool_]:
        """Whether two hits some time apart can be of one triple."""
        return (apart <= self.reach_ps) | self._is_random(apart)

    def weigh(self, times: Times) -> tuple[npt.NDArray[np.int8], Floats]:
        """The kind of each three hits (`NONE` to `RANDOM`), and their weights."""
        differences = times.b - times.a, times.c - times.b, times.c - times.a
        prompt = np.stack([apart <= self.reach_ps for apart in differences])
        random = np.stack([self._is_random(apart) for apart in differences])
        kind = np.where(prompt.all(axis=0), PROMPT, NONE).astype(np.int8)
        kind[random.all(axis=0)] = RANDOM
        weight = np.where(kind == PROMPT, 1.0, 0.0)
        # The first and the last are prompt only where all are: the third is the one or the other.
        for pair, third in ((0, 2), (1, 0)):
            rows = np.flatnonzero(prompt[pair] & random[1 - pair] & random[2])
            kind[rows] = ONE_RANDOM
            early, late = (times[place][rows] for place in ((0, 1) if pair == 0 else (1, 2)))
            weight[rows] = -self._one_random(early, late, times.detector[rows, third])
        rows = np.flatnonzero(kind == RANDOM)
        weight[rows] = 2 * self._all_random(np.stack([side[rows] for side in times[:3]], axis=1), times.detector[rows])
        kind[weight == 0] = NONE
        return kind, weight

    def _is_random(self, apart: Integers) -> npt.NDArray[np.bool_]:
        found = np.zeros(apart.shape, np.bool_)
        for low, high in self.random:
            if low > 0:
                found |= (apart >= low) & (apart <= high)
        return found

    def _clock(self, detector: int) -> Clock:
        return self.clock.get((detector >> 16, detector & 0xFFFF), NO_STEPS)

    def _one_random(self, early: Integers, late: Integers, third: Integers) -> Floats:
        """w_p / w_r for the third hit of two: the number of times that it could have had in either."""
        detectors, of = np.unique(third, return_inverse=True)
        clocks = [self._clock(int(detector)) for detector in detectors]
        step, phase = (
            (np.array(values, np.int64).reshape(-1)[of] for values in zip(*clocks, strict=True)) if clocks else (of, of)
        )
        prompt = _times_in(late - self.reach_ps, early + self.reach_ps, step, phase)
        found: Floats = prompt / _times_random(early, late, self.random, step, phase)
        return found

    def _all_random(self, times: Integers, detector: Integers) -> Floats:
        """A_p / A_r for three hits each: of times and detectors, in rows of three."""
        detectors, places = np.unique(detector, return_inverse=True)
        clocks = [self._clock(int(number)) for number in detectors]
        # The detector with the coarsest clock comes first: the times that the others' clocks hold depend on it least.
        rank = np.argsort(np.argsort([-clock.step_ps for clock in clocks], kind="stable"))
        ranked = [clocks[place] for place in np.argsort(rank)]
        order = np.argsort(rank[places.reshape(-1, 3)], axis=1)
        sorted_ranks = np.take_along_axis(rank[places.reshape(-1, 3)], order, axis=1)
        first = np.take_along_axis(times, order[:, :1], axis=1)[:, 0]
        code = (sorted_ranks[:, 0] * len(clocks) + sorted_ranks[:, 1]) * len(clocks) + sorted_ranks[:, 2]
        ratios = np.empty(len(code))
        by_code = np.argsort(code, kind="stable")
        for rows in np.split(by_code, np.flatnonzero(np.diff(code[by_code])) + 1) if len(code) else ():
            three = tuple(ranked[place] for place in sorted_ranks[rows[0]])
            again = _period(self.reach_ps, self.random, three)
            phases, of = np.unique(first[rows] % again, return_inverse=True)
            found = [_ratio(self.reach_ps, self.random, three, int(phase)) for phase in phases]
            ratios[rows] = np.array(found)[of]
        return ratios


def random_rule(
    reach_ps: int | None, random: str | Sequence[AnyWindow], reject: str | int, *, of_events: bool
) -> PairRule | None:
    """The windows of each two hits of a triple, if there are random ones; invalid ones are reported at once.

    Raises:
        UsageError: they are impossible, or are asked for of a table of events.
    """
    if not random:
        return None
    if of_events or reach_ps is None:
        raise UsageError("random windows need single hits, because events end before them: form triples from hits")
    if random == AUTO:
        return PairRule(reach_ps, reject=reject)
    rule = PairRule(reach_ps, reject=reject, random=random)
    assert rule.regions
    TripleRegions(reach_ps, rule.regions.random)
    return rule


def measured_regions(rule: PairRule, hits: pl.LazyFrame, reorder_ps: int, *, auto: bool) -> TripleRegions:
    """The same with the steps of the clocks, and with the windows that `auto` finds, by the first hits of a run."""
    found = measured(rule, hits, auto=auto, reorder_ps=reorder_ps).regions
    assert found
    return TripleRegions(rule.window.high, found.random, found.clock)


def _times_in(low: Any, high: Any, step: Any, phase: Any) -> Any:
    """How many times of a clock lie from `low` to `high`, both included."""
    return np.maximum((high - phase) // step - (low - phase - 1) // step, 0)


def _times_random(one: Any, other: Any, random: Windows, step: Any, phase: Any) -> Any:
    """How many times of a clock lie in random windows of two hits both."""
    return sum(
        _times_in(np.maximum(one + a.low, other + b.low), np.minimum(one + a.high, other + b.high), step, phase)
        for a, b in product(random, random)
    )


def _overlap(windows: Sequence[Window], apart: float) -> float:
    """How long windows of one hit overlap those of another that is some time later."""
    return sum(max(min(a.high, b.high + apart) - max(a.low, b.low + apart), 0.0) for a, b in product(windows, windows))


def _area(windows: Windows) -> float:
    """The area of two time differences that lie in some windows, and the difference of which does too."""
    bends = {a - b for one, other in product(windows, windows) for a, b in product(one, other)}
    area = 0.0
    for low, high in windows:
        places = sorted({low, high, *(bend for bend in bends if low < bend < high)})
        lengths = [_overlap(windows, place) for place in places]  # linear between the bends
        area += float(np.trapezoid(lengths, places))
    return area


Three = tuple[Clock, ...]


def _fine(reach_ps: int, random: Windows, step_ps: int) -> bool:
    """Whether a clock's steps are too fine to matter."""
    return step_ps * FINE <= min(2 * reach_ps, sum(high - low for low, high in random))


def _period(reach_ps: int, random: Windows, clocks: Three) -> int:
    """Times of the first detector that differ by multiples of this see the same times of the others."""
    if _fine(reach_ps, random, clocks[1].step_ps):
        return 1
    return math.lcm(*(1 if _fine(reach_ps, random, clock.step_ps) else clock.step_ps for clock in clocks[1:]))


@lru_cache(maxsize=100_000)
def _ratio(reach_ps: int, random: Windows, clocks: Three, time_ps: int) -> float:
    """A_p / A_r of three detectors, the coarsest clock first, for a hit of the first at some time."""
    _, second, third = clocks
    if _fine(reach_ps, random, second.step_ps):
        return 3 * reach_ps**2 / _area(random)
    prompt = _ticks(time_ps - reach_ps, time_ps + reach_ps, second)
    both = _times_in(np.maximum(prompt, time_ps) - reach_ps, np.minimum(prompt, time_ps) + reach_ps, *third).sum()
    beside = 0
    for low, high in random:
        ticks = _ticks(time_ps + low, time_ps + high, second)
        beside += int(_times_random(time_ps, ticks, random, *third).sum())
    return float(both) / beside


def _ticks(low: int, high: int, clock: Clock) -> Integers:
    """The times of a clock from `low` to `high`, both included."""
    step, phase = clock
    return np.arange(-((phase - low) // step), (high - phase) // step + 1, dtype=np.int64) * step + phase
