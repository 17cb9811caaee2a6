"""Metadata for Arrow IPC files that are written already.

Metadata known only when the last row is written cannot go into a schema before the first. But readers take
the schema of an IPC file from its footer, and the footer can be replaced: the new one has tables `Footer` and `Schema`
of its own, with the metadata; their other fields point into the old footer, which follows them unchanged.

A footer is a flatbuffer, described by Arrow's `File.fbs` and `Schema.fbs`: a table's fields are found by a list of
their places in it, the vtable, and refer to other objects by the distance to them, always forwards.
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

MAGIC = b"ARROW1"

BLOCK = struct.Struct("<qi4xq")
"""Place of a batch, and the lengths of its description and of its contents."""

# Numbers of the fields in their tables.
FOOTER_VERSION, FOOTER_SCHEMA, FOOTER_DICTIONARIES, FOOTER_BATCHES = range(4)
SCHEMA_ENDIANNESS, SCHEMA_FIELDS, SCHEMA_METADATA, SCHEMA_FEATURES = range(4)
ENTRY_KEY, ENTRY_VALUE = range(2)


def add_metadata(path: Path, texts: Mapping[str, str]) -> None:
    """Give the schema of a complete Arrow IPC file key-value metadata, of which it has none so far.

    Raises:
        ValueError: the file is no such file.
    """
    with path.open("r+b") as file:
        end = file.seek(-len(MAGIC) - 4, 2)
        (length,) = struct.unpack("<i", file.read(4))
        if file.read() != MAGIC:
            raise ValueError(f"{path}: is not a complete Arrow IPC file")
        file.seek(end - length)
        footer = with_metadata(file.read(length), texts)
        file.seek(end - length)
        file.write(footer + struct.pack("<i", len(footer)) + MAGIC)


def read_blocks(
    file: BinaryIO, kinds: tuple[int, ...] = (FOOTER_DICTIONARIES, FOOTER_BATCHES)
) -> tuple[list[tuple[int, int]], range]:
    """The place and length of each dictionary and batch of an Arrow IPC file, in the footer's order; and its own place.

    Args:
        file: open.
        kinds: the fields of the footer that list those that are asked for.

    Raises:
        ValueError, struct.error: the file is no such file.
    """
    data, end = _read_footer(file)
    cells = field_places(data, target(data, 0))
    blocks: list[tuple[int, int]] = []
    for field in (kind for kind in kinds if kind in cells):
        listed = target(data, cells[field])
        (count,) = struct.unpack_from("<I", data, listed)
        if count * BLOCK.size > len(data):
            raise ValueError("its footer lists more than it can contain")
        blocks += [
            (place, head + body) for place, head, body in BLOCK.iter_unpack(data[listed + 4 :][: count * BLOCK.size])
        ]
    return blocks, range(end - len(data), end)


def is_little_endian(file: BinaryIO) -> bool:
    """Whether the numbers of an Arrow IPC file begin with their least significant byte.

    Raises:
        ValueError, struct.error: the file is no such file.
    """
    data, _ = _read_footer(file)
    schema = field_places(data, target(data, field_places(data, target(data, 0))[FOOTER_SCHEMA]))
    place = schema.get(SCHEMA_ENDIANNESS)
    return place is None or data[place : place + 2] == bytes(2)


def _read_footer(file: BinaryIO) -> tuple[bytes, int]:
    """The footer of an Arrow IPC file, and the place after it."""
    end = file.seek(0, 2) - len(MAGIC) - 4
    file.seek(max(end, 0))
    (length,) = struct.unpack("<i", file.read(4))
    if file.read() != MAGIC or not 0 < length <= end:
        raise ValueError("it does not end like an Arrow IPC file")
    file.seek(end - length)
    return file.read(length), end


def with_metadata(old: bytes, texts: Mapping[str, str]) -> bytes:
    """A footer with metadata in its schema, made of one without."""
    footer = field_places(old, target(old, 0))
    schema = field_places(old, target(old, footer[FOOTER_SCHEMA]))
    new = bytearray(4)  # refers to the outermost table
    new_footer = _append_table(new, 0, list(footer))
    new_schema = _append_table(new, new_footer[FOOTER_SCHEMA], [*schema, SCHEMA_METADATA])
    _append_entries(new, new_schema[SCHEMA_METADATA], texts)
    new += bytes(-len(new) % 8)  # the old footer stays aligned
    for old_cells, new_cells, number_field, replaced in (
        (footer, new_footer, FOOTER_VERSION, FOOTER_SCHEMA),
        (schema, new_schema, SCHEMA_ENDIANNESS, SCHEMA_METADATA),
    ):
        for field in set(old_cells) - {replaced}:
            cell = old_cells[field]
            if field == number_field:
                new[new_cells[field] : new_cells[field] + 2] = old[cell : cell + 2]
            else:
                _refer(new, new_cells[field], len(new) + target(old, cell))
    return bytes(new) + old


def target(data: bytes, cell: int) -> int:
    """The place that a reference points to."""
    return cell + int(struct.unpack_from("<I", data, cell)[0])


def field_places(data: bytes, table: int) -> dict[int, int]:
    """The places of a table's fields by their numbers; those with default values are left out."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    (length,) = struct.unpack_from("<H", data, vtable)
    places = struct.unpack_from(f"<{length // 2 - 2}H", data, vtable + 4)
    return {field: table + place for field, place in enumerate(places) if place}


def _refer(new: bytearray, cell: int, place: int) -> None:
    struct.pack_into("<I", new, cell, place - cell)


def _append_table(new: bytearray, cell: int, fields: list[int]) -> dict[int, int]:
    """Append a table that a cell refers to, with 4 bytes for each field; their places by the fields' numbers."""
    vtable = len(new)
    place = {field: 4 + 4 * order for order, field in enumerate(sorted(set(fields)))}
    places = [place.get(field, 0) for field in range(max(fields) + 1)]
    new += struct.pack(f"<{2 + len(places)}H", 4 + 2 * len(places), 4 + 4 * len(place), *places)
    new += bytes(-len(new) % 4)
    table = len(new)
    new += struct.pack("<i", table - vtable) + bytes(4 * len(place))
    _refer(new, cell, table)
    return {field: table + start for field, start in place.items()}


def _append_entries(new: bytearray, cell: int, texts: Mapping[str, str]) -> None:
    """Append a list of keys and values that a cell refers to."""
    _refer(new, cell, len(new))
    entries = range(len(new) + 4, len(new) + 4 + 4 * len(texts), 4)
    new += struct.pack("<I", len(texts)) + bytes(4 * len(texts))
    for entry, (key, value) in zip(entries, texts.items(), strict=True):
        fields = _append_table(new, entry, [ENTRY_KEY, ENTRY_VALUE])
        _append_text(new, fields[ENTRY_KEY], key)
        _append_text(new, fields[ENTRY_VALUE], value)


def _append_text(new: bytearray, cell: int, text: str) -> None:
    data = text.encode()
    _refer(new, cell, len(new))
    new += struct.pack("<I", len(data)) + data + b"\0"
    new += bytes(-len(new) % 4)
