"""Rates over time."""

from itertools import pairwise

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.few_detectors import FewDetectors
from gammapolars.core.types import Integers, Key
from gammapolars.core.units import PS_PER_S
from gammapolars.spectra.tallies import count_by
from gammapolars.streaming.slices import run_of

MAX_TIME_BINS = 4096
SHOWN_TIME_BINS = 200

FEW_BINS, ROWS_PER_BIN = 10, 1000
"""More bins than the first, of fewer rows than the second, are counted together instead of each by itself."""


class Rates:
    """Counts of all hits by detector and time, in bins that double their width as the run goes on.

    Of several runs, each begins where the one before ended.
    """

    def __init__(self) -> None:
        self._run: int | None = None
        self._origin_ps = 0
        self._elapsed_ps = 0
        self._width_ps = PS_PER_S // 1024
        self._counts: dict[Key, Integers] = {}
        self._last_bin = 0
        self._few = FewDetectors()

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        if hits.is_empty():
            return
        run = run_of(hits)
        if run != self._run:
            self._run, self._origin_ps = run, int(hits["timestamp_ps"][0]) - self._elapsed_ps
        self._elapsed_ps = int(hits["timestamp_ps"][-1]) - self._origin_ps
        self._last_bin = max(self._last_bin, self._elapsed_ps // self._width_ps)
        while self._last_bin >= MAX_TIME_BINS:
            self._widen()
        first, rows = self._stretches(hits["timestamp_ps"].to_numpy())
        masks = self._few.masks(hits) if len(rows) <= FEW_BINS + hits.height // ROWS_PER_BIN else None
        if masks is None:
            self._add_grouped(hits, first, rows)
            return
        for key, mask in masks.items():
            counts = self._counts_of(key)
            for number, (begin, end) in enumerate(pairwise(rows), first):
                counts[number] += np.count_nonzero(mask[begin:end])

    def _stretches(self, times: Integers) -> tuple[int, list[int]]:
        """The first bin, and the rows where bins begin and end: times ascend, so that none need be divided."""
        first, last = ((int(time) - self._origin_ps) // self._width_ps for time in (times[0], times[-1]))
        edges = self._origin_ps + self._width_ps * np.arange(first + 1, last + 1)
        return first, [0, *np.searchsorted(times, edges).tolist(), len(times)]

    def _add_grouped(self, hits: pl.DataFrame, first: int, rows: list[int]) -> None:
        places = np.repeat(np.arange(len(rows) - 1, dtype=np.uint32), np.diff(rows))
        numbered = hits.select("board", "channel").with_columns(bin=pl.Series(places))
        counted = count_by(numbered, ("board", "channel", "bin"))
        for (board, channel), part in counted.group_by("board", "channel"):
            self._counts_of((board, channel))[part["bin"].to_numpy() + first] += part["counts"].to_numpy()

    def _counts_of(self, key: Key) -> Integers:
        return self._counts.setdefault(key, np.zeros(MAX_TIME_BINS, np.int64))

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

    def _widen(self) -> None:
        for counts in self._counts.values():
            counts[:] = np.pad(counts.reshape(-1, 2).sum(axis=1), (0, MAX_TIME_BINS // 2))
        self._width_ps *= 2
        self._last_bin //= 2

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
