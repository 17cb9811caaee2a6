"""Whether the records of a BIN file with waveforms still follow one another, and where they do so again after damage.

Each record gives its number of samples, and with it where the next begins: after one wrong number samples are read
instead of records. They give themselves away, because hardly any of them can be a board, a channel and the next length.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.io.compass.bin_layout import BinFile, Heads, consistent, follow, is_hit, zeros
from gammapolars.io.placed_reading import read_at

CHAIN_RECORDS = 16
"""This many records in a row cannot be read out of samples by chance."""

CUT_CHAIN_RECORDS = 4
"""Or so many, where the file ends inside the record after them."""

FIRST_WINDOW_BYTES = 2**14
LAST_WINDOW_BYTES = 2**20
"""Bytes searched at once for the next record: more the longer none is found."""

MOST_SAMPLES = 2**22
"""A longer waveform is believed only where others are as long."""

FAR_LONGER = 4
"""A waveform so many times as long as any before is believed only with records after it."""

DOUBTFUL_BACK_PS = 10**12
DOUBTFUL_STEP_PS = 10**15
DOUBTFUL_RECORDS = 8


class Verdict(NamedTuple):
    """How many of the first of some records are good, read from length to length, and what is wrong after them.

    The next is cut short by the file's end, or is no record.
    """

    kept: int
    cut: bool = False
    why_lost: str = ""


class Chain:
    """Follows a file's records from length to length."""

    def __init__(self, file: BinFile, descriptor: int) -> None:
        self._file = file
        self._descriptor = descriptor
        self._width = file.layout.head.itemsize
        self._longest = file.longest

    def end(self, place: int, head: np.void) -> int:
        """The byte after a record."""
        return place + self._width + 2 * int(head["samples"])

    def length_at(self, place: int) -> int:
        """How long the record at this byte is."""
        head = read_at(self._descriptor, self._width, place)
        return self._width + 2 * int.from_bytes(head[-4:], "little")

    def examine(self, places: range | npt.NDArray[np.int64], heads: Heads) -> Verdict:
        """Find how far the records that begin at these bytes are records.

        A single record that cannot be a hit, but has others after it, counts as one: it is left out later.
        """
        if self._file.consistent:
            lost = self._lost(places, heads)
            astray = self._astray(places, heads[:lost])
            if astray is not None:
                return Verdict(
                    astray, why_lost=f"it announces {heads[astray]['samples']} samples, and no records follow"
                )
            if lost is not None:
                board, channel = heads[lost]["board"], heads[lost]["channel"]
                why = f"board {board} and channel {channel} are impossible, and no records follow"
                return Verdict(self._undoubted(heads, lost), why_lost=why)
        last = len(heads) - 1
        if self.end(int(places[last]), heads[last]) <= self._file.size:
            self._longest = max(self._longest, int(heads["samples"].max()))
            return Verdict(len(heads))
        self._longest = max(self._longest, int(heads["samples"][:last].max(initial=0)))
        samples = int(heads[last]["samples"])
        behind_head = int(places[last]) + self._width
        # Before any other length is known, this one may be wrong.
        possible = samples <= FAR_LONGER * (self._longest or MOST_SAMPLES)
        if samples <= self._longest or (possible and self.next_from(behind_head) is None):
            return Verdict(last, cut=True)
        return Verdict(last, why_lost=f"it announces {samples} samples, more than the file contains")

    def _lost(self, places: range | npt.NDArray[np.int64], heads: Heads) -> int | None:
        """The first record that is none and has none after it."""
        bad = np.flatnonzero(~is_hit(heads) | zeros(heads, first=int(places[0]) == self._file.begin))
        if not len(bad):
            return None
        close = np.flatnonzero(np.diff(bad) <= CHAIN_RECORDS)
        if len(close):
            return int(bad[close[0]])
        last = int(bad[-1])
        if heads[last]["samples"] > self._longest:
            return last  # read out of samples: the records that it ends with by chance would cost all those before
        behind = self.end(int(places[last]), heads[last])
        return None if behind == self._file.size or self._holds(behind) else last

    def _astray(self, places: range | npt.NDArray[np.int64], heads: Heads) -> int | None:
        """The first record whose waveform is much longer than those before, and has no records after it."""
        while self._longest and len(longer := np.flatnonzero(heads["samples"] > FAR_LONGER * self._longest)):
            first = int(longer[0])
            behind = self.end(int(places[first]), heads[first])
            if behind > self._file.size:
                return None  # the last that can be read
            if behind < self._file.size and not self._holds(behind):
                return first
            self._longest = int(heads[first]["samples"])
        return None

    def _undoubted(self, heads: Heads, lost: int) -> int:
        """How many records are certain, where samples may have passed for records before they gave themselves away."""
        least = max(lost - DOUBTFUL_RECORDS, 1)
        while lost > least:
            step = int(heads[lost - 1]["timestamp_ps"]) - int(heads[lost - 2]["timestamp_ps"])
            empty = not heads[lost - 1]["samples"] and not self._file.empty_waveforms
            if -DOUBTFUL_BACK_PS <= step <= DOUBTFUL_STEP_PS and not empty:
                break
            lost -= 1
        return lost

    def next_from(self, place: int) -> int | None:
        """The first byte, from this one on, followed by a chain of records that is too long to be random."""
        window = FIRST_WINDOW_BYTES
        while self._file.consistent and self._file.size - place >= self._width:
            data = read_at(self._descriptor, min(window, self._file.size - place), place)
            count = len(data) - self._width + 1
            if count <= 0:
                return None
            for offset in self._possible(data, count):
                if self._holds(place + offset):
                    return place + offset
            place += count
            window = min(4 * window, LAST_WINDOW_BYTES)
        return None

    def _possible(self, data: bytes, count: int) -> list[int]:
        """Which of the first `count` bytes may begin a record."""
        # Board and channel below 256: by the bytes above them, because most of the search is this.
        octets = np.frombuffer(data, np.uint8)
        offsets = np.flatnonzero((octets[1 : 1 + count] | octets[3 : 3 + count]) == 0)
        anywhere: Heads = np.ndarray(count, self._file.layout.head, data, strides=(1,))
        heads = anywhere[offsets]
        plausible = heads["timestamp_ps"] > 0  # zeros left by a crash would pass for empty records
        plausible &= heads["samples"] <= (FAR_LONGER * self._longest or MOST_SAMPLES)
        if not self._file.empty_waveforms:
            plausible &= heads["samples"] > 0
        possible: list[int] = offsets[plausible].tolist()
        return possible

    def _holds(self, place: int) -> bool:
        """Whether records that belong together follow from this byte on, for long or to the file's end."""
        heads = follow(self._descriptor, self._file.layout, place, self._file.size, CHAIN_RECORDS)
        if not len(heads) or not consistent(heads).all():
            return False
        same = np.ones(len(heads) - 1, np.bool_)
        for name in ("board", "channel", "timestamp_ps"):
            same &= heads[name][1:] == heads[name][:-1]
        if same.any() or (not self._file.empty_waveforms and not heads["samples"].all()):
            return False
        end = place + len(heads) * self._width + 2 * int(heads["samples"].sum(dtype=np.int64))
        return len(heads) >= (1 if end == self._file.size else CUT_CHAIN_RECORDS) and (
            len(heads) == CHAIN_RECORDS or end == self._file.size or self._is_cut(end)
        )

    def _is_cut(self, place: int) -> bool:
        """Whether the rest from this byte on may be the beginning of a record."""
        head = read_at(self._descriptor, self._width, place)
        if len(head) < self._width:
            return True
        return int.from_bytes(head[-4:], "little") <= (self._longest or MOST_SAMPLES)
