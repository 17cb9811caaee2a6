"""Pairs within a window by their detectors."""

import polars as pl

from gammapolars.tallies import Tally, count_by
from gammapolars.units import Window


class PairTally:
    """Pairs within a window by their two detectors."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._tally = Tally("board_a", "channel_a", "board_b", "channel_b")

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        within = pairs.filter(pl.col("dt_ps").is_between(*self._window))
        self._tally.add(count_by(within, {"board_a": 16, "channel_a": 16, "board_b": 16, "channel_b": 16}))

    def counts(self) -> dict[tuple[tuple[int, int], tuple[int, int]], int]:
        """Pairs by (detector, detector), the lower (board, channel) first."""
        found: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}
        for row in self._tally.total().iter_rows(named=True):
            ends = sorted([(row["board_a"], row["channel_a"]), (row["board_b"], row["channel_b"])])
            key = (ends[0], ends[1])
            found[key] = found.get(key, 0) + row["counts"]
        return found
