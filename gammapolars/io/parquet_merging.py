"""Parquet files of the same columns joined as they are, without decoding their rows: their footers become one.

A footer is written in Thrift's compact protocol (github.com/apache/thrift, doc/specs/thrift-compact-protocol.md); the
numbers of its fields are those of github.com/apache/parquet-format, src/main/thrift/parquet.thrift.
"""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""The length of the footer, and the magic word."""

COPIED_BYTES = 2**22
"""So much is copied at once."""

Struct = dict[int, tuple[int, Any]]
"""Type and value of each field by its number; a list is a pair of the type of its elements and these."""

TRUE, FALSE, BYTE, I16, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12
SCHEMA, ROWS, GROUPS, TEXTS = 2, 3, 4, 5
"""Fields of a footer."""

COLUMNS, GROUP_ROWS, GROUP_PLACE, ORDINAL = 1, 3, 5, 7
"""Fields of a group of rows."""

CHUNK_PLACES, CHUNK = (2, 4, 6), 3
"""Fields of a column's chunk: places in the file, and its description."""

PAGE_PLACES = (9, 10, 11, 14)
"""Fields of this: places of pages and filters."""


class _Footer:
    """Reads the compact protocol.

    Args:
        data: bytes that begin with a structure.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def structure(self) -> Struct:
        """The fields of a structure, to its end."""
        fields, number = Struct(), 0
        while head := self._byte():
            kind, step = head & 15, head >> 4
            number = number + step if step else self._integer()
            fields[number] = kind, kind == TRUE if kind in (TRUE, FALSE) else self._value(kind)
        return fields

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _integer(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)

    def _value(self, kind: int) -> Any:
        if kind == STRUCT:
            return self.structure()
        if kind == BINARY:
            return self._bytes(self._unsigned())
        if kind in (LIST, SET):
            head = self._byte()
            count = self._unsigned() if head >> 4 == 15 else head >> 4
            return head & 15, [self._value(head & 15) for _ in range(count)]
        if kind == DOUBLE:
            return self._bytes(8)
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind == MAP:
            raise ValueError("a footer with a map, which Parquet does not have")
        return self._integer()


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(value: int) -> bytes:
    return _unsigned(value << 1 ^ value >> 63)


def _structure(fields: Struct) -> bytes:
    """A structure in the compact protocol."""
    out, before = bytearray(), 0
    for number, (given, value) in sorted(fields.items()):
        kind = (TRUE if value else FALSE) if given in (TRUE, FALSE) else given
        step = number - before
        out += bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _integer(number)
        out += b"" if kind in (TRUE, FALSE) else _value(kind, value)
        before = number
    return bytes(out) + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind == STRUCT:
        return _structure(value)
    if kind == BINARY:
        return _unsigned(len(value)) + bytes(value)
    if kind in (LIST, SET):
        of, elements = value
        head = bytes([len(elements) << 4 | of]) if len(elements) < 15 else bytes([240 | of]) + _unsigned(len(elements))
        return head + b"".join(_value(of, element) for element in elements)
    if kind == DOUBLE:
        return bytes(value)
    return bytes([value]) if kind in (TRUE, FALSE, BYTE) else _integer(value)


def read_footer(file: BinaryIO) -> tuple[Struct, int]:
    """The footer of a Parquet file, and the place where it begins.

    Raises:
        ValueError: it has none.
    """
    end = file.seek(-TAIL_BYTES, 2)
    length, magic = struct.unpack("<I4s", file.read(TAIL_BYTES))
    if magic != MAGIC or length > end:
        raise ValueError("is not a complete Parquet file")
    start = file.seek(end - length)
    return _Footer(file.read(length)).structure(), start


def alike(paths: Sequence[Path]) -> bool:
    """Whether Parquet files have the same columns, described in the same way, so that they can be joined."""
    schemas = list[Any]()
    for one in paths:
        with one.open("rb") as file:
            schemas.append(read_footer(file)[0][SCHEMA])
        if schemas[-1] != schemas[0]:
            return False
    return True


def merge(paths: Sequence[Path], path: Path, texts: dict[str, str]) -> None:
    """Join Parquet files one after another.

    Args:
        paths: of the files, which are alike.
        path: of the file that they become.
        texts: its metadata.
    """
    whole, rows, groups = Struct(), 0, list[Struct]()
    with path.open("wb") as out:
        out.write(MAGIC)
        for one in paths:
            with one.open("rb") as file:
                footer, end = read_footer(file)
                groups += _moved(footer, out.tell() - len(MAGIC))
                _copy(file, out, len(MAGIC), end)
            whole, rows = whole or footer, rows + footer[ROWS][1]
        whole |= {ROWS: (I64, rows), GROUPS: (LIST, (STRUCT, _numbered(groups)))}
        stored = [*whole[TEXTS][1][1]] if TEXTS in whole else []
        stored += [{1: (BINARY, key.encode()), 2: (BINARY, text.encode())} for key, text in texts.items()]
        if stored:
            whole[TEXTS] = LIST, (STRUCT, stored)
        written = _structure(whole)
        out.write(written + struct.pack("<I", len(written)) + MAGIC)


def _numbered(groups: Sequence[Struct]) -> list[Struct]:
    """Groups of rows with their numbers, as far as these go, which have 16 bits."""
    bare = [{field: value for field, value in group.items() if field != ORDINAL} for group in groups]
    return [group | ({ORDINAL: (I16, number)} if number < 2**15 else {}) for number, group in enumerate(bare)]


def _moved(footer: Struct, shift: int) -> list[Struct]:
    """The groups of rows in a footer, all places in the file further on; those without rows are left out."""
    groups = [group for group in footer[GROUPS][1][1] if group[GROUP_ROWS][1]]
    for group in groups:
        _shift(group, (GROUP_PLACE,), shift)
        for chunk in group[COLUMNS][1][1]:
            _shift(chunk, CHUNK_PLACES, shift)
            _shift(chunk[CHUNK][1], PAGE_PLACES, shift)
    return groups


def _shift(fields: Struct, places: Sequence[int], shift: int) -> None:
    for place in places:
        if place in fields and fields[place][1] > 0:  # some writers put 0 for those that nobody reads
            fields[place] = fields[place][0], fields[place][1] + shift


def _copy(file: BinaryIO, out: BinaryIO, start: int, end: int) -> None:
    """Copy a stretch of a file."""
    file.seek(start)
    left = end - start
    while left:
        data = file.read(min(left, COPIED_BYTES))
        if not data:
            raise ValueError("became shorter while it was read")
        out.write(data)
        left -= len(data)
