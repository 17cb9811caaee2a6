"""Sums of weights by two numbers of bins, packed into one where both fit."""

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import State
from gammapolars.core.types import Integers
from gammapolars.spectra.weighted_tallies import WeightedCounts, WeightedTally, count_by_weight

HALF = 2**31
CELL = 2**32
"""Two numbers from -2^31 to 2^31 - 1 are packed into one of 64 bits, by which rows group and sort in half the time."""


class CellTally:
    """Sums of weights, and of their squares, by the numbers `x` and `y` of two bins.

    Args:
        symmetric: whether what is at x and y stands at y and x, too: it is kept once.
    """

    def __init__(self, *, symmetric: bool) -> None:
        self._symmetric = symmetric
        self._packed, self._wide = WeightedTally("cell"), WeightedTally("x", "y")

    @property
    def rows(self) -> int:
        """About how many cells are filled, and no more than twice as many are kept."""
        return self._packed.rows + self._wide.rows

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows at `x` and `y`, each with its `weight`, or with one of 1."""
        x, y = (rows[name].to_numpy() for name in "xy")
        if self._symmetric:
            x, y = np.minimum(x, y), np.maximum(x, y)
        if _fit(x) and _fit(y):
            cells = rows.drop("x", "y").with_columns(pl.Series("cell", x * CELL + (y + HALF)))
            self._packed.add(_counts(cells, ["cell"]))
            return
        fit = (np.minimum(x, y) >= -HALF) & (np.maximum(x, y) < HALF)
        rows = rows.with_columns(pl.Series("x", x), pl.Series("y", y))
        self._wide.add(_counts(rows.filter(~fit), ["x", "y"]))
        self.add(rows.filter(fit))

    def table(self) -> pl.DataFrame:
        """`x`, `y`, `counts` and `variance` of all filled cells in order."""
        cells = _unpacked(self._packed.summed())
        if self._wide.rows:
            cells = pl.concat([cells, self._wide.summed()])
        if self._symmetric:
            mirrored = cells.filter(pl.col("x") != pl.col("y")).rename({"x": "y", "y": "x"})
            cells = pl.concat([cells, mirrored.select(cells.columns)])
        packed = pl.col("x") * CELL + (pl.col("y") + HALF)
        return cells.sort(["x", "y"] if self._wide.rows else packed)

    def state(self) -> State:
        """What was added up."""
        return {"packed": self._packed.state(), "wide": self._wide.state()}

    def merge(self, state: State) -> None:
        """Add what another tally added up."""
        self._packed.merge(state["packed"])
        self._wide.merge(state["wide"])


def _counts(rows: pl.DataFrame, keys: list[str]) -> WeightedCounts:
    """Rows of one weight are left as they are: few of them share a cell, and the tally groups them anyway."""
    if "weight" in rows.columns:
        return count_by_weight(rows, keys, "weight")
    return {1.0: rows.with_columns(counts=pl.lit(1, pl.UInt64))}


def _fit(numbers: Integers) -> bool:
    return not len(numbers) or (int(numbers.min()) >= -HALF and int(numbers.max()) < HALF)


def _unpacked(cells: pl.DataFrame) -> pl.DataFrame:
    packed = cells["cell"].to_numpy() if cells.height else np.empty(0, np.int64)
    return cells.select(pl.Series("x", packed // CELL), pl.Series("y", packed % CELL - HALF), "counts", "variance")
