"""Tables of other programs as tables of hits: columns with our names, units and types, and only values that fit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, TableError
from gammapolars.core.schema import HITS, DType
from gammapolars.detectors.columns import MAPPED, Column, converted, within_times
from gammapolars.io.lost_rows import LostRows
from gammapolars.io.reading import Reading
from gammapolars.streaming.slices import batches_of, lazy_frame

OWN: dict[str, DType] = {**MAPPED, "run": pl.UInt16()}

REQUIRED = {*HITS.columns, "run"}
"""What every hit has."""


def as_hits(table: pl.LazyFrame, path: Path, reading: Reading, *, unchecked: bool) -> pl.LazyFrame:
    """A file's table with the columns of a table of hits.

    With a map of columns the result has these, those that have our names already, and board and flags of 0 if nothing
    is said of them. Without a map a table stays as it is, but for whole numbers of other widths. Hits with a value that
    is missing or does not fit its column are out of range.

    Args:
        table: as the file holds it.
        path: the file.
        reading: the map, and what happens to hits that are out of range.
        unchecked: whether values may be missing, and times anything, because the format's reader looks at none.

    Raises:
        InputError: the map names a column that the table has not, or one that holds something else than it should; when
            collected, for hits that are out of range.
    """
    columns = table.collect_schema()
    if reading.columns:
        sources = _sources(columns, path, reading)
    else:
        sources = {name: Column(name) for name in columns}
        if not unchecked and not any(_is_wider(name, dtype) for name, dtype in columns.items()):
            return table
    try:
        expressions = {
            ours: _expression(ours, column, columns)
            if reading.columns or ours == "timestamp_ps" or _is_wider(ours, columns[ours])
            else pl.col(ours)  # what is wrong with it, if anything, is said of all tables alike
            for ours, column in sources.items()
        }
    except TableError as error:
        raise InputError(f"{path}: {error}") from None
    schema = pl.LazyFrame(schema=columns).select(**expressions).collect_schema()
    lost = LostRows(path, reading.losses)

    def batches(names: list[str]) -> Iterator[pl.DataFrame]:
        read = list(dict.fromkeys(sources[name].name for name in names if sources[name].value is None))
        row = 0
        for batch in batches_of(table.select(read or list(columns)[:1])):
            yield _fitting(batch.select(**{name: expressions[name] for name in names}), batch, sources, lost, row)
            row += batch.height

    return lazy_frame(schema, batches)


def _sources(columns: pl.Schema, path: Path, reading: Reading) -> dict[str, Column]:
    """Where each column of hits comes from."""
    for ours, column in reading.columns.items():
        if column.value is None and column.name not in columns:
            raise InputError(
                f"{path}: has no column '{column.name}', from which [columns] takes {ours} "
                f"(it has {', '.join(columns)})"
            )
    implied = {name: Column(name) for name in MAPPED if name in columns}
    implied |= {name: Column(value=0) for name in ("board", "flags") if name not in columns}
    sources = implied | dict(reading.columns)
    return {name: sources[name] for name in MAPPED if name in sources}


def _is_wider(name: str, dtype: pl.DataType) -> bool:
    """Whether a column with one of our names holds numbers of another width than ours."""
    ours = OWN.get(name)
    return ours is not None and dtype != ours and (dtype.is_integer() or (dtype.is_float() and ours == pl.Float64))


def _expression(ours: str, column: Column, columns: pl.Schema) -> pl.Expr:
    if column.value is not None:
        return pl.repeat(column.value, pl.len(), dtype=MAPPED[ours])
    if ours == "run":
        return pl.col(column.name).cast(OWN[ours], strict=False)
    value = converted(ours, column, columns[column.name])
    return within_times(value) if ours == "timestamp_ps" else value


def _fitting(
    hits: pl.DataFrame, batch: pl.DataFrame, sources: dict[str, Column], lost: LostRows, first_row: int
) -> pl.DataFrame:
    """The hits without those that lack a value which every hit has."""
    unfit = []
    for column in hits:
        is_ours = column.name in REQUIRED or batch.schema.get(sources[column.name].name) != column.dtype
        if column.name in OWN and column.dtype.is_integer() and is_ours and column.null_count():
            unfit.append(column.is_null().to_numpy())
            where = int(unfit[-1].argmax())
            name = sources[column.name].name
            place = f"column '{name}' has values that are no {column.name}"
            value = "null" if batch[name][where] is None else batch[name][where]
            what = f"{place} (the first: {value} in row {first_row + where + 1})"
            lost.leave_out(what, first_row, unfit[-1], "out_of_range", place=place)
    return hits.filter(~np.logical_or.reduce(unfit)) if unfit else hits
