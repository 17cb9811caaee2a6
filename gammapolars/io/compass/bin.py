"""CoMPASS BIN files: records as hits, block by block; waveforms of any length are stepped over.

Damaged bytes and their detection: an impossible board or channel, a timestamp beyond 2^62 ps, a
record of nothing but zeros and a number of samples after which no record follows are found here. A timestamp that jumps
further than hits are put in order is found when they are. A value that stays possible (an energy, a flag, a channel
below 256, a timestamp's low bytes) cannot be distinguished from a true one: the format has no checksums.
"""

import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import InputError, readable
from gammapolars.core.types import Mask
from gammapolars.core.units import TIMES_PS
from gammapolars.io.compass.bin_layout import MAX_NUMBER, BinFile, Heads, is_hit, open_bin, zeros
from gammapolars.io.compass.bin_resync import DOUBTFUL_RECORDS, Chain
from gammapolars.io.lost_rows import LostRows
from gammapolars.io.placed_reading import read_into
from gammapolars.io.reading import READING, Losses, Reading
from gammapolars.streaming.slices import lazy_frame

CHUNK_RECORDS = 500_000
"""Records without waveforms that are read at once."""

BLOCK_BYTES = 16 * 2**20
"""So much of a file with waveforms is read at once; the rest of a longer waveform is never read."""

STILL_WRITTEN_S = 5.0
"""A file that was modified so short a time ago may still be growing."""


Places = range | npt.NDArray[np.int64]


class Records(NamedTuple):
    """Some records that follow one another: the first's number from 0, heads that hold until the next, their bytes."""

    number: int
    heads: Heads
    places: Places


def read_records(file: BinFile, losses: Losses, rows: tuple[int, int] | None = None) -> Iterator[Records]:
    """All complete records of a file; damaged ones in between and at the end are left out.

    Args:
        file: the file.
        losses: is given what is left out.
        rows: the records by number, or, with waveforms, those that begin from one byte to before another: borders of
            the file. None: all.

    Raises:
        InputError: the file cannot be read, or has damage that may not be left out.
    """
    with readable(file.path), file.path.open("rb", buffering=0) as opened:
        reader = _Reader(file, opened.fileno(), losses)
        if not file.layout.has_waveform:
            yield from reader.fixed(rows)
        elif rows is None:
            yield from reader.waveforms()
        else:
            yield from reader.waveforms_within(*rows)


@dataclass
class _State:
    """How far a file with waveforms is read: up to the record of a `number` from 0, at a byte.

    Attributes:
        last: the byte where the record before it begins; negative if there is none.
        resumed: the byte where reading went on after damage.
        lengths: of so many records the length is known, because another followed; together they are `length_bytes`.
    """

    at: int
    number: int = 0
    last: int = -1
    resumed: int = -1
    lengths: int = 0
    length_bytes: int = 0

    def go_on(self, count: int, last: int, end: int) -> None:
        """Count records up to the one that begins at `last`."""
        follows = self.last >= 0 and self.resumed != self.at
        self.lengths += count if follows else count - 1
        self.length_bytes += last - (self.last if follows else self.at)
        self.number += count
        self.last, self.at = last, end


