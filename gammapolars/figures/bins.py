"""Bins for figures: empty ones filled in, and as few as a screen can show."""

import math

import numpy as np
import polars as pl

from gammapolars.core.errors import UsageError


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


def rebin(
    table: pl.DataFrame, by: list[str], x: str, most: int, *, bin: float | None = None, width: float | None = None
) -> tuple[pl.DataFrame, float]:
    """Join neighbouring bins, so that each histogram has at most `most`, and fill in those that were left out, with 0
    counts.

    Bins that are not equally wide, as for a calibration that is not linear, are joined as they follow each other, and
    none is filled in.

    Args:
        table: not empty: bin centres `x`, `counts`, perhaps `variance`, and the columns `by` that distinguish the
            histograms.
        by: these columns.
        x: the column of centres.
        most: bins per histogram, unless `bin` is given.
        bin: how wide the joined bins are.
        width: that of the table's bins; None: from the distances of the centres.

    Returns:
        `by`, `x`, `left`, `right` (edges), `counts` and `variance`, if there was one, with all bins from the lowest to
        the highest of the table; and their width.

    Raises:
        UsageError: `bin` is no multiple of the width of the table's bins.
    """
    centres = pl.col(x).cast(pl.Float64)
    width = width or bin_width(table[x])
    low = float(table[x].cast(pl.Float64).min())  # type: ignore[arg-type]
    places = ((table[x].cast(pl.Float64) - low) / width).to_numpy()
    sums = [pl.col(name).sum().cast(pl.Float64) for name in ("counts", "variance") if name in table.columns]
    if not _is_regular(places, table.select(by).n_unique(), table.height):
        return _joined(table.with_columns(centres), by, x, most, bin, sums)
    bins = 1 + int(np.round(places.max()))
    factor = nice_factor(bins, most) if bin is None else whole_factor(bin, width)
    first = _first(low, width, factor)
    numbers = table.with_columns(bin=(pl.Series(places).round().cast(pl.Int64) + first) // factor)
    grid = (
        table.select(by)
        .unique(maintain_order=True)
        .join(pl.DataFrame({"bin": range(math.ceil((bins + first) / factor))}, schema={"bin": pl.Int64}), how="cross")
    )
    histogram = grid.join(numbers.group_by(*by, "bin").agg(sums), on=[*by, "bin"], how="left")
    # Neighbours share an edge to the last bit: it is the same expression of the same whole number.
    edge = [(low + ((pl.col("bin") + one) * factor - first - 0.5) * width).alias(end) for one, end in EDGES]
    middle = (low + ((pl.col("bin") + 0.5) * factor - first - 0.5) * width).alias(x)
    names = [name for name in ("counts", "variance") if name in table.columns]
    histogram = histogram.with_columns(pl.col(names).fill_null(0.0), middle, *edge)
    return histogram.sort(*by, "bin").select(*by, x, "left", "right", *names), width * factor


EDGES = ((0, "left"), (1, "right"))

MOST_EMPTY = 200
"""A histogram has at most so many bins for each filled one; more come of centres that lie on no grid."""


def _is_regular(places: "np.ndarray[tuple[int], np.dtype[np.float64]]", histograms: int, rows: int) -> bool:
    """Whether all bins lie on one grid."""
    off = np.abs(places - np.round(places))
    return bool(off.max() < 0.05) and float(places.max()) * histograms <= max(MOST_EMPTY * rows, 20_000)


def _first(low: float, width: float, factor: int) -> int:
    """How many of the table's bins are missing in the first joined one, where joined ones begin at multiples of their
    width, as they do if the table's do.
    """
    edge = (low - width / 2) / width
    return round(edge) % factor if abs(edge - round(edge)) < 1e-3 else 0


def whole_factor(bin: float, width: float) -> int:
    """How many bins of a width make one that is `bin` wide.

    Raises:
        UsageError: no whole number.
    """
    factor = round(bin / width)
    if factor < 1 or abs(bin / width - factor) > 1e-6 * factor:
        raise UsageError(f"a bin width of {bin:g} is not a multiple of the existing {width:.6g}: choose another width")
    return factor


def _joined(
    table: pl.DataFrame, by: list[str], x: str, most: int, bin: float | None, sums: list[pl.Expr]
) -> tuple[pl.DataFrame, float]:
    """Bins of any width, a whole number of which makes one; edges are half-way between centres."""
    table = table.group_by(*by, x).agg(sums).sort(*by, x)
    step = pl.col(x).diff().over(by)
    table = table.with_columns(
        left=pl.col(x) - pl.coalesce(step, step.shift(-1).over(by), 1.0) / 2,
        right=pl.col(x) + pl.coalesce(step.shift(-1).over(by), step, 1.0) / 2,
    )
    table = table.with_columns(right=pl.coalesce(pl.col("left").shift(-1).over(by), "right"))
    width = float(table.select((pl.col("right") - pl.col("left")).median()).item())
    longest = int(table.group_by(by).len()["len"].max() if by else table.height)  # type: ignore[arg-type]
    factor = nice_factor(longest, most) if bin is None else max(1, round(bin / width))
    number = pl.int_range(pl.len()).over(by) if by else pl.int_range(pl.len())
    names = [name for name in ("counts", "variance") if name in table.columns]
    joined = table.group_by(*by, number.alias("bin") // factor, maintain_order=True).agg(
        pl.col("left").first(), pl.col("right").last(), pl.col(names).sum()
    )
    middle = ((pl.col("left") + pl.col("right")) / 2).alias(x)
    return joined.with_columns(middle).select(*by, x, "left", "right", *names), width * factor


def outline(table: pl.DataFrame, x: str) -> pl.DataFrame:
    """The outline of a histogram with edges `left` and `right`: two points a bin in the table's order, in `x`.

    Edges of neighbours that differ by no more than rounding are made equal: else steps would slant.
    """
    lower, upper = pl.col("left"), pl.col("right")
    following = lower.shift(-1)
    meets = (following - upper).abs() < 1e-6 * (upper - lower)
    ends = pl.concat_list(lower, pl.when(meets).then(following).otherwise(upper))
    return table.with_columns(ends.alias(x)).explode(x)


def with_edges(table: pl.DataFrame, x: str, width: str) -> pl.DataFrame:
    """A table of bin centres and a column of widths, with the edges `left` and `right`."""
    half = pl.col(width) / 2
    return table.with_columns(left=pl.col(x) - half, right=pl.col(x) + half)


def log_floor(counts: pl.Series, variance: pl.Series | None = None) -> float:
    """Where a logarithmic axis begins: at half a count, or lower where all bins hold less than ten (weighted counts).

    Bins of 0 are drawn there, on the axis, so that they are seen to be empty and no line breaks off. Where counts were
    multiplied by something, as by one over the time, one count is what its variance shows it to be.
    """
    positive = counts.filter(counts > 0).sort()
    if positive.is_empty():
        return 0.5
    one = 1.0
    if variance is not None:
        ratios = (variance / counts).filter((counts > 0) & (variance > 0))
        one = min(1.0, float(ratios.quantile(0.05) or 1.0))
    if positive[-1] >= 10 * one:
        return 0.5 * one
    return 0.5 * min(one, float(positive[0]))
