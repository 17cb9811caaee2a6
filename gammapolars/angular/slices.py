"""Counts by slice of time: slices that hold enough counts, and tables as arrays."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from gammapolars.angular.counts import COUNTS, SINGLES, SLICE, sums_of
from gammapolars.angular.normalise import CountArrays
from gammapolars.core.errors import TableError
from gammapolars.core.types import Key

ENOUGH_COUNTS = 1000
"""Counts of the lines that the median detector should have in a slice: they measure how active the source was."""

MOST_VALUES = 1_000_000
"""Slices times pairs of detectors: more are not kept as arrays, which bounds the memory to about 100 MB."""


def wider(table: pl.DataFrame, times: int = 2) -> pl.DataFrame:
    """A table of counts in slices that are `times` as wide."""
    sums = sums_of(COUNTS if "coincidences" in table.columns else SINGLES)
    keys = [name for name in table.columns if name not in sums]
    coarse = table.with_columns(pl.col("time_slice") // times)
    return coarse.group_by(keys).agg(pl.col(sums).sum()).sort(keys)


def with_enough_counts(counts: pl.DataFrame, singles: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables in slices wide enough that the median detector has enough counts in each.

    Raises:
        TableError: the tables are not sliced in the same way.
    """
    for name in SLICE:
        if (name in counts.columns) != (name in singles.columns):
            raise TableError(f"one of the tables of counts has a column '{name}', the other has not")
    if "time_slice" not in singles.columns:
        return counts, singles
    totals = singles.group_by("board", "channel").agg(n=(pl.col("counts_1") + pl.col("counts_2")).sum())["n"]
    if not totals.len():
        return counts, singles
    most = min(float(np.median(totals)) / ENOUGH_COUNTS, MOST_VALUES / totals.len() ** 2)
    while (number := _slices(singles).height) > most:
        coarse = wider(singles)
        if _slices(coarse).height == number and _span(coarse) == _span(singles):
            break
        counts, singles = wider(counts), coarse
    return counts, singles


def _slices(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(name for name in SLICE if name in table.columns).unique()


def _span(table: pl.DataFrame) -> tuple[object, object]:
    return table["time_slice"].min(), table["time_slice"].max()


def arrays(counts: pl.DataFrame, singles: pl.DataFrame, keys: Sequence[Key]) -> CountArrays:
    """The tables as arrays, for all ordered pairs of the detectors in `keys`, with and without coincidences.

    Raises:
        TableError: there are coincidences of a detector, or in a slice, without counts.
    """
    place = {key: number for number, key in enumerate(keys)}
    names = [name for name in SLICE if name in singles.columns]
    slices = {row: number for number, row in enumerate(sorted(set(_rows(singles, names))))} or {(): 0}
    first, second = np.nonzero(~np.eye(len(keys), dtype=bool))
    pair = np.full((len(keys), len(keys)), -1)
    pair[first, second] = np.arange(len(first))
    ends = counts.select("board_1", "channel_1", "board_2", "channel_2")
    try:
        of_pair = [pair[place[a, b], place[c, d]] for a, b, c, d in ends.iter_rows()]
        in_slice = [slices[row] for row in _rows(counts, names)]
    except KeyError:
        raise TableError(
            "there are coincidences of detectors, or at times, that have no counts of either line: "
            "were both tables counted from the same hits?"
        ) from None
    one = [place[key] for key in singles.select("board", "channel").iter_rows()]
    at = [slices[row] for row in _rows(singles, names)]

    def scatter(table: pl.DataFrame, name: str, where: tuple[list[int], list[int]], width: int) -> np.ndarray:
        array = np.zeros((len(slices), width))
        np.add.at(array, where, table[name].to_numpy())
        return array

    return CountArrays(
        first,
        second,
        {name: scatter(counts, name, (in_slice, of_pair), len(first)) for name in sums_of(COUNTS)},
        {name: scatter(singles, name, (at, one), len(keys)) for name in sums_of(SINGLES)},
    )


def _rows(table: pl.DataFrame, names: Sequence[str]) -> list[tuple[object, ...]]:
    return table.select(names).rows() if names else [()] * table.height
