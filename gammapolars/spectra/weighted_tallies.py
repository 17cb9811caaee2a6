"""Sums of weights that grow slice by slice: few weights make the same to the bit in any slices."""

from collections.abc import Iterable
from functools import reduce

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.spectra.counting import BIN, Bins
from gammapolars.spectra.tallies import COUNTS, WEIGHTED, Tally

MOST_WEIGHTS = 64
"""Rows of up to this many distinct weights are counted weight by weight. Random windows give two, each further step of
the clocks one more, and each gate with background twice as many."""

SAMPLE_ROWS = 1024
"""The number of first rows, which show whether each has a weight of its own."""

WeightedCounts = dict[float | None, pl.DataFrame]
"""Rows by keys for each distinct weight; under None, sums of weights and of their squares."""


def count_by_weight(rows: pl.DataFrame, keys: Iterable[str], weight: str | None = None) -> WeightedCounts:
    """Rows per combination of columns and weight.

    Args:
        rows: have the columns.
        keys: the columns.
        weight: the column of weights, of which rows without one are left out; None: each row weighs 1.

    Returns:
        For each weight the keys and `counts`; if there are more than a few, or one is not finite, under None the keys,
        `counts` Σ w and `variance` Σ w².
    """
    by = list(keys)
    if weight is None:
        return {1.0: rows.lazy().group_by(by).agg(counts=pl.len()).collect()}
    value = pl.col(weight)
    rows = rows.filter(value.is_not_null()) if rows[weight].null_count() else rows
    weights = _distinct(rows[weight])
    if weights is None:
        squares = value.cast(pl.Float64).pow(2).sum()
        return {None: rows.group_by(by).agg(counts=value.cast(pl.Float64).sum(), variance=squares)}
    parts = rows.lazy()
    chosen = [parts if len(weights) == 1 else parts.filter(value == one) for one in weights]
    return {one: part.group_by(by).agg(counts=pl.len()).collect() for one, part in zip(weights, chosen, strict=True)}


def _distinct(weights: pl.Series) -> list[float] | None:
    """The different weights; None if they are more than a few, or not all finite."""
    if weights.head(SAMPLE_ROWS).n_unique() > MOST_WEIGHTS:
        return None
    distinct: list[float] = []
    rest = weights.cast(pl.Float64).to_numpy()
    while len(rest):
        if len(distinct) == MOST_WEIGHTS or not np.isfinite(rest[0]):
            return None
        distinct.append(float(rest[0]))
        rest = rest[rest != rest[0]]
    return distinct


