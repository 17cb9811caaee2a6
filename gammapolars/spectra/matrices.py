"""Matrices: counts per bin of two quantities, such as the energies of pairs, and the net spectra that gates project."""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.quantities import axis_columns
from gammapolars.core.schema import SUBTRACTED
from gammapolars.core.types import Floats
from gammapolars.core.wording import setting
from gammapolars.gates import Gate
from gammapolars.spectra.bins import check_width, computed, quotient
from gammapolars.spectra.weighted_tallies import AUTO, sums, weight_column


def matrix(
    pairs: AnyFrame,
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

    For weighted rows the counts are Σ weight, and their variances Σ weight².

    Args:
        pairs: a calibrated table of pairs, or any other with two columns of numbers. Rows without one of them are left
            out.
        bin_kev: the bins' width on both axes; bin k reaches from k to k + 1 widths.
        symmetric: whether each pair is counted at (x, y) and at (y, x); on the diagonal it counts once. None: where
            both axes have the same quantity, of a and of b, and the same bins.
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
    pairs = lazy(pairs, "pairs")
    widths = [bin_kev if width is None else width for width in (bin_x, bin_y)]
    stems = [_stem(column) for column in (x, y)]
    alike = stems[0] == stems[1] and x != y and widths[0] == widths[1]
    if symmetric and not alike:
        raise UsageError("a symmetric matrix needs the same quantity of a and b on its axes, with the same bins")
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
    """The name of a column without its side."""
    return column[:-2] if column.endswith(("_a", "_b", "_c")) else column


def _centre(value: pl.Expr, width: float) -> pl.Expr:
    return (quotient(value, width).floor() + 0.5) * width


def axes_of(columns: pl.Schema) -> tuple[str, str]:
    """The columns of a matrix' axes; a TableError, where it is none."""
    axes = axis_columns(columns)
    if axes is None or not {"counts", "variance"} <= set(columns):
        raise TableError(
            "this frame is not a matrix: it needs columns such as energy_kev_x, energy_kev_y, counts and variance "
            f"(it has {', '.join(columns)})"
        )
    return axes


def check_independent(columns: pl.Schema) -> None:
    """Raise where the cells of a matrix are correlated, so that their variances do not add up.

    Raises:
        TableError: its background in two dimensions was subtracted.
    """
    if SUBTRACTED in columns:
        raise TableError(
            "the background of this matrix was subtracted, so neighbouring cells are correlated: use the "
            "original matrix of counts and subtract the background there "
            f"({setting('gate --subtract-background', 'gp.NetMatrix')})"
        )


def is_symmetric(matrix: pl.DataFrame) -> bool:
    """Whether each count of a matrix is both at (x, y) and at (y, x)."""
    x, y = axes_of(matrix.schema)
    if x[:-2] != y[:-2]:
        return False
    cells = matrix.select(x, y, "counts").sort(x, y)
    swapped = matrix.select(pl.col(y).alias(x), pl.col(x).alias(y), "counts").sort(x, y)
    return cells.equals(swapped)


def project(matrix: AnyFrame, gate: Gate, *, on: Literal["x", "y"] = "x", width: float | None = None) -> pl.LazyFrame:
    """The spectrum along one axis of a matrix for a gate on the other: sums of its rows.

    A bin belongs to the gate, or to its background, if its centre does. The background is scaled by how many bins the
    gate has for each of its own, filled or not: net = Σ gate - (g/b) Σ background, variance = Σ gate + (g/b)² Σ
    background of the matrix's own variances. Without background it is the sum of the gate's rows, exactly.

    Args:
        matrix: from `matrix` or `scan_matrix`.
        gate: in the unit of the gated axis.
        on: the axis that is gated.
        width: of the bins on it; None: from the distances of bin centres.

    Returns:
        A lazy spectrum: `energy_kev`, `adc`, `dt_ps` or `time_s` (bin centre), `counts`, `variance`.

    Raises:
        TableError: it is not a matrix, or its background was subtracted in two dimensions.
        UsageError: when collected, if the gate, or the background, holds no bin.
    """
    matrix = lazy(matrix, "matrix")
    columns = axes_of(matrix.collect_schema())
    check_independent(matrix.collect_schema())
    gated, along = columns if on == "x" else columns[::-1]
    name = along[:-2]

    def spectrum() -> pl.DataFrame:
        return projection(matrix.select(gated, along, "counts", "variance").collect(), gate, on, width).net

    return computed({name: pl.Float64(), "counts": pl.Float64(), "variance": pl.Float64()}, spectrum)


class Projection(NamedTuple):
    """The projection of a matrix by a gate.

    Attributes:
        net: bin centre, `counts`, `variance`.
        counts: in all of it.
        variance: of these, as a sum of independent bins.
    """

    net: pl.DataFrame
    counts: float
    variance: float


def projection(table: pl.DataFrame, gate: Gate, on: str, width: float | None = None) -> Projection:
    """The net spectrum of a gate and its total, of sums in a set order, so that others get the same to the last bit.

    For each bin c along the other axis, the bins of the gate are summed in ascending order, G_c, and those of its
    background, B_c, and so are their variances, V_c and W_c. With g bins of gate and b of background, β = g / b,
    net_c = G_c - β B_c and var_c = V_c + (β β) W_c. The total is that of the sums over c, in ascending order, of each
    of the four. The live page of a report does the same in JavaScript (`report/live/gate.js`).

    Raises:
        UsageError: the gate, or the background, holds no bin.
    """
    columns = axes_of(table.schema)
    gated, along = columns if on == "x" else columns[::-1]
    weights = table.with_columns(_weight=gate_weight(table[gated], gate, width)).filter(pl.col("_weight") != 0)
    rows = weights.sort(gated, maintain_order=True)
    centres = rows[along].unique().sort()
    places = centres.search_sorted(rows[along]).to_numpy() if rows.height else np.empty(0, np.int64)
    weight = rows["_weight"].cast(pl.Float64).to_numpy()
    beta = -float(weight.min()) if len(weight) and weight.min() < 0 else 0.0

    def sums(column: str) -> tuple[Floats, Floats]:
        values = rows[column].cast(pl.Float64).to_numpy()
        parts = [np.bincount(places[part], values[part], len(centres)) for part in (weight > 0, weight < 0)]
        return parts[0].astype(np.float64), parts[1].astype(np.float64)

    (inside, beside), (of_inside, of_beside) = sums("counts"), sums("variance")
    counts, variance = inside - beta * beside, of_inside + (beta * beta) * of_beside
    net = pl.DataFrame({along[:-2]: centres.cast(pl.Float64), "counts": counts, "variance": variance})
    total = in_order(inside) - beta * in_order(beside)
    return Projection(net, total, in_order(of_inside) + (beta * beta) * in_order(of_beside))


def in_order(values: Floats) -> float:
    """Their sum, one after the other: `np.sum` adds in pairs."""
    return float(np.cumsum(values)[-1]) if len(values) else 0.0


def gate_weight(centres: pl.Series, gate: Gate, width: float | None) -> pl.Expr:
    """The gate's weights of bins, its background scaled by numbers of bins.

    Raises:
        UsageError: the gate, or the background, holds no bin.
    """
    column = pl.col(centres.name)
    inside = Gate(gate.low, gate.high).weight(column)
    if not gate.background or centres.is_empty():
        return inside
    beside = gate.weight(column) < 0
    grid = _grid(centres, gate, width)
    numbers = grid.select(gate=inside.sum(), background=beside.sum()).row(0)
    for number, what in zip(numbers, ("the gate", "the background"), strict=True):
        if not number:
            raise UsageError(f"{what} of {gate} contains no bin of the matrix: widen it, or use narrower bins")
    return pl.when(beside).then(-numbers[0] / numbers[1]).otherwise(inside)


def _grid(centres: pl.Series, gate: Gate, width: float | None) -> pl.DataFrame:
    """The centres of all bins, filled or not, as far as a gate with its background reaches."""
    filled = centres.unique().sort()
    if width is None:
        steps = filled.diff().drop_nulls()
        steps = steps.filter(steps > 1e-9 * float(filled.abs().max() or 0.0))  # type: ignore[arg-type]
        width = float(steps.min()) if len(steps) else 1.0  # type: ignore[arg-type]
    low = min(gate.low, *(part[0] for part in gate.background))
    high = max(gate.high, *(part[1] for part in gate.background))
    first = float(filled[0])
    numbers = pl.int_range(int((low - first) / width) - 2, int((high - first) / width) + 3, eager=True)
    return pl.DataFrame({centres.name: first + numbers * width})
