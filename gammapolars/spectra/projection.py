"""Projections of matrices: the net spectrum on one axis of what a gate takes out of the other."""

from typing import Literal

import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.quantities import axis_columns
from gammapolars.gates import Gate
from gammapolars.spectra.bins import AnyFrame, computed


def axes_of(columns: pl.Schema) -> tuple[str, str]:
    """The columns of a matrix' axes.

    Raises:
        TableError: it is no matrix.
    """
    axes = axis_columns(columns)
    if axes is None or not {"counts", "variance"} <= set(columns):
        raise TableError(
            "this frame is no matrix: it needs such columns as energy_kev_x and energy_kev_y, counts and variance "
            f"(it has {', '.join(columns)})"
        )
    return axes


def project(matrix: AnyFrame, gate: Gate, *, on: Literal["x", "y"] = "x", width: float | None = None) -> pl.LazyFrame:
    """The spectrum along one axis of a matrix, of the bins that a gate takes out of the other: sums of its rows.

    A bin belongs to the gate, or to its background, whose centre does. The background is scaled by how many bins the
    gate has for each of its own, filled or not: net = Σ gate - (g/b) Σ background, variance = Σ gate + (g/b)² Σ
    background of the matrix' own variances. Without background it is the sum of the gate's rows, exactly.

    Args:
        matrix: from `matrix` or `scan_matrix`.
        gate: in the unit of the gated axis.
        on: the axis that is gated.
        width: of the bins on it; None: as the distances of centres tell.

    Returns:
        A lazy spectrum: `energy_kev`, `adc`, `dt_ps` or `time_s` (bin centre), `counts`, `variance`.

    Raises:
        TableError: it is no matrix.
        UsageError: when collected, if the gate, or the background, holds no bin.
    """
    lazy = matrix.lazy()
    columns = axes_of(lazy.collect_schema())
    gated, along = columns if on == "x" else columns[::-1]
    name = along[:-2]

    def spectrum() -> pl.DataFrame:
        table = lazy.select(gated, along, "counts", "variance").collect()
        weight = _weight(table[gated], gate, width)
        rows = table.lazy().with_columns(_weight=weight).filter(pl.col("_weight") != 0)
        sums = rows.group_by(pl.col(along).alias(name)).agg(
            counts=(pl.col("counts") * pl.col("_weight")).sum(),
            variance=(pl.col("variance") * pl.col("_weight") ** 2).sum(),
        )
        return sums.sort(name).collect()

    return computed({name: pl.Float64(), "counts": pl.Float64(), "variance": pl.Float64()}, spectrum)


def _weight(centres: pl.Series, gate: Gate, width: float | None) -> pl.Expr:
    """The gate's weights, its background scaled by numbers of bins."""
    column = pl.col(centres.name)
    inside = Gate(gate.low, gate.high).weight(column)
    if not gate.background or centres.is_empty():
        return inside
    beside = gate.weight(column) < 0
    grid = _grid(centres, gate, width)
    numbers = grid.select(gate=inside.sum(), background=beside.sum()).row(0)
    for number, what in zip(numbers, ("the gate", "the background"), strict=True):
        if not number:
            raise UsageError(f"{what} of {gate} holds no bin of the matrix: choose it wider, or the bins narrower")
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
