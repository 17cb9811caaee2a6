"""The cells of a stored matrix as arrays: its grid of bins, which of them are filled, and sums along the axes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.quantities import BY_COLUMN, PULSE_HEIGHTS
from gammapolars.core.types import Floats, Integers
from gammapolars.gates import Gate
from gammapolars.spectra.bins import CLOSE, width_of
from gammapolars.spectra.matrices import axes_of, check_independent, gate_weight, is_symmetric

MAX_CELLS = 20_000_000
"""A matrix whose grid has more bins than this, filled or not, is not held in memory."""


BEYOND = 16
"""This many empty bins after the last filled one show that the highest peak has no background above it."""


class Side(NamedTuple):
    """The bins along one axis, from the first filled one to some after the last.

    Attributes:
        column: of the matrix.
        first: the centre of the first bin.
        width: of the bins, in the column's unit.
        bins: how many there are.
        filled: how many there are up to the last filled one.
    """

    column: str
    first: float
    width: float
    bins: int
    filled: int

    @property
    def centres(self) -> Floats:
        """(bins,) in the column's unit."""
        return self.first + np.arange(self.bins, dtype=np.float64) * self.width

    def weights(self, gate: Gate) -> Floats:
        """(bins,) the weight of each bin in a gate: 1, or that of its background by numbers of bins; else 0.

        Raises:
            UsageError: the gate or its background holds no bin.
        """
        centres = pl.Series(self.column, self.centres)
        weight = pl.DataFrame(centres).select(gate_weight(centres, gate, self.width)).to_series()
        return weight.cast(pl.Float64).to_numpy()


@dataclass(frozen=True)
class MatrixCells:
    """The filled bins of a matrix, each a number of observations that is independent of those in all others.

    Bins of both axes are numbered through, those of x first. A symmetric matrix has one axis, and each of its pairs
    once, at the lower bin first: it adds one to the projection at either of its bins, two where they are the same.

    Attributes:
        sides: the axes.
        symmetric: whether each pair is counted at (x, y) and at (y, x).
        one: (n,) the bin on x.
        other: (n,) that on y.
        counts: (n,) in the cell.
        variance: (n,) of these.
    """

    sides: tuple[Side, Side]
    symmetric: bool
    one: Integers
    other: Integers
    counts: Floats
    variance: Floats

    @property
    def offset(self) -> int:
        """The number of the first bin of y."""
        return 0 if self.symmetric else self.sides[0].bins

    @property
    def nodes(self) -> int:
        """How many bins both axes have; those of a symmetric matrix are counted once."""
        return self.offset + self.sides[1].bins

    def part(self, side: int) -> slice:
        """The bins of one axis among all."""
        return slice(0, self.sides[0].bins) if side == 0 else slice(self.offset, self.nodes)

    def sums(self, values: Floats) -> Floats:
        """(nodes,) values of the cells, summed over the rows and columns that they lie in."""
        found = np.bincount(self.one, values, self.nodes) + np.bincount(self.other, values, self.nodes)
        return np.asarray(found, np.float64)

    def products(self, x: Floats, y: Floats, diagonal: float = 1.0) -> Floats:
        """(n,) weights of the cells, from weights (nodes,) on either axis; a pair of a symmetric matrix in both orders.

        On the diagonal it counts once, as in the stored matrix, or as often as `diagonal` says.
        """
        weights = x[self.one] * y[self.other]
        if self.symmetric:
            on_it = self.one == self.other
            weights = np.where(on_it, diagonal * weights, weights + x[self.other] * y[self.one])
        return weights


def cells_of(matrix: pl.DataFrame, width: float | tuple[float, float] | None = None) -> MatrixCells:
    """The cells of a matrix as a table.

    Args:
        matrix: as `gp.matrix` gives it.
        width: of the bins, on both axes or on each; None: from the distances of bin centres.

    Raises:
        TableError: it is not a matrix of two energies or of two adc values in equal bins, it has no counts, or too many
            bins.
    """
    columns = like_axes(matrix)
    symmetric = is_symmetric(matrix)
    widths = width if isinstance(width, tuple) else (width, width)
    sides = tuple(_side(matrix, name, one) for name, one in zip(columns, widths, strict=True))
    if sides[0].bins * sides[1].bins > MAX_CELLS:
        raise TableError(
            f"the matrix has more than {MAX_CELLS // 10**6} million bins, empty ones included: use wider bins"
        )
    places = [_places(matrix[side.column].to_numpy(), side) for side in sides]
    if pl.Series(places[0] * sides[1].bins + places[1]).n_unique() < matrix.height:
        raise TableError("a bin of the matrix appears more than once: sum these rows first")
    counts, variance = (matrix[name].cast(pl.Float64).to_numpy() for name in ("counts", "variance"))
    if not (np.isfinite(counts).all() and np.isfinite(variance).all() and (variance >= 0).all()):
        raise TableError("the matrix has bins without a number of counts or without their variance")
    if symmetric:
        upper = places[0] <= places[1]
        return MatrixCells((sides[0], sides[1]), True, *(one[upper] for one in (*places, counts, variance)))
    return MatrixCells((sides[0], sides[1]), False, places[0], places[1] + sides[0].bins, counts, variance)


def _side(matrix: pl.DataFrame, column: str, width: float | None) -> Side:
    centres = matrix[column].cast(pl.Float64).to_numpy()
    if width is None:
        width = width_of(centres, "energy_kev") or 1.0
    first, last = float(centres.min()), float(centres.max())
    bins = (last - first) / width
    if not bins <= MAX_CELLS:
        raise TableError(
            f"bins of {width:g} make a matrix of more than {MAX_CELLS // 10**6} million bins: use wider bins"
        )
    return Side(column, first, width, round(bins) + 1 + BEYOND, round(bins) + 1)


def _places(centres: Floats, side: Side) -> Integers:
    numbers = (centres - side.first) / side.width
    places = np.rint(numbers).astype(np.int64)
    if np.abs(numbers - places).max() > CLOSE:
        raise TableError(f"the bins of {side.column} do not have the width {side.width:g}")
    return places


def like_axes(matrix: pl.DataFrame) -> tuple[str, str]:
    """The columns of the axes of a matrix of two energies, or of two adc values.

    Raises:
        TableError: it is another matrix, it has no counts, or its cells are correlated.
    """
    columns = axes_of(matrix.schema)
    check_independent(matrix.schema)
    x, y = (BY_COLUMN[name[:-2]] for name in columns)
    if x != y or x not in PULSE_HEIGHTS:
        raise TableError(f"this is a matrix of {x.column} and {y.column}, but two energies or two adc are needed")
    if matrix.is_empty():
        raise TableError("the matrix has no counts")
    return columns
