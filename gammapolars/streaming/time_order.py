"""Time order: hits out of order within a buffer are put in place, and clocks that start again are made to go on."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from gammapolars.core import defaults
from gammapolars.core.errors import TimeOrderError
from gammapolars.core.units import PS_PER_S, format_ps, parse_ps
from gammapolars.streaming.epochs import Border, Epoch, Kind, epochs
from gammapolars.streaming.steps_back import rollover_period
from gammapolars.streaming.wild_times import OnWild

RESET_GAP_PS = PS_PER_S
"""Gap put between the last hit before a reset and the reset itself, because the true time is not known.

Far more than any coincidence window, so that no pair forms across a reset; far less than a run, so that rates hold.
"""


@dataclass(frozen=True)
class Repair:
    """A reset or rollover of the timestamps, and how times were made to go on.

    Attributes:
        hit: number, from 1, of the hit with which the new epoch begins, in its file or stream.
        before_ps: time of the latest hit before, as given out.
        recorded_ps: recorded time of the hit with which the new epoch begins.
        offset_ps: added to recorded times from there on.
        period_ps: the counter's period; None where it is not known, and a gap of `RESET_GAP_PS` was put.
    """

    kind: Kind
    hit: int
    before_ps: int
    recorded_ps: int
    offset_ps: int
    period_ps: int | None = None

    def __str__(self) -> str:
        added = f"a counter's period of {format_ps(self.period_ps)}" if self.period_ps else "the time between unknown"
        return (
            f"timestamp {self.kind} at hit {self.hit}, from {format_ps(self.before_ps)} to "
            f"{format_ps(self.recorded_ps)}: from there on {format_ps(self.offset_ps)} are added ({added})"
        )


OnRepair = Callable[[Any], None]
"""Called with each `Repair`, and by a `StepBack` of clocks that seem to have started again among hits put in order."""


class Clock:
    """Makes the times of successive epochs go on.

    After a reset the time that has passed is not known: the reset is put `RESET_GAP_PS` after the latest hit before
    it. A counter that rolls over does so at a power of two of its steps: the smallest one above all times before it,
    if that leaves no hole in the hits. If it does, the step is not known, and a rollover is treated like a reset.
    """

    def __init__(self, on_repair: OnRepair | None = None) -> None:
        self.offset_ps = 0
        self._on_repair = on_repair

    def read(self, batch: pl.DataFrame) -> pl.DataFrame:
        """A batch with the times of this epoch as they go on."""
        if not self.offset_ps:
            return batch
        if int(batch["timestamp_ps"].max()) + self.offset_ps >= 2**63:  # type: ignore[arg-type]
            raise TimeOrderError("after a timestamp reset, times exceed 106 days, the limit of a run: split the run")
        return batch.with_columns(pl.col("timestamp_ps") + self.offset_ps)

    def restart(self, ended: list[Epoch], begun: list[tuple[Epoch, Epoch]]) -> None:
        """Go on from the epochs that end, of all recordings, to those that begin after one of them."""
        ended = [epoch for epoch in ended if epoch.hits]
        borders = [begin.border for end, begin in begun if begin.border and begin.border.time_ps < end.last_ps]
        if not ended or not borders:
            return  # nothing came before, or all times go on
        border = min(borders, key=lambda border: border.time_ps)
        latest = max(epoch.last_ps for epoch in ended)
        before = latest + self.offset_ps
        kind: Kind = "reset" if any(border.kind == "reset" for border in borders) else "rollover"
        period = _period(ended, border) if kind == "rollover" else None
        self.offset_ps = self.offset_ps + period if period else before + RESET_GAP_PS
        if self._on_repair:
            self._on_repair(Repair(kind, border.hit, before, border.time_ps, self.offset_ps, period))


def _period(ended: list[Epoch], border: Border) -> int | None:
    """The period of the counter that rolled over, if times before and after it agree with one."""
    hits, latest = sum(epoch.hits for epoch in ended), max(epoch.last_ps for epoch in ended)
    step = math.gcd(*(epoch.step_ps for epoch in ended))
    return rollover_period(latest, border.time_ps, min(epoch.first_ps for epoch in ended), hits, step)


def repairs(recordings: list[list[Epoch]], on_repair: OnRepair) -> None:
    """Say how times are made to go on in recordings of one clock whose epochs have been read one after the other.

    Args:
        recordings: the epochs of each.
        on_repair: called with each reset and rollover, as by `continuous`.
    """
    clock, place = Clock(on_repair), 0
    while begun := [(epochs[place], epochs[place + 1]) for epochs in recordings if len(epochs) > place + 1]:
        clock.restart([epochs[place] for epochs in recordings if len(epochs) > place], begun)
        place += 1


REORDER_PS = parse_ps(defaults.REORDER)
"""How far back in time a hit may lie and still be put in its place."""

FLUSH_HITS = 1_000_000
"""This many hits of a disordered stream gather before they are given out."""

Batches = Iterator[pl.DataFrame]


def time_ordered(
    batches: Iterable[pl.DataFrame],
    *,
    reorder_ps: int = REORDER_PS,
    on_repair: OnRepair | None = None,
    on_wild: OnWild | None = None,
) -> Batches:
    """Hits in time order, from a stream in which a hit may be up to `reorder_ps` earlier than the latest before it.

    A batch waits until no later hit can belong before its end, so at most two batches are held. Hits of equal time
    keep their order. Where flags show that the timestamps were reset or rolled over, times go on all the same: see
    `Clock`.

    Args:
        batches: frames with a column `timestamp_ps`, and `flags` if resets are to be repaired.
        reorder_ps: the largest step back that is put in place, in picoseconds.
        on_repair: called with each reset and rollover.
        on_wild: called with hits with an impossible time, and whether they are left out; None: they are an error.

    Raises:
        TimeOrderError: a hit lies further back; the message says which, where and how far.
    """
    recording = epochs(lambda: iter(batches), reorder_ps=reorder_ps, on_wild=on_wild)
    yield from continuous([recording], lambda parts: reordered(parts[0].batches, reorder_ps), on_repair)


def continuous(
    recordings: list[Iterator[Epoch]], combine: Callable[[list[Epoch]], Batches], on_repair: OnRepair | None = None
) -> Batches:
    """The hits of one epoch of all recordings after those of the epoch before, with times that go on.

    The recordings are of one clock; `combine` makes one stream, in time order, of their hits of an epoch.

    Raises:
        TimeOrderError: recordings flag a reset after which the times of none of them start again.
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
                    f"files flag a reset of the timestamps at about {format_ps(first)}, but times continue "
                    "after it, and the files do not share one clock: give the files as they were recorded"
                )
            last = end
            yield frame
        for _, epoch in current:
            if on_repair and epoch.step_back and epoch.step_back.bits:
                on_repair(epoch.step_back)
        following = [(recording, ended, epoch) for recording, ended in current if (epoch := next(recording, None))]
        if following:
            clock.restart([epoch for _, epoch in current], [(ended, begun) for _, ended, begun in following])
        current = [(recording, begun) for recording, _, begun in following]


