"""Starts and stops within gates of their energies, the times between stops, and how much of the time has one near."""

from collections import Counter

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.analysis.accumulators.intervals import Gaps, Intervals
from gammapolars.coincidences import PairRule
from gammapolars.core.flags import has_any, union
from gammapolars.core.types import Integers
from gammapolars.core.units import PS_PER_S
from gammapolars.detectors.hits import is_of
from gammapolars.streaming.slices import run_of

Gates = tuple[pl.Expr | None, pl.Expr | None]


class Ends(Accumulator):
    """Used hits of a start and a stop detector in their gates, by run.

    Args:
        rule: names the detectors, and the flags that reject a hit.
        gates: of the start and of the stop: whether a hit lies in it; None: all do.
        bin_ps: of the times between stops; 0: they are not needed.

    Attributes:
        counts: starts and stops by run.
        intervals: times between all hits of the two detectors.
    """

    sees_removed = True

    def __init__(self, rule: PairRule, gates: Gates, bin_ps: int = 0) -> None:
        assert rule.detectors
        self._ends = rule.detectors
        self._gates = gates
        self._mask = union(rule.reject)
        self.counts: dict[int, list[int]] = {}
        self.intervals = Intervals()
        self._bin_ps = bin_ps
        self._apart = np.zeros(rule.width_ps // bin_ps + 2 if bin_ps else 0, np.int64)
        self._gaps: Gaps[int] = Gaps()

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if hits.is_empty():
            return
        run = run_of(hits)
        start, stop = (is_of(end) for end in self._ends)
        both = hits.lazy().filter(start | stop)
        self.intervals.add_hits(both.collect())
        good = both.filter(~has_any(self._mask)) if self._mask else both
        numbers = self.counts.setdefault(run, [0, 0])
        for place, (end, gate) in enumerate(zip((start, stop), self._gates, strict=True)):
            inside = good.filter(end if gate is None else end & gate).select("timestamp_ps").collect()["timestamp_ps"]
            numbers[place] += len(inside)
            if place == 1 and self._bin_ps:
                self._add_apart(self._gaps.before(run, inside.to_numpy()))

    def _add_apart(self, gaps_ps: Integers) -> None:
        bins = np.minimum(gaps_ps // self._bin_ps, len(self._apart) - 1)
        self._apart += np.bincount(bins, minlength=len(self._apart))

    def state(self) -> State:
        return {
            "counts": {run: tuple(numbers) for run, numbers in self.counts.items()},
            "intervals": self.intervals.state(),
            "apart": pl.DataFrame({"counts": self._apart}),
            "stops": self._gaps.state(),
        }

    def merge(self, state: State) -> None:
        for run, numbers in state["counts"].items():
            self.counts[run] = [one + more for one, more in zip(self.counts.get(run, (0, 0)), numbers, strict=True)]
        self.intervals.merge(state["intervals"])
        self._apart += state["apart"]["counts"].to_numpy()
        if seams := self._gaps.join(state["stops"]):
            self._add_apart(np.array(list(seams.values())))

    @property
    def starts(self) -> int:
        """How many starts there are in all runs."""
        return sum(starts for starts, _ in self.counts.values())

    @property
    def longer(self) -> npt.NDArray[np.float64]:
        """The part of the times between stops that are longer than k + ½ bins."""
        total = max(int(self._apart.sum()), 1)
        return np.asarray(1 - (np.cumsum(self._apart) - self._apart / 2) / total, np.float64)


class StopCover(Accumulator):
    """The time in which a start would find a stop in the window, by run.

    It is the union of one stretch a stop, as wide as the window: two stops closer than that share the rest. So it
    follows from the times between stops, be they at random or with dead time between them.
    """

    def __init__(self, rule: PairRule) -> None:
        assert rule.detectors
        self._stop = rule.detectors[1]
        self._mask = union(rule.reject)
        self._width_ps = rule.width_ps
        self._between_ps: Counter[int] = Counter()  # without the stretch of a run's first stop
        self._gaps: Gaps[int] = Gaps()

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        run = run_of(hits)
        stop = is_of(self._stop)
        good = hits.lazy().filter(stop & ~has_any(self._mask) if self._mask else stop)
        times = good.select("timestamp_ps").collect()["timestamp_ps"].to_numpy()
        self._between_ps[run] += int(np.minimum(self._gaps.before(run, times), self._width_ps).sum())

    def state(self) -> State:
        return {"between_ps": dict(self._between_ps), "stops": self._gaps.state()}

    def merge(self, state: State) -> None:
        self._between_ps.update(state["between_ps"])
        self._between_ps.update({run: min(ps, self._width_ps) for run, ps in self._gaps.join(state["stops"]).items()})

    def part(self, run: int, real_time_s: float) -> float:
        """The part of a run's time that stops cover: the probability that a start has a random one."""
        first_ps = self._width_ps if run in self._gaps.spans else 0
        covered_s = (self._between_ps[run] + first_ps) / PS_PER_S
        return min(covered_s / real_time_s, 1.0) if real_time_s > 0 else 0.0
