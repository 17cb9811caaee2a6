"""Parquet and Arrow files that may be damaged, read so that nothing worse comes of it than an error.

Nothing in these files has a checksum, and polars believes their own metadata: on a wrong length its threads
panic, or ask for more memory than there is, which ends the process. So both are read by pyarrow, which checks what it
reads: at 40 million hits/s, as fast as anything that is done with them.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, first_line
from gammapolars.core.types import Integers
from gammapolars.io.arrow_batches import check_packing, first_rows
from gammapolars.io.arrow_footer import read_blocks
from gammapolars.io.arrow_numbers import plain_batches, read_plain
from gammapolars.io.remote import is_remote
from gammapolars.io.row_ranges import Rows, cut, first_rows_of, touched, within
from gammapolars.streaming.slices import guarded, lazy_frame

MAGIC_BYTES = 4
"""Begin and end a Parquet file."""

PADDING_BYTES = 64
"""More than fills the space between two batches, and less than any batch has."""

BATCH_ROWS = 500_000
"""This many rows of a Parquet file are read at once."""

BATCH_BYTES = 2**26
"""Largest unpacked batch of a Parquet file, 64 MB, or a single row where that is more. A value stored once may be
repeated in every row, so that a file of 2 kB would fill any memory."""

CRASHES = (
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, struct.error),
    *(OSError, ValueError, MemoryError, NotImplementedError, LookupError, TypeError, OverflowError),
)
"""Exceptions that reading a damaged file can raise."""


def scan_parquet(path: Path, rows: Rows | None = None) -> pl.LazyFrame:
    """A Parquet file's table, lazily.

    Args:
        path: the file.
        rows: of the table that are read; None: all.

    Raises:
        InputError: it is no Parquet file, or its footer cannot be right; when collected, for damage elsewhere.
    """
    if is_remote(path):
        return _scan_remote_parquet(path, rows)
    import pyarrow.parquet

    try:
        begin, end = within(rows, _checked_rows(path))
        schema = _polars_schema(pyarrow.parquet.read_schema(path))
    except CRASHES as error:
        raise _unreadable(path, "Parquet", error) from None

    def batches(columns: list[str]) -> Iterator[pl.DataFrame]:
        done = 0
        try:
            for frame in _parquet_batches(path, columns, rows):
                yield frame
                done += frame.height
            if done != end - begin:
                raise ValueError(f"it contains {done} of {end - begin} rows")
        except CRASHES as error:
            raise _unreadable(path, "Parquet", error) from None

    return lazy_frame(schema, batches, of=path)


def borders_of_parquet(path: Path) -> Integers | None:
    """The rows with which its row groups begin, and that after the last; None for a file on a server.

    Raises:
        InputError: it is no Parquet file, or its footer cannot be right.
    """
    if is_remote(path):
        return None
    import pyarrow.parquet

    try:
        _checked_rows(path)
        return _first_rows(pyarrow.parquet.read_metadata(path))
    except CRASHES as error:
        raise _unreadable(path, "Parquet", error) from None


def _first_rows(metadata: Any) -> Integers:
    """The rows with which the row groups of a Parquet file begin, and that after the last."""
    return first_rows_of([metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)])


def rows_of_parquet(path: Path) -> int:
    """How many rows a Parquet file holds, by its footer.

    Raises:
        InputError: it is no Parquet file, or its footer cannot be right.
    """
    try:
        return _checked_rows(path)
    except CRASHES as error:
        raise _unreadable(path, "Parquet", error) from None


def read_parquet(data: bytes) -> tuple[pl.DataFrame, dict[str, str]]:
    """The whole table of a small Parquet file's bytes, and the texts that it carries.

    Raises:
        InputError: they are no Parquet file, or a damaged one; the message names no file.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(pa.BufferReader(data)) as file:
            stored = file.read()
            texts = {key.decode(): text.decode() for key, text in (file.metadata.metadata or {}).items()}
        stored.validate(full=True)
        return pl.DataFrame(stored.replace_schema_metadata()), texts
    except CRASHES as error:
        raise InputError(f"cannot be read as Parquet; is it damaged? ({_reason(error)})") from None


