"""Pairs within a window by their detectors."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable
from gammapolars.core.types import Key
from gammapolars.core.units import Window
from gammapolars.spectra.tallies import Histogram

KEYS = ("board_a", "channel_a", "board_b", "channel_b")


class PairTally(Accumulator):
    """Pairs within a window by their two detectors, and next to them those in random windows."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._prompt, self._random = Histogram(*KEYS), Histogram(*KEYS)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        low, high = self._window
        dt = pairs["dt_ps"].to_numpy()
        prompt = (dt >= low) & (dt <= high)
        if "region" in pairs.columns:
            random = (pairs["region"] == "random").to_numpy()
            self._random.add(pairs, np.flatnonzero(random))
            prompt &= ~random
        self._prompt.add(pairs, np.flatnonzero(prompt))

    def parts(self) -> Mapping[str, Mergeable]:
        return {"prompt": self._prompt, "random": self._random}

    def counts(self) -> dict[tuple[Key, Key], int]:
        """Pairs by (detector, detector), the lower (board, channel) first."""
        return _by_detectors(self._prompt)

    def random_counts(self) -> dict[tuple[Key, Key], int]:
        """The same of the pairs in random windows."""
        return _by_detectors(self._random)


def _by_detectors(tally: Histogram) -> dict[tuple[Key, Key], int]:
    counts: dict[tuple[Key, Key], int] = {}
    for row in tally.total().iter_rows(named=True):
        ends = sorted([(row["board_a"], row["channel_a"]), (row["board_b"], row["channel_b"])])
        key = (ends[0], ends[1])
        counts[key] = counts.get(key, 0) + row["counts"]
    return counts