class WeightedTally:
    """Sums of weights and of their squares, of rows by some columns.

    Weights are few where they are of random windows and of gates: 1 of a prompt pair, -s of a random one. Then rows are
    counted for each weight w, and N = Σ w n_w and its variance Σ w² n_w are formed only at the end, in the order of
    the weights: they are the same to the bit, in whatever parts the rows come. With more than 64 different weights, or
    one that is not finite, sums are of floats, the same to about 1e-12 of Σ |w|.

    Args:
        keys: the columns.
    """

    def __init__(self, *keys: str) -> None:
        self._keys = keys
        self._counts: dict[float, Tally] = {}
        self._sums: Tally | None = None

    @property
    def rows(self) -> int:
        """About how many rows there will be in the total, and no more than twice as many are kept."""
        kept = [tally.rows for tally in (*self._counts.values(), *([self._sums] if self._sums else []))]
        return max(max(kept, default=0), sum(kept) // 2)

    def add(self, counts: WeightedCounts) -> None:
        """Add counted rows."""
        for weight, part in counts.items():
            self._add(weight, part)

    def _add(self, weight: float | None, part: pl.DataFrame) -> None:
        if weight is None or self._sums:
            self._as_floats().add(part if weight is None else _weighted(part, weight))
            return
        self._counts.setdefault(weight, Tally(*self._keys)).add(part)
        if len(self._counts) > MOST_WEIGHTS:
            self._as_floats()

    def _as_floats(self) -> Tally:
        """The sums of floats, with the counts until now."""
        if self._sums is None:
            self._sums = Tally(*self._keys, sums=WEIGHTED)
            self._sums.add(self._net(self._keys))
            self._counts = {}
        return self._sums

    def _net(self, keys: tuple[str, ...]) -> pl.DataFrame:
        counts = {weight: tally.summed() for weight, tally in sorted(self._counts.items()) if tally.rows}
        parts = [_weighted(self._by(keys, table), weight) for weight, table in counts.items()]

        def plus(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
            # Two numbers have one sum in either order; three or more, grouped by threads, have several.
            return pl.concat([one, other]).group_by(keys).agg(pl.col(*WEIGHTED).sum())

        return reduce(plus, parts) if parts else pl.DataFrame(schema=WEIGHTED)

    def _by(self, keys: tuple[str, ...], table: pl.DataFrame) -> pl.DataFrame:
        """A table of counts or of sums, summed up by some of its keys."""
        return table if keys == self._keys else table.group_by(keys).agg(pl.exclude(self._keys).sum())

    def summed(self, *keys: str) -> pl.DataFrame:
        """By some of the keys, or all, `counts` and `variance`, in any order; only these two if nothing was added."""
        by = keys or self._keys
        return self._by(by, self._sums.summed()) if self._sums else self._net(by)

    def total(self, *keys: str) -> pl.DataFrame:
        """The same, sorted by the keys."""
        summed = self.summed(*keys)
        return summed.sort(keys or self._keys) if summed.width > len(WEIGHTED) else summed

    def state(self) -> pl.DataFrame:
        """The keys, `weight` and `counts`; of many weights, the keys, `counts` and `variance`."""
        if self._sums:
            return self._sums.state()
        parts = [
            tally.state().with_columns(weight=pl.lit(weight)) for weight, tally in self._counts.items() if tally.rows
        ]
        return pl.concat(parts) if parts else pl.DataFrame(schema={"weight": pl.Float64, **COUNTS})

    def merge(self, state: pl.DataFrame) -> None:
        """Add the sums of another tally."""
        if "weight" not in state.columns:
            self._add(None, state)
            return
        for (weight,), part in state.group_by("weight"):
            self._add(float(weight), part)


def _weighted(table: pl.DataFrame, weight: float) -> pl.DataFrame:
    """Rows by keys as sums of weights, all of one, and of their squares."""
    counts = pl.col("counts").cast(pl.Float64)
    return table.with_columns(counts=counts * weight, variance=counts * (weight * weight))


AUTO = "auto"
"""The column `weight` where a frame has it, and else none."""

WEIGHT = "_weight"


def weight_column(columns: pl.Schema, weight: str | None) -> str | None:
    """The column of weights that is meant; None where each row counts 1.

    Raises:
        TableError: the frame lacks it, or it holds no numbers.
    """
    name = ("weight" if "weight" in columns else None) if weight == AUTO else weight
    if name is None:
        return None
    if name not in columns:
        raise TableError(f"this frame has no column '{name}' to weigh by (it has {', '.join(columns)})")
    if not (columns[name].is_numeric() or columns[name] == pl.Null):
        raise TableError(f"column '{name}' is used as a weight, but contains {columns[name]} instead of numbers")
    return name


def sums(weight: str | None) -> dict[str, pl.Expr]:
    """`counts` and `variance` of a group of rows: Σ weight and Σ weight², or how many there are."""
    if weight is None:
        return {"counts": pl.len().cast(pl.Float64), "variance": pl.len().cast(pl.Float64)}
    value = pl.col(weight).cast(pl.Float64)
    return {"counts": value.sum(), "variance": (value * value).sum()}


def sum_bins(batch: pl.DataFrame, keys: list[str], bins: Bins) -> WeightedCounts:
    """The rows of a batch by their `_weight`, other than 0, by keys and bins of `_bin`, as from `count_by_weight`.

    In the result, `_bin` is the bin's number, as a float.
    """
    kept = batch.filter(pl.col(BIN).is_finite() & (pl.col(WEIGHT) != 0))
    numbers = pl.Series(BIN, bins.numbers(kept[BIN].to_numpy())).cast(pl.Float64) + 0.0  # -0 and 0 are one bin
    return count_by_weight(kept.with_columns(numbers), [*keys, BIN], WEIGHT)