class _Reader:
    """Reads one file's records into a buffer that is used again and again."""

    def __init__(self, file: BinFile, descriptor: int, losses: Losses, *, own: tuple[int, int] | None = None) -> None:
        self._file = file
        self._descriptor = descriptor
        self._losses = losses
        self._own = own
        self._of_others = Losses()
        self._width = file.layout.head.itemsize
        self._chain = Chain(file, descriptor)
        self._samples_at = self._width - 4

    def fixed(self, rows: tuple[int, int] | None) -> Iterator[Records]:
        """Records without waveforms; what the file's last one lacks belongs to those that come to its end."""
        file, width = self._file, self._width
        total = file.records
        first, last = rows or (0, total)
        end = min(last, total)
        buffer = memoryview(bytearray(max(min(end - first, CHUNK_RECORDS), 0) * width))
        for number in range(first, end, CHUNK_RECORDS):
            count, at = min(CHUNK_RECORDS, end - number), file.begin + number * width
            heads = np.frombuffer(self._read(buffer, at, count * width), file.layout.head, count)
            yield Records(number, heads, range(at, at + count * width, width))
        at = file.begin + total * width
        if at < file.size and last >= total:
            self._cut(total, at, f"after {file.size - at} of its {width} bytes")

    def waveforms(self) -> Iterator[Records]:
        """Records with waveforms, each of which gives its own length."""
        file, state = self._file, _State(self._file.begin)
        end = self._own[1] if self._own else file.size
        buffer = memoryview(bytearray(min(file.size - file.begin, BLOCK_BYTES)))
        while file.size - state.at >= self._width and state.at < end:
            block = self._read(buffer, state.at, min(file.size - state.at, BLOCK_BYTES))
            places, heads = self._heads(block, state.at)
            verdict = self._chain.examine(places, heads)
            if kept := verdict.kept:
                number, last = state.number, int(places[kept - 1])
                state.go_on(kept, last, self._chain.end(last, heads[kept - 1]))
                yield Records(number, heads[:kept], places[:kept])
            if verdict.cut:
                self._cut(state.number, state.at, "inside its waveform")
                return
            if verdict.why_lost:
                if (at := int(places[kept])) >= end:
                    return
                self._find_again(state, at, f"record {state.number + 1} at byte {at} is damaged: {verdict.why_lost}")
        if state.at < file.size and state.at < end:
            self._cut(state.number, state.at, f"after {file.size - state.at} bytes")

    def waveforms_within(self, first: int, last: int) -> Iterator[Records]:
        """Records with waveforms that begin from one byte, a record's beginning, to before another one, or the end.

        As long as nothing is unusual no more is read. Else the file is read again from its beginning: the numbers of
        records, and how many are lost, depend on all before.
        """
        at, held = max(first, self._file.begin), list[Records]()
        buffer = memoryview(bytearray(max(min(last - at, BLOCK_BYTES), 0)))
        while at < last and (records := self._clean(buffer, at, last)):
            held.append(records)
            at = self._chain.end(int(records.places[-1]), records.heads[-1])
            while sum(len(later.places) for later in held[1:]) >= DOUBTFUL_RECORDS:
                yield held.pop(0)
        if at >= last:
            yield from held
            return
        resumed = int(held[0].places[0]) if held else at
        again = _Reader(self._file, self._descriptor, self._losses, own=(first, last))
        for number, heads, places in again.waveforms():
            low, high = (int(np.searchsorted(places, place)) for place in (resumed, last))
            if low < high:
                yield Records(number + low, heads[low:high], places[low:high])

    def _clean(self, buffer: memoryview, at: int, end: int) -> Records | None:
        """The records of the next block, up to a byte where one ends; None where not all of them are good."""
        if end - at < self._width or end > self._file.size:
            return None
        places, heads = self._heads(self._read(buffer, at, min(end - at, BLOCK_BYTES)), at)
        behind = self._chain.end(int(places[-1]), heads[-1])
        times = heads["timestamp_ps"]
        good = self._file.consistent and behind <= end and is_hit(heads).all() and times.max() <= TIMES_PS[1]
        if not good or zeros(heads, first=at == self._file.begin).any():
            return None
        verdict = self._chain.examine(places, heads)
        number = int(at > self._file.begin)  # no record of these needs its true one: nothing is said about it
        return Records(number, heads.copy(), places) if verdict.kept == len(heads) else None

    def _heads(self, block: memoryview, begin: int) -> tuple[Places, Heads]:
        """The heads in a block and the bytes where they begin, at equal distances or from one length to the next."""
        dtype, width = self._file.layout.head, self._width
        samples = struct.Struct("<I").unpack_from
        size = width + 2 * samples(block, self._samples_at)[0]
        last = len(block) - width
        heads: Heads = np.ndarray(last // size + 1, dtype, block, strides=(size,))
        if (heads["samples"] == heads["samples"][0]).all():
            return range(begin, begin + last + 1, size), heads
        # A step per record in Python: as fast as most disks can read the waveforms between.
        offsets, at = [], 0
        while at <= last:
            offsets.append(at)
            at += width + 2 * samples(block, at + self._samples_at)[0]
        anywhere: Heads = np.ndarray(last + 1, dtype, block, strides=(1,))
        places = np.array(offsets)
        return places + begin, anywhere[places]

    def _losses_at(self, place: int) -> Losses:
        """Where damage at a byte counts: not here, if it is another range's."""
        return self._losses if not self._own or self._own[0] <= place < self._own[1] else self._of_others

    def _find_again(self, state: "_State", damaged: int, what: str) -> None:
        """Go on where records follow again; bytes between are left out, and the number of their hits is estimated."""
        losses = self._losses_at(damaged)
        if not losses.keep_going:
            losses.leave_out(self._file.path, what, 0)
        # The record before counts, though its length may be wrong: the search begins after its head.
        begin = state.last if state.last >= 0 else state.at - self._width
        place = self._chain.next_from(max(begin + self._width, state.resumed + 1))
        until = self._file.size if place is None else place
        length = state.length_bytes / state.lengths if state.lengths else self._chain.length_at(place or state.at)
        hits = max(round((until - begin) / length) - 1, int(place is None))
        rest = "the rest of the file is" if place is None else f"all up to byte {place} is"
        left_out = f"{rest} left out, about {hits} hits of {length:.0f} bytes on average"
        losses.leave_out(self._file.path, f"{what}; {left_out}", hits)
        state.at, state.resumed, state.number = until, until, state.number + hits

    def _cut(self, number: int, at: int, how: str) -> None:
        """The file ends inside a record: because it is still being written, or because the rest is lost."""
        losses = self._losses_at(at)
        status = os.fstat(self._descriptor)
        if status.st_size != self._file.size or abs(time.time() - status.st_mtime) < STILL_WRITTEN_S:
            losses.note(self._file.path, f"is still being written: read up to record {number}")
            return
        losses.leave_out(self._file.path, f"record {number + 1} at byte {at} is cut short: the file ends {how}", 1)

    def _read(self, buffer: memoryview, at: int, count: int) -> memoryview:
        """Bytes of the file, in the buffer."""
        done = 0
        while done < count:
            step = read_into(self._descriptor, buffer[done:count], at + done)
            if not step:
                raise InputError(f"{self._file.path}: became shorter while it was being read: read it again")
            done += step
        return buffer[:count]


def scan_bin(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """A CoMPASS BIN file's hits, lazily, without their waveforms.

    Args:
        path: a BIN file of any layout.
        reading: the layout's name, where the file does not say it.

    Raises:
        InputError: the file cannot be read or its layout cannot be decided; when collected, for damaged records.
        UsageError: there is no layout of that name.
    """
    file = open_bin(Path(path), reading.bin_layout)
    if not file.consistent:
        reading.losses.note(file.path, f"its records do not look like hits in the layout {file.layout.name}")
    elif file.shown:
        reading.losses.note(file.path, f"does not give its layout; its records match only {file.layout.name}")
    lost = LostRows(file.path, reading.losses)
    schema = pl.Schema(file.layout.columns)

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        for records in read_records(file, reading.losses, reading.rows):
            columns = [pl.Series(name, _values(records.heads, name)) for name in names]
            kept = _kept(file, records, lost)
            frame = pl.DataFrame(columns)
            yield frame if kept is None else frame.filter(kept)

    return lazy_frame(schema, batches, of=file.path)


def count_records(path: str | Path, reading: Reading = READING) -> int | None:
    """How many records a file holds, where all have the same size; None where they have waveforms."""
    file = open_bin(Path(path), reading.bin_layout)
    first, last = reading.within(file.records)
    return None if file.layout.has_waveform else last - first


def _values(heads: Heads, name: str) -> npt.NDArray[Any]:
    """One field of all records, copied: the memory of the heads is used again."""
    values = heads[name].copy()
    return values.view(np.int64) if name == "timestamp_ps" else values


def _kept(file: BinFile, records: Records, lost: LostRows) -> npt.NDArray[np.bool_] | None:
    """Which of the records are hits; None for all. The others are left out."""
    heads, bad = records.heads, []

    def leave_out(place: str, which: Mask, why: str, **kind: Any) -> None:
        first = int(which.argmax())
        where = f"record {records.number + first + 1} at byte {records.places[first]}"
        lost.leave_out(f"{place} (the first: {where}{why})", records.number, which, place=place, **kind)
        bad.append(which)

    if file.consistent and not (hit := is_hit(heads)).all():
        first = heads[int(hit.argmin())]
        leave_out(
            f"records with a board or channel above {MAX_NUMBER}",
            ~hit,
            f", board {first['board']} and channel {first['channel']}",
        )
    times = _values(heads, "timestamp_ps")
    if len(times) and (times.min() <= 0 or times.max() > TIMES_PS[1]):
        if (nothing := zeros(heads, first=records.number == 0)).any():
            leave_out("records containing only zeros", nothing, "")
        late = (times < 0) | (times > TIMES_PS[1])
        if bad:
            late &= ~np.logical_or.reduce(bad)
        if late.any():
            leave_out("records with a timestamp over 2^62 ps", late, "", kind="out_of_range")
    return ~np.logical_or.reduce(bad) if bad else None
