"""Rates over time."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.analysis.accumulators.hits import FewDetectors
from gammapolars.core.flags import has_any
from gammapolars.core.types import Integers, Key
from gammapolars.core.units import PS_PER_S
from gammapolars.spectra.tallies import count_by
from gammapolars.streaming.slices import run_of

MAX_TIME_BINS = 4096
SHOWN_TIME_BINS = 200

FEW_BINS, ROWS_PER_BIN = 10, 1000
"""More bins than the first, of fewer rows than the second, are counted together instead of each by itself."""

COLUMNS = {"board": pl.UInt16, "channel": pl.UInt16, "bin": pl.UInt32, "counts": pl.UInt64}


class Rates(Accumulator):
    """Counts of all hits by detector and time, in bins that double their width as the run goes on.

    The first bin begins with the first hit. With several runs, each begins where the one before ended.

    Args:
        origins_ps: by run, the time of its clock at which the first bin begins, as `origins` gives it: needed where
            hits are counted in parts that are to be merged, since only the first part sees that time.
        mask: flags of hits that do not count.
    """

    sees_removed = True

    def __init__(self, origins_ps: Mapping[int, int] | None = None, *, mask: int = 0) -> None:
        self._mask = mask
        self._given_ps = origins_ps or {}
        self._origins_ps: dict[int, int] = {}
        self._elapsed_ps = 0
        self._width_ps = PS_PER_S // 1024
        self._counts: dict[Key, Integers] = {}
        self._few = FewDetectors()

    def begin_at(self, origins_ps: Mapping[int, int]) -> None:
        """Let bins begin where those of the first part do: see `origins_ps`."""
        self._given_ps = dict(origins_ps)

    @staticmethod
    def origins(spans: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Where the first bin begins, by the clock of each run.

        Args:
            spans: the times (ps) of each run's first and last hit, in the order of the runs.
        """
        ends = np.cumsum([0, *(last - first for first, last in spans.values())]).tolist()
        return {run: first - before for (run, (first, _)), before in zip(spans.items(), ends, strict=False)}

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if hits.is_empty():
            return
        run, times = run_of(hits), hits["timestamp_ps"].to_numpy()
        origin = self._origins_ps.setdefault(run, self._given_ps.get(run, int(times[0]) - self._elapsed_ps))
        self._extend(int(times[-1]) - origin)
        if self._mask:
            hits = hits.filter(~has_any(self._mask))
            times = hits["timestamp_ps"].to_numpy()
        if hits.is_empty():
            return
        first, rows = self._stretches(times, origin)
        masks = self._few.masks(hits) if len(rows) <= FEW_BINS + hits.height // ROWS_PER_BIN else None
        if masks is None:
            self._add_grouped(hits, first, rows)
            return
        for key, mask in masks.items():
            counts = self._counts_of(key)
            for number, (begin, end) in enumerate(pairwise(rows), first):
                counts[number] += int(mask.slice(begin, end - begin).sum())

    @property
    def _last_bin(self) -> int:
        return self._elapsed_ps // self._width_ps

    def _extend(self, elapsed_ps: int) -> None:
        self._elapsed_ps = max(elapsed_ps, self._elapsed_ps)
        while self._last_bin >= MAX_TIME_BINS:
            self._widen()

    def _stretches(self, times: Integers, origin: int) -> tuple[int, list[int]]:
        """The first bin, and the rows where bins begin and end: times ascend, so that none need be divided."""
        first, last = (max(int(time) - origin, 0) // self._width_ps for time in (times[0], times[-1]))
        edges = origin + self._width_ps * np.arange(first + 1, last + 1)
        return first, [0, *np.searchsorted(times, edges).tolist(), len(times)]

    def _add_grouped(self, hits: pl.DataFrame, first: int, rows: list[int]) -> None:
        places = np.repeat(np.arange(len(rows) - 1, dtype=np.uint32), np.diff(rows))
        numbered = hits.select("board", "channel").with_columns(bin=pl.Series(places))
        self._add_table(count_by(numbered, ("board", "channel", "bin")), first)

    def _add_table(self, table: pl.DataFrame, first: int = 0) -> None:
        """Add counts by detector and bin, whose numbers count from the first one on."""
        for (board, channel), part in table.group_by("board", "channel"):
            np.add.at(self._counts_of((board, channel)), part["bin"].to_numpy() + first, part["counts"].to_numpy())

    def _counts_of(self, key: Key) -> Integers:
        return self._counts.setdefault(key, np.zeros(MAX_TIME_BINS, np.int64))

    def _widen(self) -> None:
        for counts in self._counts.values():
            counts[:] = np.pad(counts.reshape(-1, 2).sum(axis=1), (0, MAX_TIME_BINS // 2))
        self._width_ps *= 2

    def _filled(self) -> pl.DataFrame:
        """`board`, `channel`, `bin`, `counts` of all filled bins."""
        counts = np.array([*self._counts.values()]).reshape(-1, MAX_TIME_BINS)
        place, bins = np.nonzero(counts)
        keys = np.array([*self._counts], np.int64).reshape(-1, 2)[place]
        return pl.DataFrame([*keys.T, bins, counts[place, bins]], COLUMNS)

    def state(self) -> State:
        return {
            "origins_ps": dict(self._origins_ps),
            "elapsed_ps": self._elapsed_ps,
            "width_ps": self._width_ps,
            "counts": self._filled(),
        }

    def merge(self, state: State) -> None:
        """Add the state of the stretch that follows.

        Raises:
            ValueError: its bins begin elsewhere: see `origins_ps`.
        """
        if not self._origins_ps:
            self._given_ps = {**state["origins_ps"], **self._given_ps}
        for run, origin in state["origins_ps"].items():
            if origin != self._origins_ps.get(run, self._given_ps.get(run)):
                raise ValueError(
                    f"the time bins of run {run} start at different times in its parts: give origins_ps for both"
                )
        self._origins_ps |= state["origins_ps"]
        self._extend(state["elapsed_ps"])
        while self._width_ps < state["width_ps"]:
            self._widen()
        self._add_table(state["counts"].with_columns(pl.col("bin") // (self._width_ps // state["width_ps"])))

    def table(self) -> pl.DataFrame:
        """`board`, `channel`, `time_s` (bin centre since the first hit), `width_s`, `counts`, `rate_cps`: all bins.

        The last bin is left out where the run ends within it, unless it is the only one.
        """
        while self._last_bin >= SHOWN_TIME_BINS:
            self._widen()
        bins, width_s = max(self._last_bin, 1), self._width_ps / PS_PER_S
        seen = sorted(key for key, counts in self._counts.items() if counts.any())
        shown = np.array([self._counts[key][:bins] for key in seen]).reshape(-1)
        ends = np.repeat(np.array(seen, np.uint16).reshape(-1, 2), bins, axis=0)
        table = pl.DataFrame({"board": ends[:, 0], "channel": ends[:, 1], "counts": shown.astype(np.uint64)})
        place = np.tile(np.arange(bins), len(seen))
        return table.select(
            "board",
            "channel",
            time_s=pl.Series((place + 0.5) * width_s),
            width_s=pl.lit(width_s),
            counts="counts",
            rate_cps=pl.col("counts") / width_s,
        )
