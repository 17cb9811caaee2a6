"""Several files as one time-ordered stream, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from gammapolars.core.errors import TimeOrderError
from gammapolars.streaming.epochs import Epoch, epochs
from gammapolars.streaming.time_order import Batches, OnRepair, continuous, reordered
from gammapolars.streaming.wild_times import OnWild

ORDER_COLUMNS = ("board", "channel", "timestamp_ps", "flags")
"""Columns on which the time order of several files depends."""

ROWS = 2_000_000
"""This many rows are read at once of all files together, if there are not very many."""

LEAST_ROWS, MOST_ROWS = 16_384, 500_000
"""The least and the most rows that are read at once of each file."""


@dataclass(frozen=True)
class Source:
    """The hits of one file, or of files that follow each other.

    Attributes:
        first_ps: the time of its first hit; it is not opened before the stream comes near it.
        batches: opens it and gives its hits as recorded.
        detector: (board, channel) of its first hit: of hits at the same time, the lower detector's come first.
        name: for messages.
        on_wild: called with hits with an impossible time, and whether they are left out.
    """

    first_ps: int
    batches: Callable[[], Batches]
    detector: tuple[int, int] = (0, 0)
    name: str = ""
    on_wild: OnWild | None = None

    def epochs(self, reorder_ps: int, *, disorder: bool = False, by_flag: bool = False) -> Iterator[Epoch]:
        """Its hits, cut where the clock starts again; see `gammapolars.epochs.epochs`."""
        cut = epochs(
            self.batches,
            reorder_ps=reorder_ps,
            begin_ps=self.first_ps,
            disorder=disorder,
            by_flag=by_flag,
            on_wild=self.on_wild,
        )
        for epoch in cut:
            epoch.batches = self._naming_errors(epoch.batches)
            yield epoch

    def _naming_errors(self, batches: Batches) -> Batches:
        try:
            yield from batches
        except TimeOrderError as error:
            raise TimeOrderError(f"in {self.name}, {error.what}" if self.name else error.what, error.advice) from None


def merged(sources: list[Source], *, reorder_ps: int = 0, on_repair: OnRepair | None = None) -> Batches:
    """The hits of all sources in time order; hits of equal time by their sources' detectors, then as sources are given.

    Sources that follow each other are passed on as they are, one open at a time. If they overlap, one to two
    batches each are held, and everything before the earliest of the batches' ends is sorted together. An epoch of all
    sources comes before the next epoch of any, and times go on by the same offset in all.

    Args:
        sources: recorded by the same clock.
        reorder_ps: how far back in time a source's hit may lie and still be put in its place.
        on_repair: called with each reset and rollover of the timestamps.

    Raises:
        TimeOrderError: a hit lies further back.
    """

    def combine(parts: list[Epoch]) -> Batches:
        return merge([Stream(part.begin_ps - reorder_ps, reordered(part.batches, reorder_ps)) for part in parts])

    recordings = [source.epochs(reorder_ps, by_flag=len(sources) > 1) for source in ranked(sources)]
    yield from continuous(recordings, combine, on_repair)


def share_of_rows(sources: int) -> int:
    """How many rows to read at once of each source, so that as many as may be open fit into memory together."""
    return min(max(ROWS // sources, LEAST_ROWS), MOST_ROWS)


def ranked(sources: list[Source]) -> list[Source]:
    """Sources in the order in which their hits of equal time come."""
    return sorted(sources, key=lambda source: source.detector)


class Stream(NamedTuple):
    """Hits in time order.

    Attributes:
        begin_ps: no hit lies before; nothing is read before the merged stream is near it.
        batches: the hits.
    """

    begin_ps: int
    batches: Batches


def merge(streams: list[Stream]) -> Batches:
    """The hits of all streams in time order; hits of equal time in the order of the streams."""
    cursors = [_Cursor(rank, stream) for rank, stream in enumerate(streams)]
    waiting = sorted(cursors, key=lambda cursor: cursor.begin_ps)
    active: list[_Cursor] = []
    while active or waiting:
        if not active:
            active = _opened(waiting.pop(0))
            continue
        horizon = min((cursor.last_ps for cursor in active if not cursor.ended), default=None)
        reach = max(cursor.last_ps for cursor in active) if horizon is None else horizon
        if waiting and waiting[0].begin_ps <= reach:
            active = sorted(active + _opened(waiting.pop(0)), key=lambda cursor: cursor.rank)
            continue
        if len(active) == 1:
            horizon = None
        ready = [part for cursor in active if (part := cursor.take(horizon)).height]
        active = [cursor for cursor in active if cursor.read_on()]
        yield ready[0] if len(ready) == 1 else pl.concat(ready).sort("timestamp_ps", maintain_order=True)


def _opened(cursor: "_Cursor") -> list["_Cursor"]:
    return [cursor] if cursor.read_on() else []


class _Cursor:
    """State of one stream: the hits that have been read from it and not yet been taken.

    Attributes:
        rank: hits of equal time come in the order of their streams' ranks.
        begin_ps: no hit lies before.
        ended: whether nothing is left to be read.
    """

    def __init__(self, rank: int, stream: Stream) -> None:
        self.rank = rank
        self.begin_ps = stream.begin_ps
        self.ended = False
        self._batches = stream.batches
        self._rows = pl.DataFrame({"timestamp_ps": []})
        self._enough = 1

    @property
    def last_ps(self) -> int:
        """Time of the last hit that has been read."""
        return int(self._rows["timestamp_ps"][-1])

    def take(self, horizon_ps: int | None) -> pl.DataFrame:
        """All hits before the horizon. Those at it wait for others of the same time that have not been read yet."""
        times = self._rows["timestamp_ps"]
        count = times.len() if horizon_ps is None else int(times.search_sorted(horizon_ps, side="left"))
        part, self._rows = self._rows[:count], self._rows[count:]
        return part

    def read_on(self) -> bool:
        """Read the next batch where less than half a batch, or only hits of one time, are left; False at the end."""
        while not self.ended and (self._rows.height < self._enough or self.last_ps == self._rows["timestamp_ps"][0]):
            batch = next(self._batches, None)
            if batch is None:
                self.ended = True
            else:
                self._rows = pl.concat([self._rows, batch]) if self._rows.height else batch
                self._enough = max(batch.height // 2, 1)
        return not self._rows.is_empty()
