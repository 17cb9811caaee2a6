"""The bins of tables of spectra: their columns, how wide they are, and whether tables share them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.quantities import BY_COLUMN
from gammapolars.core.schema import SPECTRUM, require
from gammapolars.core.types import Floats
from gammapolars.detectors import Detectors
from gammapolars.streaming.slices import lazy_frame

Axis = Literal["energy_kev", "adc"]

AXES: tuple[Axis, ...] = ("adc", "energy_kev")
WIDTH_OF: dict[Axis, str] = {"energy_kev": "width_kev", "adc": "width_adc"}
UNIT_OF: dict[Axis, str] = {axis: BY_COLUMN[axis].unit for axis in AXES}
OWN = {*AXES, *WIDTH_OF.values(), "counts", "variance"}

NUMBER = "_number"
"""The column of the bins' numbers, by which bins of several tables are recognised as the same."""

MOST_BINS = 20_000_000
"""Spectra with more filled bins than this, half a gigabyte, are not counted on."""

WIDTHS = (1e-12, 1e12)
"""Bins outside of this range are a mistake, and their numbers or centres may be none that a float can hold."""

CLOSE = 1e-3
"""Centres may be off by this part of a bin: by rounding in files."""

MOST_GAPS = 12
"""Where few bins are filled, their least distance is taken for up to so many bins."""


def check_width(bin_kev: float) -> None:
    """Raise a UsageError for bins whose width is not above 0, no number, or one that nothing measured is counted in."""
    if not 0 < bin_kev < np.inf:
        raise UsageError(f"a bin must be wider than 0 keV, not {bin_kev}")
    if not WIDTHS[0] <= bin_kev <= WIDTHS[1]:
        raise UsageError(f"bins must be {WIDTHS[0]:g} to {WIDTHS[1]:g} keV wide, not {bin_kev:g}")


def quotient(value: pl.Expr, width: float) -> pl.Expr:
    """A column over a width, rounded correctly; null stays null, and infinite values become NaN.

    polars divides columns of more than one row by a number by multiplying with its inverse: values at the edge of a bin
    would fall into the bin below, or not, as batches are cut.
    """
    return value / (value * 0.0 + width)


def check_count(bins: float, bin_kev: float) -> None:
    """Raise a UsageError for spectra of more bins than are counted, before memory is taken for them."""
    if not bins <= MOST_BINS:
        raise UsageError(
            f"bins of {bin_kev:g} make spectra of more than {MOST_BINS // 10**6} million bins: use wider bins"
        )


def fitting_bin_kev(detectors: Detectors, *, least_kev: float = 0.5) -> float:
    """A bin width of 1, 2 or 5 times a power of ten that is no finer than the coarsest detector's adc step."""
    steps = [abs(detector.energy[1]) for detector in detectors if detector.energy]
    width = max([least_kev, *steps])
    decade = 10.0 ** np.floor(np.log10(width))
    return float(next(step * decade for step in (1, 2, 5, 10) if step * decade >= width * (1 - 1e-9)))


def keys_of(columns: pl.Schema | Sequence[str]) -> list[str]:
    """The columns that distinguish the spectra of a table: detectors, runs, slices, and whatever else."""
    return [name for name in columns if name not in OWN]


def computed(schema: Mapping[str, Any], make: Callable[[], pl.DataFrame]) -> pl.LazyFrame:
    """A small table that is made when it is collected, so that errors can be raised about its content."""

    def table(columns: list[str] | None) -> Iterator[pl.DataFrame]:
        del columns
        yield make().select(pl.col(name).cast(dtype) for name, dtype in schema.items())

    return lazy_frame(pl.Schema(schema), table)


def spectra_of(frame: AnyFrame) -> tuple[pl.LazyFrame, pl.Schema]:
    """A table of spectra as a lazy frame, and its columns. Variances that are not known become NaN, so that they stay
    unknown in sums.

    Raises:
        TableError: it has no counts, no variances or no bins.
    """
    table = lazy(frame, "spectrum")
    columns = require(table, SPECTRUM)
    if not any(axis in columns for axis in AXES):
        raise TableError(
            "this frame is not a table of spectra: it has no column 'energy_kev' or 'adc' (it has "
            f"{', '.join(columns)})"
        )
    return table.with_columns(pl.col("variance").fill_null(pl.lit(np.nan))), columns


def parts_by_axis(table: pl.DataFrame) -> dict[Axis, pl.DataFrame]:
    """The rows that are bins of adc and those that are bins of energy; rows that have both are bins of adc."""
    has = {axis: pl.col(axis).is_not_null() if axis in table.columns else pl.lit(value=False) for axis in AXES}
    rows: dict[Axis, pl.Expr] = {"adc": has["adc"], "energy_kev": has["energy_kev"] & ~has["adc"]}
    return {axis: part for axis, of in rows.items() if (part := table.filter(of)).height}


