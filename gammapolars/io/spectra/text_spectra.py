"""Spectra in text: one table of numbers of any header, separator and decimal sign, of one detector or of several."""

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.io.spectra.text_layout import is_named, reading_of
from gammapolars.io.spectra.text_lines import lines_of
from gammapolars.io.spectra.text_readings import MANY, AmbiguousError, Reading

OPENING_BYTES = 2**16
"""How much of a file's beginning shows whether it holds a spectrum."""


def table_of(data: bytes) -> pl.DataFrame:
    """A spectrum's bins (`adc` and/or `energy_kev`, `counts`, and `variance` where it is given), or the whole table of
    several detectors' spectra.

    Two columns without names are channels or energies, and counts: energies where they are no whole numbers, or where a
    line above begins with that word. Counts without an axis are those of the channels from 0 on. Energies are in keV,
    unless their name says otherwise.

    Raises:
        InputError: the text cannot be read, in exactly one way, as a spectrum.
    """
    lines = lines_of(data)
    reading = reading_of(lines)
    if reading.is_table:
        return reading.columns
    if not reading.axes:
        _check_no_length(reading)
    for name in reading.columns.columns:
        finite = reading.columns[name].is_finite()
        if not finite.all():
            raise InputError(f"{_place(reading, int(finite.arg_min() or 0))} contains a number that is too large")
    for axis in reading.axes:
        _check_axis(reading, axis)
    return _as_spectrum(reading)


def is_spectrum(opening: bytes) -> bool:
    """Whether a text that may be a table of hits is a spectrum, by its beginning.

    The names of its columns decide; without known ones, one column of numbers, or equal steps of the first of two.
    """
    whole = opening[: opening.rfind(b"\n") + 1 or None] if len(opening) >= OPENING_BYTES else opening
    try:
        lines = lines_of(whole, strict=False)
    except InputError:
        return False
    by_names = is_named(lines)
    if by_names is not None:
        return by_names
    try:
        reading = reading_of(lines)
    except InputError as error:
        return isinstance(error, AmbiguousError) and not lines.head
    if not reading.axes or not lines.head:
        return True
    steps = np.diff(reading.columns.to_series(0).to_numpy())
    return len(steps) > 0 and bool(np.allclose(steps, steps[0]))


def _as_spectrum(reading: Reading) -> pl.DataFrame:
    columns = reading.columns
    if "x" in columns.columns:
        whole = bool((columns["x"] == columns["x"].round()).all())
        columns = columns.rename({"x": "adc" if whole else "energy_kev"})
    if not reading.axes:
        columns = columns.with_columns(adc=pl.int_range(pl.len()).cast(pl.Float64))
    if "variance" not in columns.columns and "sigma" in columns.columns:
        columns = columns.with_columns(variance=pl.col("sigma") ** 2)
    order = ("adc", "energy_kev", "counts", "variance")
    return columns.select(name for name in order if name in columns.columns)


def _check_axis(reading: Reading, axis: str) -> None:
    """Raise an InputError unless each channel is listed once, and, where no name says that it is one, in order."""
    x = reading.columns[axis]
    what = "energy" if axis == "energy_kev" else "channel"
    if (twice := x.is_duplicated()).any():
        first = int(twice.arg_max() or 0)
        again = int((x.slice(first + 1) == x[first]).arg_max() or 0) + first + 1
        raise InputError(
            f"{what} {reading.cells[axis][first]} appears twice, in {_place(reading, first)} and "
            f"{_place(reading, again)}: is it a table of several spectra, or are its columns others?"
        )
    if reading.named and axis != "x":
        return
    steps = np.diff(x.to_numpy())
    if not ((steps > 0).all() or (steps < 0).all()):
        raise InputError(
            "its first column is neither rising nor falling, as channels and energies are: name the columns in a "
            "first line, such as channel,counts"
        )
    counts = reading.columns["counts"].to_numpy()
    if len(counts) >= MANY and (np.diff(counts) == 1).all() and not (steps == steps[0]).all():
        raise InputError("its second column rises by one from line to line: name the columns, such as counts,channel")


def _check_no_length(reading: Reading) -> None:
    """Raise an InputError where the first of a column of counts may be the number of those that follow."""
    counts = reading.columns["counts"]
    if len(counts) > MANY and counts[0] == len(counts) - 1:
        raise InputError(
            f"its first number, {counts[0]:g}, is that of the numbers behind it: put # before it if it is no count, or "
            f"write channels beside the counts"
        )


def _place(reading: Reading, row: int) -> str:
    """The place of a row of numbers."""
    return f"line {reading.lines[row]}" if reading.lines is not None else f"number {row + 1}"
