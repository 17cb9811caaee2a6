"""Tables of other programs as tables of hits: columns with our names, units and types, and only values that fit."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, TableError
from gammapolars.core.schema import ADC_COLUMNS, HITS, DType
from gammapolars.detectors.columns import MAPPED, TIME, Column
from gammapolars.detectors.conversion import converted
from gammapolars.io.adc_width import adc_type, key_of, note_narrow
from gammapolars.io.detector_numbers import check_channel_numbers
from gammapolars.io.flattening import flat
from gammapolars.io.foreign_times import CoarseFloats, check_whole_time, origin_advice
from gammapolars.io.lost_rows import LostRows
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.rollover import Counter
from gammapolars.streaming.slices import batches_of, lazy_frame

OWN: dict[str, DType] = {**MAPPED, "run": pl.UInt16()}

REQUIRED = {*HITS.columns, "run"}
"""Columns of every hit."""


Scan = Callable[[Path, Reading], pl.LazyFrame]


def as_hits(
    scan: Scan, path: Path, reading: Reading, *, unchecked: bool, counter: Counter | None = None
) -> pl.LazyFrame:
    """A file's table with the columns of a table of hits.

    With a map of columns the result has these, those that have our names already, and board and flags of 0 if nothing
    is said of them. Without a map a table stays as it is, but for numbers of other widths. Hits with a value that
    is missing or does not fit its column are out of range. With a map, rows that hold lists are events of several hits.

    Args:
        scan: gives the table as the file holds it.
        path: the file.
        reading: the map, the treatment of hits that are out of range, and the rows. The whole file decides the types of
            its columns.
        unchecked: whether values may be missing, and times anything, because the format's reader looks at none.
        counter: that of its times, if it rolls over without a flag.

    Raises:
        InputError: the map names a column that the table lacks, or one that holds something else than it should; when
            collected, for hits that are out of range.
    """
    mapped = [name for column in reading.columns.values() for name in column.sources]
    if counter and reading.rows:
        raise ValueError(f"{path}: a counter that rolls over is read from its beginning")
    table = whole = _table(scan, path, reading)
    columns = table.collect_schema()
    sources = _sources(columns, path, reading)
    unlike = {ours for ours in sources if reading.columns or ours == TIME or _is_wider(ours, columns[ours])}
    if not reading.columns and not unchecked and not counter and unlike <= {TIME}:
        return table
    key = key_of(path, reading)
    if reading.rows:
        whole = _table(scan, path, reading.of_whole_file)
    try:
        check_whole_time(whole, reading.columns.get(TIME), mapped)
        check_channel_numbers(whole, sources.get("channel"), path, reading.losses)
        expressions = {
            ours: _expression(ours, sources, whole, key) if ours in unlike else pl.col(ours) for ours in sources
        }  # errors in the others, if any, are reported alike for all tables
    except TableError as error:
        raise InputError(f"{path}: {error}") from None
    schema = pl.LazyFrame(schema=columns).select(**expressions).collect_schema()
    for ours in unlike & set(ADC_COLUMNS):
        if schema[ours].is_float():
            note_narrow(whole, ours, sources[ours], path, reading.losses, key)
    lost = LostRows(path, reading.losses)
    floats = CoarseFloats(sources.get(TIME), columns, path, reading.losses)

    def fitting(names: list[str]) -> Iterator[pl.DataFrame]:
        needed = [*names, "board"] if TIME in names and sources[TIME].units else names
        read = list(dict.fromkeys(name for ours in needed for name in sources[ours].sources)) or list(columns)[:1]
        before, row = cache(lambda: _rows_before(scan, path, reading, read, all_rows=unchecked)), 0
        for batch in batches_of(table.select(read)):
            if TIME in names:
                floats.look_at(batch)
            hits = batch.select(**{name: expressions[name] for name in names})
            yield _fitting(hits, batch, sources, lost, partial(_sum, before, row))
            row += batch.height

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        if counter is None or TIME not in names:
            return fitting(names)
        return counter.continuous(fitting(list(dict.fromkeys([*names, "board"]))), path, reading.losses)

    hits = lazy_frame(schema, batches)
    if counter:
        counter.of(hits)
    return hits


def _sum(before: Callable[[], int], row: int) -> int:
    return before() + row


def _table(scan: Scan, path: Path, reading: Reading) -> pl.LazyFrame:
    """A file's table, with a row for each hit where there is a map of columns."""
    table = scan(path, reading)
    if not reading.columns:
        return table
    mapped = [name for column in reading.columns.values() for name in column.sources]
    return flat(table, path, [*mapped, *OWN], first_row=reading.rows[0] if reading.rows else 0)


def holds_lists(scan: Scan, path: Path, reading: Reading) -> bool:
    """Whether a file's table has rows that are events of several hits."""
    if not reading.columns:
        return False
    columns = scan(path, reading.of_whole_file).collect_schema()
    used = {name for column in reading.columns.values() for name in column.sources} | {*OWN}
    return any(dtype.is_nested() for name, dtype in columns.items() if name in used)


def _rows_before(scan: Scan, path: Path, reading: Reading, columns: list[str], *, all_rows: bool) -> int:
    """How many of the table's rows come before those that are read: counted only where a message has to say it.

    With `all_rows` the table has each row of the file, but where these are lists.
    """
    if not reading.rows or not reading.rows[0]:
        return 0
    if all_rows and not holds_lists(scan, path, reading):
        return reading.rows[0]
    before = replace(reading, rows=(0, reading.rows[0]), losses=Losses())
    return sum(batch.height for batch in batches_of(_table(scan, path, before).select(columns)))