def reordered(batches: Batches, reorder_ps: int) -> Batches:
    """The hits of a stream in time order, if none is further back than `reorder_ps`; hits that are go unnoticed."""
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


def moved(batches: Batches, move: Callable[[pl.DataFrame], pl.DataFrame], least_ps: Callable[[int], int]) -> Batches:
    """Hits in time order again, whose times a correction moves, however far; those of equal time as they were before.

    Hits wait only as long as one that is yet to come could lie before them, so that memory follows how far apart the
    correction moves hits at that time, and not how far it moves any in the end.

    Args:
        batches: hits in time order.
        move: corrects their times, row by row.
        least_ps: gives the least time to which it moves hits of some time or a later one.
    """
    waiting: pl.DataFrame | None = None
    for batch in batches:
        latest = _ends(batch)[1]
        frame = move(batch)
        frame = frame if waiting is None else pl.concat([waiting, frame])
        frame = frame if frame["timestamp_ps"].is_sorted() else frame.sort("timestamp_ps", maintain_order=True)
        final = frame["timestamp_ps"].search_sorted(least_ps(latest), side="left")
        if final:
            yield frame[:final]
        waiting = frame[final:]
    if waiting is not None and waiting.height:
        yield waiting


def _ends(frame: pl.DataFrame) -> tuple[int, int]:
    times = frame["timestamp_ps"]
    return times[0], times[-1]
