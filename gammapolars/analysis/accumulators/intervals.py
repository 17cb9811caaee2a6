"""Times between successive hits of each detector."""

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.flags import FLAGS, has_any
from gammapolars.core.types import Floats, Key
from gammapolars.streaming.slices import run_of

PER_OCTAVE = 32
OCTAVES = 60
"""Bins of times between hits: from 1 ps to 13 days, 2 % wide each."""


class Intervals:
    """Times between successive hits of each detector, in bins of their logarithm, with their sums.

    Hits with flags count too, saturated and piled up ones as well: they have made the detector busy like any other, and
    without them two intervals would become a long one. Fake events do not: the digitizer writes them to mark a time,
    and nothing was detected. Nothing is counted across two runs.

    Attributes:
        counts: by detector, (bins,).
        sums_ps: the sum of the intervals in each bin, so that means above any bin's edge are exact.
        shortest_ps: by detector.
        spans: the times (ps) of a detector's first and last hit, by run and detector.
    """

    def __init__(self) -> None:
        self.counts: dict[Key, Floats] = {}
        self.sums_ps: dict[Key, Floats] = {}
        self.shortest_ps: dict[Key, int] = {}
        self.spans: dict[tuple[int, Key], tuple[int, int]] = {}
        self._last: dict[Key, int] = {}
        self._run: int | None = None

    @staticmethod
    def edges_ps() -> Floats:
        """The bins' edges; below the first lie times of 0."""
        return np.asarray(2.0 ** (np.arange(PER_OCTAVE * OCTAVES + 1) / PER_OCTAVE), np.float64)

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if hits.is_empty():
            return
        run = run_of(hits)
        if run != self._run:
            self._run, self._last = run, {}
        if "flags" in hits.columns:
            hits = hits.filter(~has_any(FLAGS["fake_event"]))
        for (board, channel), part in hits.select("board", "channel", "timestamp_ps").group_by("board", "channel"):
            key = int(board), int(channel)
            self._add(key, np.sort(part["timestamp_ps"].to_numpy()))

    def _add(self, key: Key, times: npt.NDArray[np.int64]) -> None:
        if key in self._last:
            times = np.concatenate([[self._last[key]], times])
        self._last[key] = int(times[-1])
        run = self._run or 1
        self.spans[run, key] = (self.spans.get((run, key), (int(times[0]), 0))[0], int(times[-1]))
        intervals = np.diff(times)
        if not len(intervals):
            return
        place = np.clip(np.floor(np.log2(np.maximum(intervals, 1)) * PER_OCTAVE), 0, PER_OCTAVE * OCTAVES - 1)
        bins = place.astype(np.int64)
        size = PER_OCTAVE * OCTAVES
        self.counts.setdefault(key, np.zeros(size))
        self.sums_ps.setdefault(key, np.zeros(size))
        self.counts[key] += np.bincount(bins, minlength=size)
        self.sums_ps[key] += np.bincount(bins, weights=intervals, minlength=size)
        self.shortest_ps[key] = min(int(intervals.min()), self.shortest_ps.get(key, 2**62))

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""
