"""Bins for figures: empty ones filled in, and as few as a screen can show."""

import math

import numpy as np
import polars as pl


def bin_width(centres: pl.Series) -> float:
    """The width of equal bins, of which some may be left out: the largest that all their distances are multiples of.

    It is 1 where a single bin is known; centres may be in any order and any number of times each.
    """
    steps = np.diff(np.unique(centres.drop_nulls().cast(pl.Float64).to_numpy()))
    if steps.size:
        steps = steps[steps > 1e-6 * max(1e-9, steps.max())]
    if not steps.size:
        return 1.0
    smallest = float(steps.min())
    for divisor in range(1, 13):
        multiples = steps / (smallest / divisor)
        if np.all(np.abs(multiples - np.round(multiples)) < 0.01 * np.sqrt(multiples)):
            return smallest / divisor
    return smallest


def nice_factor(bins: int, most: int) -> int:
    """How many bins to join into one, out of 1, 2, 4, 5, 10, 20, …, so that at most `most` are left."""
    at_least = bins / max(1, most)
    factors = (digit * int(10**power) for power in range(12) for digit in (1, 2, 4, 5))
    return next(factor for factor in factors if factor >= at_least)


def rebin(table: pl.DataFrame, by: list[str], x: str, most: int) -> tuple[pl.DataFrame, float]:
    """Join neighbouring bins, so that each histogram has at most `most`, and fill in those that were left out, with 0
    counts.

    The table, not empty, has bin centres `x`, `counts`, and the columns `by` that distinguish the histograms.

    Returns:
        `by`, `x` and `counts`, with all bins from the lowest to the highest of the table; and their width.
    """
    width = bin_width(table[x])
    low = float(table[x].cast(pl.Float64).min())  # type: ignore[arg-type]
    indices = ((pl.col(x) - low) / width).round().cast(pl.Int64)
    bins = 1 + int(table.select(indices.max()).item())
    factor = nice_factor(bins, most)
    sums = table.group_by(*by, (indices // factor).alias("bin")).agg(pl.col("counts").sum())
    grid = (
        table.select(by)
        .unique(maintain_order=True)
        .join(pl.DataFrame({"bin": range(math.ceil(bins / factor))}, schema={"bin": pl.Int64}), how="cross")
    )
    histogram = grid.join(sums, on=[*by, "bin"], how="left").with_columns(
        pl.col("counts").fill_null(0).cast(pl.Float64)
    )
    centres = low + ((pl.col("bin") + 0.5) * factor - 0.5) * width
    return histogram.sort(*by, "bin").select(*by, centres.alias(x), "counts"), width * factor


def outline(table: pl.DataFrame, x: str, width: float | str) -> pl.DataFrame:
    """The outline of a histogram: two points a bin, at its lower and its upper edge, in the table's order.

    `x` is the column of bin centres, which becomes that of the points; the width is that of every bin, or its column.
    """
    half = (pl.col(width) if isinstance(width, str) else pl.lit(width)) / 2
    return table.with_columns(pl.concat_list(pl.col(x) - half, pl.col(x) + half).alias(x)).explode(x)


def log_floor(counts: pl.Series) -> float:
    """Where a logarithmic axis begins: at half a count, or lower where all bins hold less than ten (weighted counts).

    Bins of 0 are drawn there, on the axis, so that they are seen to be empty and no line breaks off.
    """
    positive = counts.filter(counts > 0).sort()
    if positive.is_empty() or positive[-1] >= 10:
        return 0.5
    return 0.5 * min(1.0, float(positive[0]))
