"""Several time-ordered files as one time-ordered stream, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

Batches = Iterator[pl.DataFrame]


@dataclass(frozen=True)
class Source:
    """One file's hits.

    Attributes:
        first_ps: the time of its first hit; the file is not opened before the stream comes near it.
        batches: opens it and gives its hits in time order.
    """

    first_ps: int
    batches: Callable[[], Batches]


def merged(sources: list[Source]) -> Batches:
    """The hits of all sources in time order; hits of equal time in the order in which the sources begin.

    Files that follow each other are passed on as they are, one open at a time. Files that overlap are held with one
    batch each, and everything up to the earliest of the batches' ends is sorted together.
    """
    waiting = sorted(sources, key=lambda source: source.first_ps)
    active: list[_Cursor] = []
    while active or waiting:
        if not active:
            active = _opened(waiting.pop(0))
            continue
        horizon = min(cursor.last_ps for cursor in active)
        if waiting and waiting[0].first_ps <= horizon:
            active += _opened(waiting.pop(0))
            continue
        ready = [part for cursor in active if (part := cursor.take(horizon)).height]
        active = [cursor for cursor in active if cursor.advance()]
        yield ready[0] if len(ready) == 1 else pl.concat(ready).sort("timestamp_ps", maintain_order=True)


class _Cursor:
    """Where one source stands: the batch that it is in, up to the hit that was taken last."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._batch = pl.DataFrame({"timestamp_ps": []})

    @property
    def last_ps(self) -> int:
        return int(self._batch["timestamp_ps"][-1])

    def take(self, horizon_ps: int) -> pl.DataFrame:
        """All hits up to and at the horizon."""
        count = self._batch["timestamp_ps"].search_sorted(horizon_ps, side="right")
        part, self._batch = self._batch[:count], self._batch[count:]
        return part

    def advance(self) -> bool:
        """Go on to the next batch where this one is used up; False at the end of the source."""
        while self._batch.is_empty():
            following = next(self._batches, None)
            if following is None:
                return False
            self._batch = following
        return True


def _opened(source: Source) -> list[_Cursor]:
    cursor = _Cursor(source.batches())
    return [cursor] if cursor.advance() else []
