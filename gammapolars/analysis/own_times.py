"""The times whose hits are a task's own: it reads others too, for their pairs."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.core.types import Integers
from gammapolars.streaming.slices import Slice

ALWAYS = (-(2**63), 2**63 - 1)
"""All times."""


@dataclass
class OwnTimes:
    """From when to when hits are a reader's own.

    Where hits belong together by chains, such as those of an event, a chain is not cut: they are its own from the first
    gap on that is wide enough, at or behind the first of these times, to such a gap at or behind the end. Who reads on
    from there finds the same gap, as long as both read far enough.

    Attributes:
        first_ps: the first of these times.
        end_ps: the time after the last.
        gap_ps: no chain goes on across a gap that is wider; None: there are no chains.
        read_until_ps: all hits before this time are read.
        hits: how many have been seen.
    """

    first_ps: int
    end_ps: int
    gap_ps: int | None = None
    read_until_ps: int = ALWAYS[1]
    hits: int = 0
    _before_ps: int | None = None
    _has_begun: bool = False
    _has_ended: bool = False

    def __post_init__(self) -> None:
        self._has_begun = self.first_ps == ALWAYS[0]

    def in_slice(self, part: Slice) -> Slice:
        """A slice with fewer hits of its own, maybe none."""
        if self.gap_ps is not None:
            first, end = self._between_gaps(part.own)
            first, end = part.first + first, part.first + end
        else:
            first, end = self._rows(part.hits)
            first, end = max(part.first, first), min(part.end, end)
        self.hits += max(end - first, 0)
        return part._replace(first=first, end=max(end, first))

    def in_frame(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Those of some hits, in time order, that are its own."""
        first, end = self._rows(hits) if self.gap_ps is None else self._between_gaps(hits)
        self.hits += end - first
        return hits[first:end]

    @property
    def is_open(self) -> bool:
        """Whether the end of the last chain has not been seen, when all hits have."""
        if self.gap_ps is None or self.end_ps == ALWAYS[1]:
            return False
        last = self.read_until_ps - self.gap_ps
        has_gap = self._before_ps is None or self._before_ps < last
        return not (self._has_ended or has_gap) or not (self._has_begun or has_gap)

    def _rows(self, hits: pl.DataFrame) -> tuple[int, int]:
        times = hits["timestamp_ps"]
        if times.is_empty() or (times[0] >= self.first_ps and times[-1] < self.end_ps):
            return 0, times.len()
        first, end = (int(times.search_sorted(time, side="left")) for time in (self.first_ps, self.end_ps))
        return first, end

    def _between_gaps(self, hits: pl.DataFrame) -> tuple[int, int]:
        """The rows of hits in time order, that follow those before, that lie between the gaps."""
        times = hits["timestamp_ps"].to_numpy()
        if not len(times):
            return 0, 0
        first = end = 0 if self._has_ended else len(times)
        if self._has_begun:
            first = 0
        elif (gap := self._gap(times, self.first_ps)) is not None:
            first, self._has_begun = gap, True
        if not self._has_ended and (gap := self._gap(times, self.end_ps)) is not None:
            end, self._has_ended = gap, True
        self._before_ps = int(times[-1])
        return min(first, end), end

    def _gap(self, times: Integers, from_ps: int) -> int | None:
        """The first row, at or behind a time, before which there is a gap; None: there is none."""
        assert self.gap_ps is not None
        row = int(np.searchsorted(times, from_ps))
        if row == len(times):
            return None
        before = times[row - 1] if row else self._before_ps
        if before is None or times[row] - before > self.gap_ps:
            return row
        wide = np.flatnonzero(np.diff(times[row:]) > self.gap_ps)
        return row + int(wide[0]) + 1 if len(wide) else None
