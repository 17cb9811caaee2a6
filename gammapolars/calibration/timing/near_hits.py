"""Hits of two boards that wait to be paired, and their pairs near a moving time difference."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gammapolars.core.types import Floats, Integers


class Waiting:
    """Hits of a board in time order: `time_ps` and `channel`."""

    def __init__(self) -> None:
        self.time_ps = np.zeros(0, np.int64)
        self.channel = np.zeros(0, np.int64)

    def add(self, time_ps: Integers, channel: Integers) -> None:
        """Append later hits."""
        self.time_ps, self.channel = np.append(self.time_ps, time_ps), np.append(self.channel, channel)

    def drop_before(self, time_ps: float) -> None:
        """Forget hits before a time."""
        first = int(np.searchsorted(self.time_ps, time_ps))
        self.time_ps, self.channel = self.time_ps[first:], self.channel[first:]


def near(
    a: Integers, b: Integers, middle_ps: Floats, reach_ps: Floats
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For each hit a, the first hit b that lies within ±`reach_ps` of `middle_ps` after it, and how many do."""
    low = np.searchsorted(b, a + np.ceil(middle_ps - reach_ps).astype(np.int64))
    high = np.searchsorted(b, a + np.floor(middle_ps + reach_ps).astype(np.int64), side="right")
    return low, np.maximum(high - low, 0)


def rows_of_pairs(low: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]) -> tuple[Integers, Integers]:
    """The rows of a and b of all pairs that `near` found."""
    rows_a = np.repeat(np.arange(len(low)), counts)
    behind = np.arange(len(rows_a)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows_a, low[rows_a] + behind


def by_channels(channel_a: Integers, channel_b: Integers) -> Iterator[tuple[tuple[int, int], npt.NDArray[np.intp]]]:
    """The rows of each two channels."""
    code = channel_a << 16 | channel_b
    for one in np.unique(code).tolist():
        yield (one >> 16, one & 0xFFFF), np.flatnonzero(code == one)
