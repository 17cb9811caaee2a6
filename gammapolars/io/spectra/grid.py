"""Long and sparse matrices as the numbered bins that files hold."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.core.errors import OutputError
from gammapolars.core.quantities import axis_columns
from gammapolars.core.types import Floats, Integers
from gammapolars.io.spectra.channels import NO_WIDTHS, Axis, Widths, axis_of


@dataclass(frozen=True)
class Grid:
    """A matrix's filled bins by their numbers.

    Attributes:
        x: the bins of the first energy.
        y: the bins of the second.
        x_places: number of each filled bin in x.
        y_places: and in y.
        counts: of each filled bin.
        variance: of the counts.
    """

    x: Axis
    y: Axis
    x_places: Integers
    y_places: Integers
    counts: Floats
    variance: Floats


def grid_of(matrix: pl.DataFrame, widths: Widths = NO_WIDTHS) -> Grid:
    """The numbered bins of a matrix.

    Args:
        matrix: `energy_kev_x` and `energy_kev_y`, or with `adc`, `dt_ps`, `time_s` instead (bin centres), `counts`,
            `variance`.
        widths: of the bins, where they are known: by quantity, or by column where the axes differ.

    Raises:
        OutputError: it has bins of different widths, or one that stands twice.
    """
    columns = axis_columns(matrix.columns)
    assert columns  # which is checked before
    x, y = (matrix[column].cast(pl.Float64).fill_null(np.nan).to_numpy() for column in columns)
    x_axis, y_axis = (_axis(*axis, widths) for axis in zip(columns, (x, y), strict=True))
    places = x_axis.places(x), y_axis.places(y)
    _check_once(*places, x_axis)
    counts, variance = (matrix[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("counts", "variance"))
    return Grid(x_axis, y_axis, *places, counts, variance)


def _axis(column: str, centres: Floats, widths: Widths) -> Axis:
    """The bins of one axis; of a matrix without counts, the one at 0."""
    quantity = column[:-2]
    width = widths.get(column, widths.get(quantity))
    if len(centres):
        return axis_of(centres, quantity, width)
    return Axis(quantity, 0.0, 1.0, 1) if width is None else Axis(quantity, width / 2, width, 1)


def _check_once(x_places: Integers, y_places: Integers, x_axis: Axis) -> None:
    flat = pl.Series(y_places) * x_axis.bins + pl.Series(x_places)
    if flat.n_unique() != len(flat):
        raise OutputError("a bin of the matrix stands twice: select one matrix, or sum them first")
