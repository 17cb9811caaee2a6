"""Text files of any length in blocks of whole lines, with the number of each block's first line."""

import codecs
import os
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gammapolars.core.errors import InputError, readable

BLOCK_BYTES = 2**24
"""What is read at once: about half a million hits. No line is longer than that."""

OPENING_BYTES = 2**20
"""How much of a file's beginning is looked at to tell its layout."""

GROWING_S = 5.0
"""A file that was modified so many seconds ago may be in the middle of being written."""

KEPT_OF_LONG_LINE = 80


class Block(NamedTuple):
    """Some lines of a file, each with its end, the first's number from 1, and how many there are.

    They are 0 for the rest of a file behind its last line end, which is `growing` if somebody seems to be writing it.
    """

    text: bytes
    first_line: int
    lines: int
    growing: bool = False


class TextFile:
    """A text file, and what was found at its beginning.

    Raises:
        InputError: it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with readable(path), self.path.open("rb") as file:
            opening = file.read(OPENING_BYTES)
        self.mark_bytes = len(codecs.BOM_UTF8) if opening.startswith(codecs.BOM_UTF8) else 0
        self._opening = opening[self.mark_bytes :]

    @cached_property
    def first_line(self) -> str:
        """The first line without its end; what is no text in it shows as `�`."""
        return self._opening.partition(b"\n")[0].removesuffix(b"\r").decode(errors="replace")

    @property
    def first_lines(self) -> list[str]:
        """All whole lines at the file's beginning, without their ends."""
        text = self._opening if b"\n" not in self._opening else self._opening[: self._opening.rindex(b"\n")]
        return text.replace(b"\r\n", b"\n").decode(errors="replace").split("\n")

    def blocks(self, *, header: bool) -> Iterator[Block]:
        """The lines up to where the file ended when this began, without a header's; the last may lack its end.

        A line longer than a block is given by its beginning, followed by a NUL, which no line can hold.

        Raises:
            InputError: the file becomes shorter meanwhile, or cannot be read.
        """
        with readable(self.path), self.path.open("rb", buffering=0) as file:
            yield from self._blocks(file.fileno(), header)

    def _blocks(self, descriptor: int, header: bool) -> Iterator[Block]:
        end = os.fstat(descriptor).st_size
        at, line, rest = self.mark_bytes, 1, b""
        if header:
            at, line = at + len(self._opening.partition(b"\n")[0]) + 1, 2
        while at < end:
            read = os.pread(descriptor, min(BLOCK_BYTES, end - at), at)
            if not read:
                raise InputError(f"{self.path}: became shorter while it was read")
            at += len(read)
            cut = read.rfind(b"\n") + 1
            if not cut and len(rest) + len(read) > BLOCK_BYTES:
                rest = (rest or read)[:KEPT_OF_LONG_LINE] + b"\0"
                continue
            if cut:
                text = rest + read[:cut] if rest or cut < len(read) else read
                lines = int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))
                yield Block(text, line, lines)
                line, rest = line + lines, b""
            rest += read[cut:]
        if rest:
            now = os.fstat(descriptor)
            growing = now.st_size != end or time.time() - now.st_mtime < GROWING_S
            yield Block(rest, line, 0, growing)
