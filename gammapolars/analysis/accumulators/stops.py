"""How much of the time has a stop at hand."""

from collections import Counter

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.analysis.accumulators.gaps import Gaps
from gammapolars.coincidences import PairRule
from gammapolars.core.flags import has_any, union
from gammapolars.core.units import PS_PER_S
from gammapolars.detectors.hits import is_of
from gammapolars.streaming.slices import run_of


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
        """The part of a run's time that stops cover: how probably a start finds one by chance."""
        first_ps = self._width_ps if run in self._gaps.spans else 0
        covered_s = (self._between_ps[run] + first_ps) / PS_PER_S
        return min(covered_s / real_time_s, 1.0) if real_time_s > 0 else 0.0
