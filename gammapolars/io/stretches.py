"""Stretches of files: which places a task reads, and which of them are its own to count and to judge."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.core.fingerprint import fingerprint
from gammapolars.core.flags import FLAGS
from gammapolars.io.input_file import InputFile, Span, completed, open_file
from gammapolars.io.order import ORDER_COLUMNS
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.remote import is_remote
from gammapolars.streaming.order_tally import OrderTally
from gammapolars.streaming.slices import batches_of, lazy_frame

RESET = FLAGS["external_reset"]


class Stretch(NamedTuple):
    """The places of a file that are read: from `first` to before `end`, of which those before `own_end` are its own.

    A place is a number of the file's format, as for `Reading.rows`. Each place of a file is one stretch's own; those
    after them are read because their hits may be partners of its own.
    """

    path: Path
    fingerprint: str
    first: int
    own_end: int
    end: int


@dataclass
class OwnHits:
    """What is seen of a stretch's own hits, in the order in which they were recorded.

    Attributes:
        hits: how many were read.
        inversions: hits that lie before their predecessor.
        largest_step_back_ps: by how much at most, relative to the latest hit so far.
        first_ps: time of the first one; None: there is none.
        last_ps: time of the last one.
        least_ps: the least time.
        latest_ps: the latest time.
        started_again: whether a clock may have started again: by flags, or by the times.
        span: the times of each detector.
    """

    hits: int = 0
    inversions: int = 0
    largest_step_back_ps: int = 0
    first_ps: int | None = None
    last_ps: int = 0
    least_ps: int = 0
    latest_ps: int = 0
    started_again: bool = False
    span: Span = field(default_factory=Span)

    def follow(self, later: "OwnHits") -> None:
        """Add the hits that were recorded next."""
        if later.first_ps is None:
            return
        if self.first_ps is None:
            self.first_ps, self.least_ps, self.latest_ps = later.first_ps, later.least_ps, later.latest_ps
        else:
            self.inversions += later.first_ps < self.last_ps
            self.largest_step_back_ps = max(self.largest_step_back_ps, self.latest_ps - later.least_ps)
        self.hits += later.hits
        self.inversions += later.inversions
        self.largest_step_back_ps = max(self.largest_step_back_ps, later.largest_step_back_ps)
        self.last_ps = later.last_ps
        self.least_ps, self.latest_ps = min(self.least_ps, later.least_ps), max(self.latest_ps, later.latest_ps)
        self.started_again |= later.started_again
        self.span.merge(later.span)


class _OwnTally:
    """Counts a stretch's own hits in one reading of them."""

    def __init__(self, reorder_ps: int, *, by_flag: bool) -> None:
        self._order = OrderTally(reorder_ps)
        self._by_flag = by_flag
        self.own = OwnHits()

    def add(self, hits: pl.DataFrame) -> None:
        """Take hits that follow."""
        times = hits["timestamp_ps"]
        if times.is_empty():
            return
        own, least, latest = self.own, int(times.min()), int(times.max())  # type: ignore[arg-type]
        self._order.add(times)
        if own.first_ps is None:
            own.first_ps, own.least_ps, own.latest_ps = int(times[0]), least, latest
        own.least_ps, own.latest_ps = min(own.least_ps, least), max(own.latest_ps, latest)
        own.last_ps = int(times[-1])
        own.hits += times.len()
        own.inversions, own.largest_step_back_ps = self._order.inversions, self._order.largest_step_back_ps
        own.started_again |= self._order.step_back is not None
        if self._by_flag:
            own.span.add(hits)
            own.started_again |= bool((hits["flags"] & RESET != 0).any()) if "flags" in hits.columns else False


@dataclass(frozen=True)
class StretchFile:
    """A stretch of a file as hits.

    Attributes:
        file: the hits that are read, in place of the whole file's.
        own: what is seen of its own hits, when they have been read: by the reading that went furthest.
    """

    file: InputFile
    _own: list[OwnHits] = field(default_factory=list)

    @property
    def own(self) -> OwnHits:
        return max(self._own, key=lambda one: one.hits, default=OwnHits())


def open_stretch(
    stretch: Stretch, reading: Reading, columns: pl.Schema, reorder_ps: int, *, by_flag: bool
) -> StretchFile:
    """The hits of a stretch of a file; losses are those of its own hits.

    Args:
        stretch: which places of which file.
        reading: how the file is read.
        columns: of the run's hits: those that the file does not have are null.
        reorder_ps: how far back hits may lie.
        by_flag: whether a reset flag alone may begin a new count of time, as in a run of several files.

    Raises:
        InputError: the file is missing, or is not the one that was planned with.
    """
    check_same(stretch)
    elsewhere = replace(reading, losses=Losses(keep_going=reading.losses.keep_going))
    pieces = [
        (completed(open_file(stretch.path, replace(of, rows=(first, end))).hits, columns), of is reading)
        for of, first, end in ((reading, stretch.first, stretch.own_end), (elsewhere, stretch.own_end, stretch.end))
        if first < end
    ]
    seen = list[OwnHits]()

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        needed = {*names, *(ORDER_COLUMNS if by_flag else ("timestamp_ps",))}
        read = [name for name in columns if name in needed]
        tally = _OwnTally(reorder_ps, by_flag=by_flag)
        seen.append(tally.own)
        for hits, is_own in pieces:
            for batch in batches_of(hits.select(read)):
                if is_own:
                    tally.add(batch)
                yield batch.select(names)

    file = InputFile(stretch.path, lazy_frame(columns, batches), reading)
    return StretchFile(file, seen)


def stretch_of(file: InputFile, first: int, own_end: int, end: int) -> Stretch:
    """Some places of a file."""
    remote = is_remote(file.path)
    return Stretch(
        file.path if remote else file.path.absolute(), "" if remote else file.fingerprint, first, own_end, end
    )


def check_same(stretch: Stretch) -> None:
    """Raise where a file is not the one that was planned with.

    Raises:
        InputError: it is missing, or another one.
    """
    if is_remote(stretch.path):
        return
    if not stretch.path.is_file():
        raise InputError(f"{stretch.path}: no such file here: all workers must see the runs under the same names")
    if fingerprint(stretch.path) != stretch.fingerprint:
        raise InputError(
            f"{stretch.path}: is not the file that was planned with: it has changed since, or this computer "
            "sees another file of this name"
        )
