"""Which rows of a file could not be read: counted once, in whichever columns and by however many queries they are met.

A query reads the columns that it needs. The same row may be lost in two of them, or to two queries that read different
ones, and is one hit all the same.
"""

from collections import defaultdict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.types import Mask
from gammapolars.io.reading import Kind, Losses

BLOCK_ROWS = 2**20
"""Rows whose marks are kept together, in 128 kB; blocks from which nothing was lost take no memory."""


class LostRows:
    """The rows of one file, or of one tree in it, that are left out.

    Args:
        path: the file.
        losses: called with each place with all hits that it has cost so far.
    """

    def __init__(self, path: Path, losses: Losses) -> None:
        self._path = path
        self._losses = losses
        self._marks: dict[int, npt.NDArray[np.uint8]] = {}
        self._hits: defaultdict[str, int] = defaultdict(int)
        self._places: dict[str, str] = {}
        self._lock = Lock()

    def leave_out(
        self, what: str, first_row: int, lost: Mask, kind: Kind = "damaged", *, place: str | None = None
    ) -> None:
        """Leave rows out of the rows read.

        Args:
            what: the place and what is wrong there, as for `Losses.leave_out`.
            first_row: the row in the file of the mask's first element.
            lost: which of the rows from there on are lost.
            kind: of the loss.
            place: names the place where `what` may say more than that; the first message about it stays.

        Raises:
            InputError: nothing may be left out.
        """
        with self._lock:
            what = self._places.setdefault(place or what, what)
            self._hits[what] += self._mark(first_row, lost)
            self._losses.leave_out(self._path, what, self._hits[what], kind, place=place or "")

    def _mark(self, first_row: int, lost: Mask) -> int:
        """Mark rows as lost; how many of them were not marked before."""
        added = 0
        row, end = first_row, first_row + len(lost)
        while row < end:
            block, offset = divmod(row, BLOCK_ROWS)
            part = lost[row - first_row : row - first_row + BLOCK_ROWS - offset]
            if part.any():
                packed = self._marks.get(block)
                marks: npt.NDArray[Any] = np.zeros(BLOCK_ROWS, np.bool_)
                if packed is not None:
                    marks = np.unpackbits(packed).view(np.bool_)
                here = marks[offset : offset + len(part)]
                added += int(np.count_nonzero(part & ~here))
                here |= part
                self._marks[block] = np.packbits(marks)
            row += len(part)
        return added