def _scan_remote_parquet(path: Path, rows: Rows | None) -> pl.LazyFrame:
    """A file on a server: polars fetches no more of it than a query needs."""
    try:
        frame = pl.scan_parquet(path, glob=False)
        if rows is not None:
            frame = frame.slice(rows[0], rows[1] - rows[0])
        frame.collect_schema()
    except CRASHES as error:
        raise _unreadable(path, "Parquet", error) from None
    return guarded(frame, CRASHES, lambda error: _unreadable(path, "Parquet", error))


def _parquet_batches(path: Path, columns: list[str], rows: Rows | None = None) -> Iterator[pl.DataFrame]:
    """The rows in batches of bounded unpacked size: texts stay packed in dictionaries until then."""
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(path)
    texts = [name for name in columns if _is_text(schema.field(name).type)]
    with pyarrow.parquet.ParquetFile(path, pre_buffer=False, read_dictionary=texts or None) as file:
        first = _first_rows(file.metadata)
        groups, row = touched(first, within(rows, int(first[-1])))
        stored = file.iter_batches(_batch_rows(file.metadata, columns), columns=columns, row_groups=groups)
        for part in cut(stored, row, rows):
            part.validate(full=True)
            for piece in _pieces(part, texts):
                yield pl.DataFrame(piece.replace_schema_metadata())


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(kind) for is_kind in kinds)


