"""Tables of events, of which a row holds a list of hits in each column, as tables of hits."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.streaming.slices import batches_of, lazy_frame


def flat(table: pl.LazyFrame, path: Path, names: Iterable[str], *, first_row: int = 0) -> pl.LazyFrame:
    """A row for each hit of a table of events; values that an event has once are repeated for each of its hits.

    Args:
        table: as the file holds it.
        path: of the file.
        names: the columns that are wanted; no other lists are kept. Where none of them holds lists, the table stays as
            it is.
        first_row: the number of its first row in the file.

    Raises:
        InputError: when collected, for an event whose lists differ in length.
    """
    columns = table.collect_schema()
    lists = [name for name in dict.fromkeys(names) if isinstance(columns.get(name), pl.List | pl.Array)]
    if not lists:
        return table
    inner = {name: getattr(columns[name], "inner") if name in lists else columns[name] for name in columns}  # noqa: B009
    schema = pl.Schema({name: dtype for name, dtype in inner.items() if name in lists or not columns[name].is_nested()})

    def batches(wanted: list[str]) -> Iterator[pl.DataFrame]:
        some = [name for name in wanted if name in lists] or lists[:1]
        row = first_row
        for batch in batches_of(table.select(*dict.fromkeys([*wanted, *some]))):
            events = batch.with_columns(pl.col(name).cast(pl.List(inner[name])) for name in some)
            yield _exploded(events, some, path, row).select(wanted)
            row += batch.height

    return lazy_frame(schema, batches)


def _exploded(events: pl.DataFrame, lists: list[str], path: Path, first_row: int) -> pl.DataFrame:
    lengths = events.select(pl.col(name).list.len() for name in lists)
    for name in lists[1:]:
        if (differ := lengths[name].ne_missing(lengths[lists[0]])).any():
            row = int(differ.arg_true()[0])
            one, other = lengths[lists[0]][row], lengths[name][row]
            raise InputError(
                f"{path}: event {first_row + row + 1} has {one} values in '{lists[0]}' and {other} in "
                f"'{name}': each hit needs one of both"
            )
    return events.filter(lengths[lists[0]].fill_null(0) > 0).explode(lists)
