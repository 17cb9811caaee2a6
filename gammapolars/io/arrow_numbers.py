"""Arrow IPC files of plain numbers, as `convert` writes them: read straight into arrays of many batches each.

Batches that programs write are small, and what follows takes less time with larger ones. Whatever is not plain, as are
compressed batches, missing values and other types, and whatever cannot be right, is left to pyarrow to read or refuse.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.io.arrow_batches import BATCH_BUFFERS, BATCH_COMPRESSION, BATCH_ROWS, BUFFER, description
from gammapolars.io.arrow_footer import FOOTER_BATCHES, is_little_endian, read_blocks, target
from gammapolars.io.buffers import paged_array, reused_memory
from gammapolars.io.placed_reading import read_into
from gammapolars.io.row_ranges import Rows, first_rows_of, touched, within

BATCH_NODES = 1
"""The field of a batch that has the rows and missing values of each column."""

ALIGNED = 8
"""Contents begin at multiples of this many bytes."""

AT_ONCE = 1_000_000
"""About this many rows are read at once."""

DType = np.dtype[Any]


class Plain(NamedTuple):
    """A batch of plain numbers.

    Attributes:
        rows: how many it has.
        places: where each column begins in the file.
    """

    rows: int
    places: tuple[int, ...]


def plain_batches(path: Path, dtypes: Sequence[DType]) -> list[Plain] | None:
    """The batches of a file, in the order of its footer; None where any is not plain, or cannot be right.

    Args:
        path: an Arrow IPC file.
        dtypes: of all columns.
    """
    batches = []
    try:
        with path.open("rb") as file:
            blocks, _ = read_blocks(file, (FOOTER_BATCHES,))
            if not is_little_endian(file):
                return None
            for place, size in blocks:
                batch = _plain(file, place, place + size, [dtype.itemsize for dtype in dtypes])
                if batch is None:
                    return None
                batches.append(batch)
    except (struct.error, ValueError, LookupError):
        return None
    return batches


def _plain(file: BinaryIO, place: int, end: int, widths: list[int]) -> Plain | None:
    """The batch at a place, which ends before another, with columns of so many bytes a row; None if it is not plain."""
    head, contents, fields = description(file, place)
    if BATCH_COMPRESSION in fields or BATCH_ROWS not in fields:
        return None
    (rows,) = struct.unpack_from("<q", head, fields[BATCH_ROWS])
    nodes, buffers = _pairs(head, fields[BATCH_NODES]), _pairs(head, fields[BATCH_BUFFERS])[1::2]
    if nodes != [(rows, 0)] * len(widths) or len(buffers) != len(widths):
        return None
    for width, (offset, size) in zip(widths, buffers, strict=True):
        if offset < 0 or offset % ALIGNED or size < width * rows or contents + offset + size > end:
            return None
    return Plain(rows, tuple(contents + offset for offset, _ in buffers))


def _pairs(head: bytes, cell: int) -> list[tuple[int, int]]:
    """A list of pairs of numbers that a cell refers to."""
    listed = target(head, cell)
    (count,) = struct.unpack_from("<I", head, listed)
    return list(BUFFER.iter_unpack(head[listed + 4 : listed + 4 + BUFFER.size * count]))


def read_plain(
    path: Path, batches: Sequence[Plain], columns: Sequence[int], dtypes: Sequence[DType], rows: Rows | None
) -> Iterator[list[npt.NDArray[Any]]]:
    """Some columns of a file of plain numbers, in arrays of about `AT_ONCE` rows.

    Args:
        path: the file.
        batches: its batches.
        columns: the numbers of the columns.
        dtypes: of all columns.
        rows: that are read; None: all.

    Raises:
        ValueError: the file has become shorter.
    """
    first = first_rows_of([batch.rows for batch in batches])
    with path.open("rb", buffering=0) as file, reused_memory():
        for row, until in _stretches(first.tolist(), *within(rows, int(first[-1]))):
            arrays = [paged_array(until - row, dtypes[column]) for column in columns]
            for number in touched(first, (row, until))[0]:
                start = int(first[number])
                low, high = max(row, start), min(until, int(first[number + 1]))
                for column, array in zip(columns, arrays, strict=True):
                    place = batches[number].places[column] + (low - start) * array.itemsize
                    _read(file.fileno(), memoryview(array[low - row : high - row].data).cast("B"), place)
            yield arrays
            del arrays  # their memory goes back as soon as nobody else holds it


def _stretches(borders: list[int], row: int, end: int) -> Iterator[tuple[int, int]]:
    """Rows up to an end in stretches of `AT_ONCE` at most, cut at borders where there are any."""
    while row < end:
        until = min(row + AT_ONCE, end)
        border = borders[bisect_right(borders, until) - 1]
        until = border if until < end and border > row else until
        yield row, until
        row = until


def _read(descriptor: int, buffer: memoryview, place: int) -> None:
    """Fill a buffer from a place on."""
    done = 0
    while done < len(buffer):
        count = read_into(descriptor, buffer[done:], place + done)
        if not count:
            raise ValueError("it ends within a batch")
        done += count