def edges(table: pl.DataFrame, axis: Axis, width: float | None = None) -> tuple[Floats, Floats]:
    """The lower and upper ends of bins.

    They lie half a width from the centres. Energies of channels, where a table has both, change with the calibration's
    slope instead, which is found from the neighbouring channels, exactly for a parabola.

    Args:
        table: spectra; each row has its centre on the axis.
        axis: energy or adc.
        width: of all bins; None: from the table.

    Raises:
        TableError: the bins are not of one width, or too few to show it.
    """
    centres = table[axis].cast(pl.Float64).to_numpy()
    if width is None and WIDTH_OF[axis] in table.columns:
        half = table[WIDTH_OF[axis]].to_numpy() / 2
    elif width is None and axis == "energy_kev" and "adc" in table.columns and table["adc"].null_count() == 0:
        half = np.abs(_slopes(table)) * half_widths(table)
    else:
        width = width if width is not None else width_of(centres, axis)
        if width is None:
            raise TableError(f"a single bin does not give its width in {UNIT_OF[axis]}: give it with width=")
        half = np.full(len(centres), width / 2)
    if not (np.isfinite(centres).all() and np.isfinite(half).all() and (half > 0).all()):
        raise TableError(f"bins of {axis} have no finite centre or no width")
    return centres - half, centres + half


def half_widths(table: pl.DataFrame) -> float | Floats:
    """Half the width of bins in adc."""
    if "width_adc" in table.columns:
        return np.asarray(table["width_adc"].to_numpy() / 2, np.float64)
    return (width_of(table["adc"].to_numpy(), "adc") or 1.0) / 2


def _slopes(table: pl.DataFrame) -> Floats:
    """dE/d(adc) at each row, from the rows of the same spectrum."""
    slopes = np.zeros(table.height)
    keys = keys_of(table.columns)
    numbered = table.select(*keys, "adc", "energy_kev").with_row_index(NUMBER).sort("adc")
    for part in numbered.partition_by(keys) if keys else [numbered]:
        adc, energy = part["adc"].to_numpy(), part["energy_kev"].to_numpy()
        if len(adc) < 2 or not (np.diff(adc) > 0).all():
            raise TableError("at least 2 different ADC channels with energies are needed to give their widths in keV")
        slopes[part[NUMBER].to_numpy()] = np.gradient(energy, adc, edge_order=2 if len(adc) > 2 else 1)
    return slopes


def width_of(centres: Floats, axis: Axis) -> float | None:
    """The one width of all bins, filled or not; None where a single centre does not give it.

    Whole numbers of adc are channels. Otherwise it is the least distance of centres or a whole part of that: the
    largest with which all of them lie on one grid, on one that has an edge at 0 if there is such a one.

    Raises:
        TableError: no width explains all distances.
    """
    places = np.unique(centres)
    if axis == "adc" and np.array_equal(places, np.rint(places)):
        return 1.0
    if len(places) < 2 or not np.isfinite(places).all():
        return None
    steps = np.diff(places)
    least = float(steps[steps > 1e-9 * np.abs(places).max()].min())
    reach = float(places[-1] - places[0])
    candidates = [reach / np.rint(reach * gaps / least) for gaps in range(1, MOST_GAPS + 1)]
    on_grid = [width for width in candidates if _whole((places - places[0]) / width)]
    edge_at_0 = [w for w in on_grid if _whole((places[:1] + (0.5 if axis == "adc" else 0.0)) / w - 0.5)]
    if not on_grid:
        raise TableError(
            f"the bins of {axis} do not have the same width (some are {least:g} {UNIT_OF[axis]} apart): "
            f"give their widths in a column '{WIDTH_OF[axis]}'"
        )
    return float((edge_at_0 or on_grid)[0])


def _whole(numbers: Floats) -> bool:
    return bool((np.abs(numbers - np.rint(numbers)) < CLOSE).all())


def numbered(tables: Sequence[pl.DataFrame], axis: Axis, width: float | None = None) -> list[pl.DataFrame]:
    """Tables with the number of each bin, the same for the same bin.

    Args:
        tables: spectra, each with a centre on the axis in every row.
        axis: energy or adc.
        width: of all bins; None: from the tables.

    Raises:
        TableError: their bins differ.
    """
    centres = [table[axis].cast(pl.Float64).to_numpy() for table in tables]
    widths: set[float] = {width} if width is not None else set().union(*(_widths(table, axis) for table in tables))
    if max(widths, default=1.0) - min(widths, default=1.0) <= 1e-6 * min(widths, default=1.0):  # not of NaN
        step, first = min(widths, default=1.0), next((part[0] for part in centres if len(part)), 0.0)
        places = [(part - first) / step for part in centres]
        if all(_whole(part) for part in places):
            numbers = [np.rint(part).astype(np.int64) for part in places]
            return [table.with_columns(pl.Series(NUMBER, n)) for table, n in zip(tables, numbers, strict=True)]
    elif all(np.array_equal(np.unique(part), np.unique(centres[0])) for part in centres):
        grid = np.unique(centres[0])
        return [
            table.with_columns(pl.Series(NUMBER, np.searchsorted(grid, part)).cast(pl.Int64))
            for table, part in zip(tables, centres, strict=True)
        ]
    names = " and ".join(sorted({"several" if np.isnan(value) else f"{value:g}" for value in widths}))
    raise TableError(
        f"the spectra have different bins of {axis} (widths: {names} {UNIT_OF[axis]}): rebin them to a "
        "common width first, or give it with width= if it is the same"
    )


def _widths(table: pl.DataFrame, axis: Axis) -> set[float]:
    """The widths of a table's bins, as far as they are known; NaN where it has several that are not given."""
    if WIDTH_OF[axis] in table.columns and table[WIDTH_OF[axis]].null_count() == 0:
        return set(table[WIDTH_OF[axis]].unique().to_list())
    try:
        width = width_of(table[axis].cast(pl.Float64).to_numpy(), axis)
    except TableError:
        return {np.nan}
    return set() if width is None else {width}
