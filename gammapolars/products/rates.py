"""Rates over time."""

import numpy as np
import polars as pl

from gammapolars.tallies import Tally, count_by
from gammapolars.units import PS_PER_S

MAX_TIME_BINS = 4096
SHOWN_TIME_BINS = 200


class Rates:
    """Counts of all hits by detector and time, in bins that double their width as the run goes on.

    Of several runs, each begins where the one before ended.
    """

    def __init__(self) -> None:
        self._run: int | None = None
        self._origin_ps = 0
        self._elapsed_ps = 0
        self._width_ps = PS_PER_S // 1024
        self._tally = Tally("board", "channel", "bin")
        self._last_bin = 0

    def add_hits(self, hits: pl.DataFrame) -> None:
        if hits.is_empty():
            return
        run = int(hits["run"][0]) if "run" in hits.columns else 1
        if run != self._run:
            self._run, self._origin_ps = run, int(hits["timestamp_ps"][0]) - self._elapsed_ps
        self._elapsed_ps = int(hits["timestamp_ps"][-1]) - self._origin_ps
        self._last_bin = max(self._last_bin, self._elapsed_ps // self._width_ps)
        while self._last_bin >= MAX_TIME_BINS:
            self._widen()
        self._tally.add(self._counted(hits))

    def _counted(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits by detector and bin; times ascend, so that bins are stretches of rows, found without dividing."""
        times = hits["timestamp_ps"].to_numpy()
        first = (int(times[0]) - self._origin_ps) // self._width_ps
        last = (int(times[-1]) - self._origin_ps) // self._width_ps
        edges = self._origin_ps + self._width_ps * np.arange(first + 1, last + 1)
        rows = np.concatenate([[0], np.searchsorted(times, edges), [len(times)]])
        places = np.repeat(np.arange(last - first + 1, dtype=np.uint32), np.diff(rows))
        numbered = hits.select("board", "channel").with_columns(bin=pl.Series(places))
        counted = count_by(numbered, {"board": 16, "channel": 16, "bin": 32})
        return counted.with_columns(pl.col("bin") + pl.lit(first, pl.UInt32))

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

    def _widen(self) -> None:
        before, self._tally = self._tally.total(), Tally("board", "channel", "bin")
        if before.height:
            self._tally.add(before.with_columns(pl.col("bin") // 2))
        self._width_ps *= 2
        self._last_bin //= 2

    def table(self) -> pl.DataFrame:
        """`board`, `channel`, `time_s` (bin centre since the first hit), `width_s`, `counts`, `rate_cps`: all bins.

        The last bin is left out where the run ends within it, unless it is the only one.
        """
        while self._last_bin >= SHOWN_TIME_BINS:
            self._widen()
        width_s = self._width_ps / PS_PER_S
        counted = self._tally.total()
        schema = {"board": pl.UInt16, "channel": pl.UInt16, "time_s": pl.Float64, "width_s": pl.Float64}
        if counted.is_empty():
            return pl.DataFrame(schema=schema | {"counts": pl.UInt64, "rate_cps": pl.Float64})
        every = pl.DataFrame({"bin": range(max(self._last_bin, 1))}, {"bin": pl.UInt32})
        return (
            counted.select("board", "channel")
            .unique()
            .join(every, how="cross")
            .join(counted, on=["board", "channel", "bin"], how="left")
            .with_columns(pl.col("counts").fill_null(0), time_s=(pl.col("bin") + 0.5) * width_s, width_s=width_s)
            .with_columns(rate_cps=pl.col("counts") / width_s)
            .sort("board", "channel", "bin")
            .select(*schema, "counts", "rate_cps")
        )