def _sources(columns: pl.Schema, path: Path, reading: Reading) -> dict[str, Column]:
    """Where each column of hits comes from."""
    if not reading.columns:
        return {name: Column(name) for name in columns}
    for ours, column in reading.columns.items():
        for name in column.sources:
            if name not in columns:
                raise InputError(
                    f"{path}: has no column '{name}', which [columns] uses for {ours} (it has {', '.join(columns)})"
                )
    others = {name for column in reading.columns.values() for name in column.sources} - reading.columns.keys()
    implied = {name: Column(name) for name in MAPPED if name in columns and name not in others}
    implied |= {name: Column(value=0) for name in ("board", "flags") if name not in implied}
    sources = implied | dict(reading.columns)
    channel = sources.get("channel", Column(value=0))
    if channel.value is None and _names_detectors(columns[channel.name]) and "board" not in reading.columns:
        sources["board"] = channel
    return {name: sources[name] for name in MAPPED if name in sources}


def _is_wider(name: str, dtype: pl.DataType) -> bool:
    """Whether a column with one of our names holds numbers of another width than ours."""
    ours = OWN.get(name)
    if ours is None or dtype == ours:
        return False
    return dtype.is_integer() or (dtype.is_float() and (ours == pl.Float64 or name in ADC_COLUMNS))


def _names_detectors(dtype: DType) -> bool:
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def _expression(ours: str, sources: Mapping[str, Column], table: pl.LazyFrame, key: Hashable) -> pl.Expr:
    column, columns = sources[ours], table.collect_schema()
    if column.value is not None:
        return pl.repeat(column.value, pl.len(), dtype=MAPPED[ours])
    if ours == "run":
        return pl.col(column.name).cast(OWN[ours], strict=False)
    if ours in ("board", "channel") and _names_detectors(columns[column.name]):
        return _by_name(ours, column, columns[column.name])
    target = adc_type(table, column, key) if ours in ADC_COLUMNS else None
    return converted(ours, column, columns, board=_board(sources, columns), target=target)


def _board(sources: Mapping[str, Column], columns: pl.Schema) -> pl.Expr:
    """The boards of hits, in a foreign table."""
    board = sources.get("board", Column(value=0))
    if board.value is not None:
        return pl.lit(board.value)
    dtype = columns[board.name]
    return _by_name("board", board, dtype) if _names_detectors(dtype) else pl.col(board.name)


def _by_name(ours: str, column: Column, dtype: DType) -> pl.Expr:
    """The board or the channel of detectors that a table has by name; null for a name that none has.

    Raises:
        TableError: no detector has a name.
    """
    if not column.names:
        raise TableError(
            f"column '{column.name}' contains {dtype}, but channel needs numbers: if it contains detector "
            "names, describe each detector in a [[detector]] table with name, board and channel"
        )
    place = 0 if ours == "board" else 1
    numbers = {name: key[place] for name, key in column.names.items()}
    name = pl.col(column.name).cast(pl.String).str.strip_chars()
    return name.replace_strict(numbers, default=None, return_dtype=OWN[ours]).alias(ours)


def _fitting(
    hits: pl.DataFrame, batch: pl.DataFrame, sources: dict[str, Column], lost: LostRows, row: Callable[[], int]
) -> pl.DataFrame:
    """The hits without those that lack a value which every hit has; `row` gives the number of the first."""
    unfit = []
    for column in hits:
        source = sources[column.name]
        is_ours = column.name in REQUIRED or batch.schema.get(source.name) != column.dtype
        is_whole = column.dtype.is_integer() or column.name in ADC_COLUMNS
        if column.name in OWN and is_whole and is_ours and column.null_count():
            unfit.append(column.is_null().to_numpy())
            first_row = row()
            where = int(unfit[-1].argmax())
            names = "' and '".join(source.sources)
            values = [batch[name][where] for name in source.sources]
            place = f"column{'s' if source.further else ''} '{names}' has values that are not a valid {column.name}"
            shown = " and ".join("null" if value is None else str(value) for value in values)
            what = f"{place} (the first: {shown} in row {first_row + where + 1})"
            what += _advice(column, source, values)
            if (
                column.name == TIME
                and (board := _board_without_unit(source, sources, batch.slice(where, 1))) is not None
            ):
                place = f"board {board} has no unit in [columns]"
                what = f"{place} (its first hit is in row {first_row + where + 1}): {_units_with(source, board)}"
            lost.leave_out(what, first_row, unfit[-1], "out_of_range", place=place)
    return hits.filter(~np.logical_or.reduce(unfit)) if unfit else hits


def _board_without_unit(time: Column, sources: Mapping[str, Column], hit: pl.DataFrame) -> int | None:
    """The board of one hit, if boards have units of their own and it has none."""
    if not time.units:
        return None
    board: int | None = hit.select(_board(sources, hit.schema)).item()
    return None if board in dict(time.units) else board


def _units_with(time: Column, board: int) -> str:
    """The TOML text that gives a board a unit, too."""
    units = ", ".join(f'{number} = "{unit}"' for number, unit in time.units)
    return f'write {TIME} = {{name = "{time.name}", unit = {{{units}, {board} = "…"}}}}'


def _advice(hits: pl.Series, source: Column, values: list[object]) -> str:
    """Advice where values do not fit, if there is any."""
    if hits.name == TIME:
        return origin_advice(source, values[0])
    if hits.name in ADC_COLUMNS and hits.dtype == pl.UInt16 and isinstance(values[0], int) and source.bits is None:
        return f': {hits.name} = {{name = "{source.name}", bits = 32}} reads wider values'
    if hits.name in ("board", "channel") and isinstance(values[0], str):
        return ": describe it in a [[detector]] table"
    return ""
