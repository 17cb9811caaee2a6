"""Ranges of the rows of a table that is stored in batches: the batches that they touch, and what is cut off these."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from gammapolars.core.types import Integers

Rows = tuple[int, int]
"""The first of some rows, and the one after the last."""


def first_rows_of(lengths: list[int]) -> Integers:
    """The rows with which batches of some lengths begin, and the row after the last one.

    Raises:
        ValueError: a length is below 0.
    """
    if min(lengths, default=0) < 0:
        raise ValueError("a part has fewer than 0 rows")
    return np.cumsum([0, *lengths], dtype=np.int64)


def within(rows: Rows | None, total: int) -> Rows:
    """Those of some rows that a table has; None: all."""
    begin, end = (0, total) if rows is None else rows
    return min(begin, total), min(end, total)


def touched(first: Integers, rows: Rows) -> tuple[range, int]:
    """The numbers of the batches in which some rows lie, and the first row of the first of these.

    Args:
        first: the rows with which batches begin, and the row after the last one.
        rows: of all.
    """
    if rows[0] >= rows[1]:
        return range(0), 0
    begin = int(np.searchsorted(first, rows[0], side="right")) - 1
    return range(begin, int(np.searchsorted(first, rows[1]))), int(first[begin])


def cut(batches: Iterable[Any], row: int, rows: Rows | None) -> Iterator[Any]:
    """What some rows take of batches (of Arrow) that follow each other.

    Args:
        batches: of any lengths.
        row: with which the first begins.
        rows: that are asked for; None: all.
    """
    for batch in batches:
        begin, end = within(rows, row + batch.num_rows)
        begin = max(begin - row, 0)
        if rows is None or begin < end - row:
            yield batch if rows is None else batch.slice(begin, end - row - begin)
        row += batch.num_rows
