"""The ways in which a text of numbers can be read, and the evidence for one of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.core.types import Floats

MANY = 16
"""From how many numbers on a pattern among them is no accident, and one line of them is a spectrum."""


class AmbiguousError(InputError):
    """The numbers of a text can be read in more than one way."""


@dataclass(frozen=True)
class Reading:
    """A text as it is read with one separator and decimal sign.

    Attributes:
        columns: the numbers, by their roles: `adc`, `energy_kev`, `x` (one of them), `counts`, `variance`, `sigma`;
            of a table of detectors, its own columns by their names.
        cells: the same as text.
        lines: the line of each row, or None for numbers that are all in one line.
        named: whether names of columns said which is which.
        is_table: whether it is a table of several detectors.
        separator: between the columns.
    """

    columns: pl.DataFrame
    cells: pl.DataFrame
    lines: pl.Series | None
    named: bool
    is_table: bool
    separator: str

    @property
    def axes(self) -> list[str]:
        """The axes of the counts."""
        return [name for name in ("adc", "energy_kev", "x") if name in self.columns.columns]


def decided(readings: list[Reading]) -> Reading:
    """The reading that all evidence is for."""
    named = [reading for reading in readings if reading.named]
    left = list(_different(named or readings))
    if len(left) == 1:
        _check_grouping(left[0])
        _check_no_axis(left[0])
        return left[0]
    if len(left) == 2 and {len(reading.columns.columns) for reading in left} == {1, 2}:
        one, two = sorted(left, key=lambda reading: len(reading.columns.columns))
        if (has_axis := _has_axis(two.columns.to_series(0).to_numpy())) is not None:
            _check_grouping(two if has_axis else one)
            return two if has_axis else one
        shown_text = f"{two.cells.row(0)[0]},{two.cells.row(0)[1]}"
        raise AmbiguousError(
            f"'{shown_text}' may be {two.cells.row(0)[1]} counts in channel {two.cells.row(0)[0]}, or "
            f"{one.columns.row(0)[0]:g} counts: name the columns in a first line, such as channel,counts or counts"
        )
    raise AmbiguousError(
        "its numbers can be read in more than one way: separate them by tabs, and write a decimal point"
    )


def _check_no_axis(reading: Reading) -> None:
    """Raise an error where lines of one number with a comma may be two, of which some lines lack one."""
    cells = reading.cells.to_series(0)
    if reading.named or reading.axes or reading.is_table or not cells.str.contains(",", literal=True).any():
        return
    before = cells.filter(cells.str.contains(",", literal=True)).str.split(",").list.first().cast(pl.Float64)
    if reading.lines is not None and _has_axis(before.to_numpy()) is not False:
        raise AmbiguousError(
            f"'{cells[0]}' may be one number or two: name the columns in a first line, such as channel,counts or counts"
        )


def _different(readings: list[Reading]) -> Iterator[Reading]:
    """The readings that give other numbers than those before them."""
    for place, reading in enumerate(readings):
        if not any(reading.columns.equals(before.columns) for before in readings[:place]):
            yield reading


def _has_axis(x: Floats) -> bool | None:
    """Whether the text before the commas of one or two columns is an axis, rather than the whole part of counts.

    An axis always rises, or always falls. Whole parts of counts go up and down, or stay the same for long; but few of
    them may rise by chance, and an axis may have a fault: then nothing is certain.
    """
    steps = np.diff(x)
    if len(x) > 1 and (steps == 0).all():
        return False
    if len(x) < MANY:
        return None
    if (steps > 0).all() or (steps < 0).all():
        return True
    up, down = float((steps > 0).mean()), float((steps < 0).mean())
    return False if down > 0 and (up < 0.4 or down > 0.2) else None


def _check_grouping(reading: Reading) -> None:
    """Raise an error where decimals may be groups of three digits, as in 1,234 for 1234."""
    for name in reading.cells.columns:
        cells = reading.cells[name]
        marked = cells.str.contains("[.,]")
        if not marked.any() or (name != "counts" and bool(marked.all())):
            continue
        grouped = cells.filter(marked).str.contains(r"^[+-]?[1-9][0-9]{0,2}(?:[.,][0-9]{3})$")
        ungrouped = cells.filter(~marked).str.contains("[0-9]{4}")
        if grouped.all() and not ungrouped.any():
            text = cells.filter(marked)[0]
            whole = re.sub("[.,]", "", text)
            raise AmbiguousError(f"'{text}' may be {whole} or a decimal number: write {name} without groups of digits")
