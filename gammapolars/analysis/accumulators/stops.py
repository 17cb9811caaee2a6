"""How much of the time has a stop at hand."""

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.gaps import Gaps
from gammapolars.coincidences import PairRule
from gammapolars.core.flags import has_any, union
from gammapolars.core.units import PS_PER_S
from gammapolars.detectors.hits import is_of
from gammapolars.streaming.slices import run_of


class StopCover:
    """The time in which a start would find a stop in the window, by run.

    It is the union of one stretch a stop, as wide as the window: two stops closer than that share the rest. So it
    follows from the times between stops, be they at random or with dead time between them.
    """

    def __init__(self, rule: PairRule) -> None:
        assert rule.detectors
        self._stop = rule.detectors[1]
        self._mask = union(rule.reject)
        self._width_ps = rule.width_ps
        self._covered_ps: dict[int, int] = {}
        self._gaps = Gaps()

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if hits.is_empty():
            return
        run = run_of(hits)
        stop = is_of(self._stop)
        good = hits.lazy().filter(stop & ~has_any(self._mask) if self._mask else stop)
        times = good.select("timestamp_ps").collect()["timestamp_ps"].to_numpy()
        apart = np.minimum(self._gaps.of(run, times), self._width_ps)
        first = self._width_ps if len(apart) < len(times) else 0
        self._covered_ps[run] = self._covered_ps.get(run, 0) + first + int(apart.sum())

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

    def part(self, run: int, real_time_s: float) -> float:
        """The part of a run's time that stops cover: how probably a start finds one by chance."""
        covered_s = self._covered_ps.get(run, 0) / PS_PER_S
        return min(covered_s / real_time_s, 1.0) if real_time_s > 0 else 0.0