def _batch_rows(metadata: Any, columns: list[str]) -> int:
    """How many rows are read at once: fewer where each has many values, as lists do."""
    most = 1
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        stored = [group.column(number) for number in range(group.num_columns)]
        values = sum(one.num_values for one in stored if one.path_in_schema.split(".")[0] in columns)
        most = max(most, values // max(group.num_rows, 1))
    return max(min(BATCH_ROWS, BATCH_BYTES // (8 * most)), 1)


def _pieces(batch: Any, texts: list[str]) -> Iterator[Any]:
    """A batch with its texts unpacked, cut where they would take too much."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not texts:
        yield batch
        return
    lengths = np.zeros(batch.num_rows, np.int64)
    for name in texts:
        column = batch.column(name)
        of_row = pc.binary_length(column.dictionary).take(column.indices)
        lengths += pc.fill_null(of_row, 0).to_numpy(zero_copy_only=False)
    number = np.cumsum(lengths) // BATCH_BYTES
    ends = [*(np.flatnonzero(np.diff(number)) + 1).tolist(), batch.num_rows]
    for begin, end in pairwise([0, *ends]):
        part = batch.slice(begin, end - begin)
        unpacked = [
            column.dictionary_decode() if name in texts else column
            for name, column in zip(part.schema.names, part.columns, strict=True)
        ]
        yield pa.record_batch(unpacked, names=part.schema.names)


def _checked_rows(path: Path) -> int:
    """The number of rows, if all columns lie in the file and have as many rows as their groups.

    Raises:
        ValueError, OSError: they do not.
    """
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(path)
    end = path.stat().st_size - metadata.serialized_size - 2 * MAGIC_BYTES
    rows = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows += group.num_rows
        for column in map(group.column, range(group.num_columns)):
            begin = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
            size = column.total_compressed_size
            if begin < MAGIC_BYTES or size < 0 or begin + size > end:
                raise ValueError(f"column '{column.path_in_schema}' is outside the file")
            if group.num_rows < 0 or column.num_values < group.num_rows:
                raise ValueError(f"column '{column.path_in_schema}' has {column.num_values} of {group.num_rows} rows")
    if rows != metadata.num_rows:
        raise ValueError(f"its parts have {rows} of {metadata.num_rows} rows")
    return rows


def scan_arrow(path: Path, rows: Rows | None = None) -> pl.LazyFrame:
    """An Arrow IPC file's table, lazily, batch by batch.

    Args:
        path: the file.
        rows: of the table that are read; None: all.

    Raises:
        InputError: it is no Arrow IPC file; when collected, for damaged batches.
    """
    import pyarrow as pa
    import pyarrow.ipc

    try:
        _check_blocks(path)
        check_packing(path)
        with pa.OSFile(str(path)) as file:
            names = pyarrow.ipc.open_file(file).schema
        schema = _polars_schema(names)
    except CRASHES as error:
        raise _unreadable(path, "Arrow IPC", error) from None

    def batches(columns: list[str]) -> Iterator[pl.DataFrame]:
        fields = [names.get_field_index(name) for name in columns]
        dtypes = _numbers(schema)
        try:
            plain = plain_batches(path, dtypes) if dtypes else None
            if plain is None:
                yield from _arrow_batches(path, fields, rows)
                return
            for arrays in read_plain(path, plain, fields, dtypes, rows):
                yield pl.DataFrame(dict(zip(columns, arrays, strict=True)))
        except CRASHES as error:
            raise _unreadable(path, "Arrow IPC", error) from None

    return lazy_frame(schema, batches, of=path)


def _numbers(schema: pl.Schema) -> list[np.dtype[Any]]:
    """The types of the columns, if all are plain numbers; else none."""
    plain = all(dtype.is_integer() or dtype.is_float() for dtype in schema.dtypes())
    return [pl.Series(dtype=dtype).to_numpy().dtype for dtype in schema.dtypes()] if plain else []


def borders_of_arrow(path: Path) -> Integers:
    """The rows with which its batches begin, and that after the last.

    Raises:
        InputError: it is no Arrow IPC file, or a damaged one.
    """
    try:
        _check_blocks(path)
        return first_rows(path)
    except CRASHES as error:
        raise _unreadable(path, "Arrow IPC", error) from None


def _check_blocks(path: Path) -> None:
    """Check that the batches that the footer names are all that there are: they lie one after the other.

    Raises:
        ValueError, struct.error: they are not, or do not.
    """
    with path.open("rb") as file:
        blocks, footer = read_blocks(file)
    gaps = [after - (place + size) for (place, size), (after, _) in pairwise([*sorted(blocks), (footer.start, 0)])]
    if any(not 0 <= gap <= PADDING_BYTES for gap in gaps):
        raise ValueError("its footer does not list all of its content")
    if not blocks and footer.start > len(footer) + PADDING_BYTES:
        raise ValueError("its footer lists none of its content")


def _arrow_batches(path: Path, fields: list[int], rows: Rows | None) -> Iterator[pl.DataFrame]:
    import pyarrow as pa
    import pyarrow.ipc

    options = pyarrow.ipc.IpcReadOptions(included_fields=fields)
    # Not mapped into memory: where a mapped file becomes shorter, the process dies.
    with pa.OSFile(str(path)) as file:
        reader = pyarrow.ipc.open_file(file, options=options)
        numbers, row = _batches_of(path, rows, reader.num_record_batches)
        for batch in cut(map(reader.get_batch, numbers), row, rows):
            batch.validate(full=True)
            yield pl.DataFrame(batch.replace_schema_metadata())


def _batches_of(path: Path, rows: Rows | None, count: int) -> tuple[Sequence[int], int]:
    """The numbers of the batches in which some rows of an Arrow IPC file lie, and the first row of the first."""
    if rows is None:
        return range(count), 0
    first = first_rows(path)
    return touched(first, within(rows, int(first[-1])))


def _polars_schema(schema: Any) -> pl.Schema:
    """An Arrow schema as polars has it, which panics on metadata that are no text."""
    return pl.DataFrame(schema.remove_metadata().empty_table()).schema


def _unreadable(path: Path, kind: str, error: Any) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: no such file")
    return InputError(f"{path}: cannot be read as {kind}; is it damaged? ({_reason(error)})")


def _reason(error: Any) -> str:
    if isinstance(error, pl.exceptions.PanicException):
        return "its parts are inconsistent"
    return first_line(error)
