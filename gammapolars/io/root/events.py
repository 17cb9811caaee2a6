"""Trees of events, of which an entry holds a list of hits in each branch: read by uproot, as tables of lists."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from gammapolars.core.errors import InputError, first_line
from gammapolars.io.root.branches import Tree
from gammapolars.io.root.uproot_file import opened_by_uproot
from gammapolars.io.untrusted import CRASHES
from gammapolars.streaming.slices import lazy_frame

EVENTS = 100_000
"""This many entries are read at once."""


def scan_events(tree: Tree, columns: dict[str, str], rows: tuple[int, int]) -> pl.LazyFrame:
    """A tree's branches lazily, lists as lists, in the order of `columns`, the column's name for each branch.

    Args:
        tree: the tree.
        columns: of its branches.
        rows: the entries that are read, from the first to before the second.

    Raises:
        InputError: a branch contains something other than numbers, text, or lists of them; when collected, for damage.
    """
    branch_of = {column: name for name, column in columns.items()}

    def batches(wanted: list[str]) -> Iterator[pl.DataFrame]:
        yield from _frames(tree, {column: branch_of[column] for column in wanted}, rows)

    (empty,) = _frames(tree, branch_of, (0, 0))
    return lazy_frame(empty.schema, batches, of=tree.path)


def _frames(tree: Tree, columns: dict[str, str], rows: tuple[int, int]) -> Iterator[pl.DataFrame]:
    """Some entries by the columns' names; an empty frame where they are none."""
    first, last = rows
    try:
        with opened_by_uproot(tree.path) as file:
            of_file = file[tree.name]
            for start in range(first, last, EVENTS) or [first]:
                stop = min(start + EVENTS, last)
                arrays = of_file.arrays(list(columns.values()), entry_start=start, entry_stop=stop)
                yield pl.DataFrame({column: _series(arrays[name]) for column, name in columns.items()})
    except CRASHES as error:
        raise InputError(
            f"{tree.path}: cannot be read as a tree of events; is it damaged? ({first_line(error)})"
        ) from None


def _series(array: Any) -> pl.Series:
    import awkward

    values: Any = pl.from_arrow(awkward.to_arrow(array, extensionarray=False))
    return pl.Series(values)
