"""Pairs within a window by their detectors."""

import polars as pl

from gammapolars.tallies import Tally, count_by
from gammapolars.units import Window

KEYS = {"board_a": 16, "channel_a": 16, "board_b": 16, "channel_b": 16}

Key = tuple[int, int]


class PairTally:
    """Pairs within a window by their two detectors, and beside them those in random windows."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._prompt, self._random = Tally(*KEYS), Tally(*KEYS)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Hits change nothing here."""

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        if "region" in pairs.columns:
            random = pl.col("region") == "random"
            self._random.add(count_by(pairs.filter(random), KEYS))
            pairs = pairs.filter(~random)
        within = pairs.filter(pl.col("dt_ps").is_between(*self._window))
        self._prompt.add(count_by(within, KEYS))

    def counts(self) -> dict[tuple[Key, Key], int]:
        """Pairs by (detector, detector), the lower (board, channel) first."""
        return _by_detectors(self._prompt)

    def random_counts(self) -> dict[tuple[Key, Key], int]:
        """The same of the pairs in random windows."""
        return _by_detectors(self._random)


def _by_detectors(tally: Tally) -> dict[tuple[Key, Key], int]:
    found: dict[tuple[Key, Key], int] = {}
    for row in tally.total().iter_rows(named=True):
        ends = sorted([(row["board_a"], row["channel_a"]), (row["board_b"], row["channel_b"])])
        key = (ends[0], ends[1])
        found[key] = found.get(key, 0) + row["counts"]
    return found
