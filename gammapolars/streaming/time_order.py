"""Time order: hits out of order within a buffer are put in place, and clocks that start again are made to go on."""

from collections.abc import Callable, Iterable, Iterator

import polars as pl

from gammapolars.core import defaults
from gammapolars.core.errors import TimeOrderError
from gammapolars.core.units import format_ps, parse_ps
from gammapolars.streaming.clock import Clock, OnRepair
from gammapolars.streaming.epochs import Epoch, epochs

REORDER_PS = parse_ps(defaults.REORDER)
"""How far back in time a hit may lie and still be put in its place."""

FLUSH_HITS = 1_000_000
"""So many hits of a disordered stream gather before they are given out."""

Batches = Iterator[pl.DataFrame]


def time_ordered(
    batches: Iterable[pl.DataFrame], *, reorder_ps: int = REORDER_PS, on_repair: OnRepair | None = None
) -> Batches:
    """Hits in time order, out of a stream in which a hit may lie up to `reorder_ps` behind the latest before it.

    A batch waits until no later hit can belong before its end, so at most two batches are held. Hits of equal time
    keep their order. Where flags tell that the timestamps were reset or rolled over, times go on all the same: see
    `Clock`.

    Args:
        batches: frames with a column `timestamp_ps`, and `flags` if resets are to be repaired.
        reorder_ps: the largest step back that is put in place, in picoseconds.
        on_repair: told of each reset and rollover.

    Raises:
        TimeOrderError: a hit lies further back; the message says which, where and how far.
    """
    recording = epochs(lambda: iter(batches), reorder_ps=reorder_ps)
    yield from continuous([recording], lambda parts: reordered(parts[0].batches, reorder_ps), on_repair)


def continuous(
    recordings: list[Iterator[Epoch]], combine: Callable[[list[Epoch]], Batches], on_repair: OnRepair | None = None
) -> Batches:
    """The hits of one epoch of all recordings after those of the epoch before, with times that go on.

    Args:
        recordings: streams that were recorded by the same clock.
        combine: makes one stream, in time order, of what the recordings hold of one epoch.
        on_repair: told of each reset and rollover.

    Raises:
        TimeOrderError: recordings flag a reset behind which the times of none of them start again.
    """
    clock = Clock(on_repair)
    last = None
    current = [(recording, epoch) for recording in recordings if (epoch := next(recording, None))]
    while current:
        for batch in combine([epoch for _, epoch in current]):
            frame = clock.read(batch)
            first, end = _ends(frame)
            if last is not None and first < last:
                raise TimeOrderError(
                    f"files flag a reset of the timestamps at about {format_ps(first)}, but times go on behind it, and "
                    f"not by one clock in all of them: give the files as they were recorded"
                )
            last = end
            yield frame
        following = [(recording, ended, epoch) for recording, ended in current if (epoch := next(recording, None))]
        if following:
            clock.restart([epoch for _, epoch in current], [(ended, begun) for _, ended, begun in following])
        current = [(recording, begun) for recording, _, begun in following]


def reordered(batches: Batches, reorder_ps: int) -> Batches:
    """The hits of a stream in time order, if none lies further back than `reorder_ps`: what lies so is not noticed."""
    waiting: pl.DataFrame | None = None
    latest = None
    for batch in batches:
        ordered = batch if batch["timestamp_ps"].is_sorted() else batch.sort("timestamp_ps", maintain_order=True)
        first, last = _ends(ordered)
        latest = last if latest is None else max(latest, last)
        if waiting is None:
            waiting = ordered
        elif _ends(waiting)[1] <= min(first, latest - reorder_ps):
            yield waiting
            waiting = ordered
        else:
            waiting = pl.concat([waiting, ordered]).sort("timestamp_ps", maintain_order=True)
            final = waiting["timestamp_ps"].search_sorted(latest - reorder_ps, side="right")
            if final >= FLUSH_HITS:
                yield waiting[:final]
                waiting = waiting[final:]
    if waiting is not None:
        yield waiting


def _ends(frame: pl.DataFrame) -> tuple[int, int]:
    times = frame["timestamp_ps"]
    return times[0], times[-1]
