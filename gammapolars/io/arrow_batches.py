"""Rows and unpacked sizes of the batches of an Arrow IPC file, from their descriptions, before they are unpacked.

A batch is a flatbuffer, a `Message` of Arrow's `Message.fbs`, and its contents: buffers one after the other, each of
which begins with its unpacked length where the batch is compressed.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from gammapolars.core.errors import InputError
from gammapolars.core.types import Integers
from gammapolars.io.arrow_footer import FOOTER_BATCHES, field_places, read_blocks, target
from gammapolars.io.row_ranges import first_rows_of

PACKED_BYTES = 2**28
"""A batch may always unpack to so much, 256 MB,"""

MOST_PACKED = 100
"""and to so many times the stored size: measured hits are packed 2 to 10 times, and zeros a thousand times."""

MOST_DESCRIBED = 2**26
"""A description has no more bytes than this."""

CONTINUATION = b"\xff\xff\xff\xff"

# Numbers of the fields in their tables.
MESSAGE_HEADER = 2
BATCH_ROWS, BATCH_BUFFERS, BATCH_COMPRESSION = 0, 2, 3

BUFFER = struct.Struct("<qq")
LENGTH = struct.Struct("<q")


def check_packing(path: Path) -> None:
    """Raise for batches that unpack to very much more than is stored: each is unpacked whole.

    Raises:
        InputError: there is one.
        ValueError, struct.error: the file is no Arrow IPC file, or a damaged one.
    """
    with path.open("rb") as file:
        blocks, _ = read_blocks(file)
        for place, size in blocks:
            unpacked = unpacked_bytes(file, place)
            if unpacked > max(PACKED_BYTES, MOST_PACKED * size):
                raise InputError(
                    f"{path}: a batch of {size:,} bytes unpacks to {unpacked / 1e9:.1f} GB, too much to "
                    "unpack at once: rewrite the file with smaller batches, or as Parquet"
                )


def unpacked_bytes(file: BinaryIO, place: int) -> int:
    """The unpacked size of a description at a place and the contents after it; 0 where they are not packed.

    Only the lengths of the contents are read.
    """
    head, contents, places = description(file, place)
    if BATCH_COMPRESSION not in places:
        return 0
    listed = target(head, places[BATCH_BUFFERS])
    (count,) = struct.unpack_from("<I", head, listed)
    total = 0
    for offset, size in BUFFER.iter_unpack(head[listed + 4 : listed + 4 + BUFFER.size * count]):
        if size >= LENGTH.size:
            file.seek(contents + offset)
            total += max(LENGTH.unpack(file.read(LENGTH.size))[0], 0)
    return total


def first_rows(path: Path) -> Integers:
    """The rows with which the batches of an Arrow IPC file begin, by their descriptions, and that after the last.

    Raises:
        ValueError, struct.error: the file is no Arrow IPC file, or a damaged one.
    """
    with path.open("rb") as file:
        blocks, _ = read_blocks(file, (FOOTER_BATCHES,))
        return first_rows_of([_rows(file, place) for place, _ in blocks])


def _rows(file: BinaryIO, place: int) -> int:
    """How many rows the batch at a place has, as it says itself."""
    head, _, places = description(file, place)
    return int(LENGTH.unpack_from(head, places[BATCH_ROWS])[0]) if BATCH_ROWS in places else 0


def description(file: BinaryIO, place: int) -> tuple[bytes, int, dict[int, int]]:
    """The description of a batch at a place, the place of its contents, and the fields of the batch in it."""
    file.seek(place)
    start = 8 if file.read(4) == CONTINUATION else 4
    file.seek(place + start - 4)
    (length,) = struct.unpack("<i", file.read(4))
    head = file.read(min(max(length, 0), MOST_DESCRIBED))
    batch = target(head, field_places(head, target(head, 0))[MESSAGE_HEADER])
    return head, place + start + length, field_places(head, batch)
