"""Matrices: counts per bin of two quantities, such as the energies of pairs."""

import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.spectra.bins import check_width
from gammapolars.spectra.weights import AUTO, sums, weight_column


def matrix(
    pairs: pl.LazyFrame,
    *,
    bin_kev: float = 2.0,
    symmetric: bool | None = None,
    x: str = "energy_kev_a",
    y: str = "energy_kev_b",
    bin_x: float | None = None,
    bin_y: float | None = None,
    weight: str | None = AUTO,
) -> pl.LazyFrame:
    """Counts per bin of two quantities, by default of the two energies of pairs: long and sparse.

    Of weighted rows the counts are Σ weight, and their variances Σ weight².

    Args:
        pairs: a calibrated table of pairs, or any other with two columns of numbers. Rows without one of them are left
            out.
        bin_kev: the bins' width on both axes; bin k reaches from k to k + 1 widths.
        symmetric: whether each pair stands at (x, y) and at (y, x); on the diagonal it counts once. None: where both
            axes have the same quantity, of a and of b, and the same bins.
        x: the column along x.
        y: the column along y.
        bin_x: the bins' width on x, in the column's unit; None: `bin_kev`.
        bin_y: the bins' width on y.
        weight: the column of weights, such as pairs with random windows and gates have; `auto`: `weight` if there is
            such a column; None: each row counts 1.

    Returns:
        A lazy matrix: the columns with `_x` and `_y` in place of `_a` and `_b`, such as `energy_kev_x`, `energy_kev_y`
        or `dt_ps_x` (bin centres), `counts`, `variance`.

    Raises:
        TableError: the frame lacks one of the columns, or one holds no numbers.
        UsageError: bins without a width, or a symmetric matrix whose axes differ.
    """
    widths = [bin_kev if width is None else width for width in (bin_x, bin_y)]
    stems = [_stem(column) for column in (x, y)]
    alike = stems[0] == stems[1] and x != y and widths[0] == widths[1]
    if symmetric and not alike:
        raise UsageError("a symmetric matrix has the same quantity of a and of b on its axes, in the same bins")
    columns = pairs.collect_schema()
    for column, width in zip((x, y), widths, strict=True):
        check_width(width)
        if column not in columns:
            advice = ": calibrate it first" if column.startswith("energy_kev") else ""
            raise TableError(f"this frame has no column '{column}' to bin by{advice} (it has {', '.join(columns)})")
    weigher = weight_column(columns, weight)
    names = [f"{stem}_{axis}" for stem, axis in zip(stems, "xy", strict=True)]
    centres = {name: _centre(pl.col(column), width) for name, column, width in zip(names, (x, y), widths, strict=True)}
    weights = {} if weigher is None else {"_weight": pl.col(weigher).cast(pl.Float64)}
    cells = (
        pairs.select(**centres, **weights)
        .drop_nulls()
        .filter(pl.col("_weight") != 0 if weights else pl.lit(value=True))
        .group_by(names)
        .agg(**sums("_weight" if weights else None))
    )
    if alike if symmetric is None else symmetric:
        cells = _mirrored(cells, *names)
    return cells.sort(names)


def _mirrored(matrix: pl.LazyFrame, x: str, y: str) -> pl.LazyFrame:
    """A matrix made symmetric: each count at (x, y) and at (y, x), once on the diagonal."""
    mirror = pl.col(x) != pl.col(y)
    both = (
        pl.concat_list(x, pl.when(mirror).then(y)).alias(x),
        pl.concat_list(y, pl.when(mirror).then(x)).alias(y),
    )
    rows = matrix.select(*both, "counts", "variance").explode(x, y).drop_nulls(x)
    return rows.group_by(x, y).agg(pl.col("counts", "variance").sum())


def _stem(column: str) -> str:
    """What a column is called without its side."""
    return column[:-2] if column.endswith(("_a", "_b", "_c")) else column


def _centre(value: pl.Expr, width: float) -> pl.Expr:
    return ((value / width).floor() + 0.5) * width
