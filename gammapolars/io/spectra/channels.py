"""Sparse tables of bins, of spectra and matrices, as the channels 0, 1, 2, … that files hold."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import OutputError, first_line
from gammapolars.core.quantities import axis_columns
from gammapolars.core.types import Floats, Integers
from gammapolars.io.spectra.measurement import Measurement, polynomial

Widths = Mapping[str, float | None]
"""Widths of bins by the binned quantity; for a matrix by its column, too. None where the bins themselves show them."""

NO_WIDTHS: Widths = {}

MAX_CHANNELS = 2**20
"""Most channels of formats that know no limit: more is a mistake in the bins."""

ANY_TABLE = "write .parquet or .csv, which hold any table"


@dataclass(frozen=True)
class Axis:
    """Equal bins of a quantity, named by its column: the centre of bin n lies at `start` + n `width`."""

    quantity: str
    start: float
    width: float
    bins: int

    def places(self, centres: Floats) -> Integers:
        """The bins' numbers by their centres."""
        return np.rint((centres - self.start) / self.width).astype(np.int64)

    def edges(self) -> Floats:
        """Edges of all bins, one more than there are bins."""
        return np.asarray(self.start + (np.arange(self.bins + 1) - 0.5) * self.width, np.float64)


@dataclass(frozen=True)
class Channels:
    """One spectrum, every channel of it, with 0 counts where the table had no row, and its metadata."""

    axis: Axis
    counts: Floats
    variance: Floats
    measurement: Measurement

    @property
    def energy(self) -> tuple[float, ...] | None:
        """The energy polynomial of the channel number (keV, lowest order first), or None."""
        start, width = self.axis.start, self.axis.width
        if self.axis.quantity == "energy_kev":
            return (start, width)
        polynomial_of_adc = self.measurement.energy
        if polynomial_of_adc is None or (start, width) == (0.0, 1.0):
            return polynomial_of_adc
        of_channel = np.polynomial.Polynomial(polynomial_of_adc)(np.polynomial.Polynomial([start, width]))
        return tuple(float(term) for term in of_channel.coef)


def channels_of(
    table: pl.DataFrame, measurement: Measurement, *, most: int = MAX_CHANNELS, widths: Widths = NO_WIDTHS
) -> Channels:
    """One spectrum's table with its empty bins, at most as many as the format has.

    It has `adc` or `energy_kev` (bin centres), `counts` and `variance`. With both, `adc` counts the channels.

    Raises:
        OutputError: bins of different widths, too many of them, or a bin that is listed twice.
    """
    quantity = "adc" if "adc" in table.columns else "energy_kev"
    bins = table.filter(pl.col(quantity).is_not_null())
    centres = bins[quantity].cast(pl.Float64).to_numpy()
    if not len(centres):
        raise OutputError("the spectrum has no bins")
    axis = axis_of(centres, quantity, widths.get(quantity))
    if axis.bins > most:
        raise OutputError(f"the spectrum has {axis.bins:,} channels, and the format {most:,}: rebin it, or {ANY_TABLE}")
    places = axis.places(centres)
    rows = np.bincount(places, minlength=axis.bins)
    if rows.max() > 1:
        twice = axis.start + int(rows.argmax()) * axis.width
        raise OutputError(f"the bin at {quantity} {twice:g} appears twice: select one spectrum, or sum them first")
    values = {name: np.zeros(axis.bins) for name in ("counts", "variance")}
    for name, dense in values.items():
        dense[places] = bins[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return Channels(axis, values["counts"], values["variance"], measurement)


def axis_of(centres: Floats, quantity: str, width: float | None = None) -> Axis:
    """The equal bins that some centres are among, from bin 0 to the highest of them.

    Bin 0 is the one at 0, or the lowest where some lie below 0. Whole numbers of adc are channel numbers, however far
    apart they lie, unless a width is given; otherwise the width is the largest that explains all distances.

    Raises:
        OutputError: the bins are not of one width, or a centre is no finite number.
    """
    values = np.unique(centres)
    if not np.isfinite(values).all():
        raise OutputError(f"a bin's {quantity} is not a finite number")
    lowest, highest = float(values[0]), float(values[-1])
    if quantity == "adc" and width is None and np.array_equal(values, np.rint(values)):
        if lowest < 0:
            raise OutputError(f"channel {lowest:g} is below channel 0, the first one of a file")
        return Axis(quantity, 0.0, 1.0, int(highest) + 1)
    width = _width(values) if width is None else width
    before = int(np.floor(lowest / width + 1e-6)) if lowest >= 0 else 0
    start = lowest - before * width
    places = (values - start) / width
    if not width > 0 or np.abs(places - np.rint(places)).max() > 0.05:
        raise OutputError(f"the bins of {quantity} are not of one width: {ANY_TABLE}")
    return Axis(quantity, start, width, int(np.rint(places[-1])) + 1)


def _width(centres: Floats) -> float:
    """The largest width that makes all distances whole multiples of it; 1 where there are no distances."""
    steps = np.diff(centres)
    steps = steps[steps > 1e-9 * np.abs(centres).max()]
    if not steps.size:
        return 1.0
    smallest = float(steps[steps < 1.25 * steps.min()].mean())
    reach = float(centres[-1] - centres[0])
    for divisor in range(1, 13):
        width = reach / max(1.0, np.rint(reach * divisor / smallest))
        places = (centres - centres[0]) / width
        if np.abs(places - np.rint(places)).max() < 0.02:
            return float(width)
    return smallest


def energies_at(channels: Channels, numbers: Floats) -> Floats | None:
    """The energies at channel numbers, whole or not; None for an uncalibrated spectrum."""
    return None if channels.energy is None else polynomial(channels.energy, numbers)


def whole_counts(counts: npt.NDArray[np.generic], low: int, high: int, what: str, instead: str) -> Integers:
    """Counts as whole numbers from `low` to `high`; an OutputError, with what to do instead, where some are not."""
    values = np.asarray(counts)
    wrong = ~((values >= low) & (values <= high) & (values == np.rint(values)))
    if wrong.any():
        first = values[wrong][0]
        raise OutputError(
            f"{what} stores only whole counts from {low} to {high}, but a bin has {first:.17g}: {instead}"
        )
    return values.astype(np.int64)


@dataclass(frozen=True)
class Grid:
    """A matrix's filled bins by their numbers along x and y."""

    x: Axis
    y: Axis
    x_places: Integers
    y_places: Integers
    counts: Floats
    variance: Floats


def grid_of(matrix: pl.DataFrame, widths: Widths = NO_WIDTHS) -> Grid:
    """The numbered bins of a matrix; their widths, as far as known, by quantity, or by column where the axes differ.

    Raises:
        OutputError: it has bins of different widths, or one that is listed twice.
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
        raise OutputError("a bin of the matrix appears twice: select one matrix, or sum them first")


def check_columns(table: pl.DataFrame, path: Path, noun: str, bins: tuple[str, ...]) -> None:
    """Raise an OutputError unless a table has counts, variances and one of the columns of bin centres."""
    missing = [name for name in ("counts", "variance") if name not in table.columns]
    if missing or not any(name in table.columns for name in bins):
        needed = " or ".join(bins)
        raise OutputError(
            f"{path}: this frame is not a {noun}: it needs {needed}, counts and variance "
            f"(it has {', '.join(table.columns)})"
        )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets errors name the output that they are about."""
    try:
        yield
    except OutputError as error:
        text = str(error)
        raise OutputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None
    except (OSError, pl.exceptions.ComputeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise OutputError(f"{path}: cannot be written: {reason or first_line(error)}") from None
