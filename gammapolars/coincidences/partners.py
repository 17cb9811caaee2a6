"""Hits that have others within reach, and how many follow each: by numpy, since a slice is too short for a query.

Most hits have no other within reach. They are dropped first, in blocks that stay in the processor's cache, by their
times alone.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl

from gammapolars.core.types import Integers

BLOCK_HITS = 2**16
"""This many times, and what is made of them, stay in the cache."""

FEW = 8
"""Up to this many followers are counted one after the other, more by bisection."""

PLAIN = frozenset((pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int16, pl.Int32, pl.Int64, pl.Float32, pl.Float64))
"""Types whose columns are arrays of numpy as they are."""


def near_rows(times: pl.Series, reach_ps: int) -> Integers:
    """The rows of hits of which a direct neighbour lies within reach, ascending.

    Args:
        times: ascending, ps, in any number of chunks.
        reach_ps: the largest |dt|.
    """
    found, is_near = [np.empty(0, np.int64)], False
    for row, block, following in _blocks(times):
        close = np.empty(len(block), np.bool_)
        np.less_equal(block[1:] - block[:-1], reach_ps, out=close[:-1])
        close[-1] = following is not None and following - int(block[-1]) <= reach_ps
        near = close.copy()
        near[1:] |= close[:-1]
        near[0] |= is_near
        is_near = bool(close[-1])
        found.append(np.flatnonzero(near) + row)
    return np.concatenate(found)


def _blocks(times: pl.Series) -> Iterator[tuple[int, Integers, int | None]]:
    """Times in blocks, each with the row in which it begins and the first time after it."""
    chunks = [chunk.to_numpy() for chunk in times.get_chunks() if chunk.len()]
    cut = [chunk[begin : begin + BLOCK_HITS] for chunk in chunks for begin in range(0, len(chunk), BLOCK_HITS)]
    row = 0
    for block, following in pairwise([*cut, None]):
        assert block is not None
        yield row, block, None if following is None else int(following[0])
        row += len(block)


def taken(column: pl.Series, rows: Integers) -> pl.Series:
    """The values of a column at some rows; of a column in several chunks, they ascend.

    Plain numbers are taken by numpy: polars would share so few among threads, whose waking takes longer.
    """
    if column.dtype not in PLAIN or column.null_count():
        return column[rows]
    if column.n_chunks() == 1:
        return pl.Series(column.name, column.to_numpy()[rows])
    chunks = column.get_chunks()
    starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
    cuts = pairwise(np.searchsorted(rows, starts).tolist())
    parts = [
        chunk.to_numpy()[rows[begin:end] - start]
        for chunk, start, (begin, end) in zip(chunks, starts[:-1], cuts, strict=True)
    ]
    return pl.Series(column.name, np.concatenate(parts))


def follower_counts(times_ps: Integers, first: int, end: int, reach_ps: int) -> Integers:
    """How many later hits lie within reach of each of some hits.

    Args:
        times_ps: (n,) ascending.
        first: row of the first hit that is asked for.
        end: row after the last.
        reach_ps: the largest |dt|.

    Returns:
        (end - first,).
    """
    counts = np.zeros(end - first, np.int64)
    rows = np.arange(first, end)
    for apart in range(1, FEW + 1):
        rows = rows[: np.searchsorted(rows, len(times_ps) - apart)]
        rows = rows[times_ps[rows + apart] - times_ps[rows] <= reach_ps]
        if not len(rows):
            return counts
        counts[rows - first] = apart
    counts[rows - first] = np.searchsorted(times_ps, times_ps[rows] + reach_ps, side="right") - rows - 1
    return counts
