"""Text files of any length in blocks of whole lines, with the number of each block's first line."""

import codecs
import os
import re
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import InputError, readable
from gammapolars.io.placed_reading import read_at

BLOCK_BYTES = 2**24
"""Bytes read at once, up to a multiple of it: about half a million hits. No line is longer than that."""

SEARCHED_BYTES = 2**16
"""So much is read at once in search of a line's end."""

NEAR_BYTES = 2**12
"""A place this far behind another one has some lines between."""

OPENING_BYTES = 2**20
"""Bytes of a file's beginning that are used to find its layout."""

GROWING_S = 5.0
"""A file that was modified so many seconds ago may be in the middle of being written."""

KEPT_OF_LONG_LINE = 80

REMARK_AND_BLANKS = "#% \t"

ENCODINGS = {codecs.BOM_UTF8: "", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""By the mark that a text begins with; UTF-8 needs no decoding."""

WORD = re.compile(r"[^\s;,|]+")
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def is_remark(line: str) -> bool:
    """Whether a line says something about the table, and holds none of its rows."""
    return line.lstrip().startswith(("#", "%"))


def is_of_numbers(line: str) -> bool:
    """Whether a line holds only numbers, and no names of columns."""
    words = WORD.findall(line)
    return bool(words) and all(map(NUMBER.fullmatch, words))


def _encoding_of(opening: bytes) -> tuple[str, int]:
    """The encoding of a text, empty for UTF-8, and the length of the mark that gives it.

    Without a mark, UTF-16 shows by the zero in every other byte of its first line.
    """
    for mark, encoding in ENCODINGS.items():
        if opening.startswith(mark):
            return encoding, len(mark)
    first = opening[:KEPT_OF_LONG_LINE]
    for encoding, zeros in (("utf-16-le", first[1::2]), ("utf-16-be", first[::2])):
        if len(zeros) > 1 and not any(zeros) and first.count(0) == len(zeros):
            return encoding, 0
    return "", 0


class Block(NamedTuple):
    """Some lines of a file, each with its end, the first's number from 1, and how many there are.

    They are 0 for the rest of a file after its last line end, which is `growing` if somebody seems to be writing it.
    """

    text: bytes
    first_line: int
    lines: int
    growing: bool = False


class TextFile:
    """A text file, and the findings at its beginning.

    Raises:
        InputError: it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with readable(path), self.path.open("rb") as file:
            opening = file.read(OPENING_BYTES)
        self._encoding, self.mark_bytes = _encoding_of(opening)
        opening = opening[self.mark_bytes :]
        self._opening = self._decoder().decode(opening).encode() if self._encoding else opening

    def _decoder(self) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder(self._encoding)(errors="replace")

    @cached_property
    def header_line(self) -> int:
        """The number, from 0, of the first line that is neither empty nor a remark.

        Where numbers follow a remark at once, and are as many as its words, it is the header.
        """
        if not is_remark(self.first_line) and self.first_line.strip():
            return 0
        lines = self.first_lines
        place = next((place for place, line in enumerate(lines) if line.strip() and not is_remark(line)), 0)
        before = lines[place - 1] if place else ""
        if is_remark(before) and is_of_numbers(lines[place]):
            words, numbers = (len(WORD.findall(line)) for line in (before.lstrip(REMARK_AND_BLANKS), lines[place]))
            return place - 1 if words == numbers else place
        return place

    @property
    def header(self) -> str:
        """The line that names the columns, without the sign of a remark."""
        line = self.first_lines[self.header_line] if self.header_line else self.first_line
        return line.lstrip(REMARK_AND_BLANKS) if is_remark(line) else line

    @cached_property
    def first_line(self) -> str:
        """The first line without its end; bytes that are no text show as `�`."""
        return self._opening.partition(b"\n")[0].removesuffix(b"\r").decode(errors="replace")

    @property
    def first_lines(self) -> list[str]:
        """All whole lines at the file's beginning, without their ends."""
        text = self._opening if b"\n" not in self._opening else self._opening[: self._opening.rindex(b"\n")]
        return text.replace(b"\r\n", b"\n").decode(errors="replace").split("\n")

    def blocks(self, *, header: bool, rows: tuple[int, int] | None = None) -> Iterator[Block]:
        """The lines up to where the file ended when this began, without a header's; the last may lack its end.

        A line longer than a block is given by its beginning, followed by a NUL, which no line can hold.

        Args:
            header: whether there is one.
            rows: the bytes between which to read, both of them `borders`: then lines are numbered from the first of
                these, unless that is the file's beginning. None: the whole file.

        Raises:
            InputError: the file becomes shorter meanwhile, or cannot be read.
        """
        with readable(self.path), self.path.open("rb", buffering=0) as file:
            yield from self._blocks(file.fileno(), header, rows)

    def borders(self) -> npt.NDArray[np.int64] | None:
        """The bytes at which lines begin that are the first of a block, with the file's beginning and its end.

        None: its characters are decoded, and can only be read from its beginning.
        """
        if self._encoding:
            return None
        with readable(self.path), self.path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            borders, least = [0], self._rows_begin(self.header_line + 1)
            for end in range(BLOCK_BYTES, size, BLOCK_BYTES):
                start = _last_line_start(file.fileno(), max(least, borders[-1]), end)
                borders += [start] if start else []
        return np.array([*borders, size], np.int64)

    def next_line(self, place: int) -> int:
        """The byte at which a line begins that is a little behind the one that begins at a place; or the end."""
        at = place + NEAR_BYTES
        with readable(self.path), self.path.open("rb", buffering=0) as file:
            while data := read_at(file.fileno(), SEARCHED_BYTES, at):
                if (found := data.find(b"\n")) >= 0:
                    return at + found + 1
                at += len(data)
            return os.fstat(file.fileno()).st_size

    def lines_before(self, place: int) -> int:
        """How many lines end before a byte: all before it are read."""
        lines = at = 0
        with readable(self.path), self.path.open("rb", buffering=0) as file:
            while read := read_at(file.fileno(), min(BLOCK_BYTES, place - at), at):
                lines += int(np.count_nonzero(np.frombuffer(read, np.uint8) == ord("\n")))
                at += len(read)
        return lines

    def _rows_begin(self, skipped: int) -> int:
        """The byte after so many lines of its beginning."""
        return self.mark_bytes + sum(len(part) + 1 for part in self._opening.split(b"\n")[:skipped])

    def _blocks(self, descriptor: int, header: bool, rows: tuple[int, int] | None) -> Iterator[Block]:
        size = os.fstat(descriptor).st_size
        first, last = rows or (0, size)
        end = min(last, size)
        at, line, rest = self.mark_bytes, 1, b""
        decoder = self._decoder() if self._encoding else None
        skipped = self.header_line + 1 if header and not first else 0
        if skipped and decoder is None:
            at, line, skipped = self._rows_begin(skipped), 1 + skipped, 0
        at = max(at, first)
        while at < end:
            to = min((at // BLOCK_BYTES + 1) * BLOCK_BYTES, end)
            read = read_at(descriptor, to - at, at)
            if not read:
                raise InputError(f"{self.path}: became shorter while it was being read")
            at += len(read)
            if decoder is not None:
                read = decoder.decode(read, final=at >= end).encode()
            cut = read.rfind(b"\n") + 1
            if not cut and len(rest) + len(read) > BLOCK_BYTES:
                rest = (rest or read)[:KEPT_OF_LONG_LINE] + b"\0"
                continue
            if cut:
                text = rest + read[:cut] if rest or cut < len(read) else read
                lines = int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))
                if skipped:  # a block is longer than all that comes before a header
                    text = text.split(b"\n", skipped)[-1] if lines > skipped else b""
                    line, lines, skipped = line + skipped, max(lines - skipped, 0), 0
                yield Block(text, line, lines)
                line, rest = line + lines, b""
            rest += read[cut:]
        if rest:
            now = os.fstat(descriptor)
            growing = now.st_size != size or time.time() - now.st_mtime < GROWING_S
            yield Block(rest, line, 0, growing)


def _last_line_start(descriptor: int, begin: int, end: int) -> int | None:
    """The last byte between two at which a line begins that ends after them; None where none begins after the first."""
    while end > begin:
        at = max(begin, end - SEARCHED_BYTES)
        found = read_at(descriptor, end - at, at).rfind(b"\n")
        if found >= 0:
            return at + found + 1 if at + found + 1 > begin else None
        end = at
    return None
