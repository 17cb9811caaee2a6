"""Rows that weigh more or less than 1: sums of weights are net counts, and sums of their squares the variances."""

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.spectra.counting import BIN, Bins
from gammapolars.spectra.weighted_tallies import WeightedCounts, count_by_weight

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
        raise TableError(f"column '{name}' is to weigh by, and holds {columns[name]} instead of numbers")
    return name


def sums(weight: str | None) -> dict[str, pl.Expr]:
    """`counts` and `variance` of a group of rows: Σ weight and Σ weight², or how many there are."""
    if weight is None:
        return {"counts": pl.len().cast(pl.Float64), "variance": pl.len().cast(pl.Float64)}
    value = pl.col(weight).cast(pl.Float64)
    return {"counts": value.sum(), "variance": (value * value).sum()}


def sum_bins(batch: pl.DataFrame, keys: list[str], bins: Bins) -> WeightedCounts:
    """The rows of a batch by their weights, keys and bins.

    Args:
        batch: the keys, `_bin` (the values to be binned) and `_weight`. Rows that weigh nothing are left out.
        keys: columns.
        bins: what the values fall into.

    Returns:
        As for `count_by_weight`; the keys are those, and `_bin` (number, as a float).
    """
    kept = batch.filter(pl.col(BIN).is_finite() & (pl.col(WEIGHT) != 0))
    numbers = pl.Series(BIN, bins.numbers(kept[BIN].to_numpy())).cast(pl.Float64) + 0.0  # -0 and 0 are one bin
    return count_by_weight(kept.with_columns(numbers), [*keys, BIN], WEIGHT)
