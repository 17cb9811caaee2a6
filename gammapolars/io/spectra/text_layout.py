"""How the numbers of a text stand in it: columns, separator and decimal sign, decided from all lines together.

Each separator and each decimal sign is tried on the whole file, and what makes numbers of all lines is a reading of it.
Names of columns decide between readings; without them, where two are left, only clear evidence does.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.core.types import Floats
from gammapolars.io.spectra.text_lines import Lines, shown
from gammapolars.io.spectra.text_names import DETECTOR_TABLE, names_of, role_of, roles_of

SEPARATORS = ("\t", ";", ",", " ", "")
"""What may stand between columns; nothing, where there is one."""

SIGNS = {
    ".": r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?$",
    ",": r"^[+-]?[0-9]+(?:,[0-9]+)?(?:[eEdD][+-]?[0-9]+)?$",
}
"""What a number looks like with each decimal sign."""

MOST_COLUMNS = 64

MANY = 16
"""From how many numbers on a pattern among them is no accident, and one line of them is a spectrum."""

DETECTORS = "detectors"
"""In place of an axis: a table of several detectors' spectra."""


OF_HITS = 9
"""The rank of names of hits: nothing else decides."""


class NoReadingError(Exception):
    """Why the lines of a text cannot be read in one way; `rank` is how near that came."""

    def __init__(self, reason: str, rank: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rank = rank


class AmbiguousError(InputError):
    """The numbers of a text can be read in more than one way."""


@dataclass(frozen=True)
class Reading:
    """A text as it is read with one separator and decimal sign.

    Attributes:
        columns: the numbers, by what they are: `adc`, `energy_kev`, `x` (one of them), `counts`, `variance`, `sigma`;
            of a table of detectors, its own columns by their names.
        cells: the same as text.
        lines: the line that each row stands in, or None for numbers that stand in one line.
        named: whether names of columns told which is which.
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
        """The columns along which the counts stand."""
        return [name for name in ("adc", "energy_kev", "x") if name in self.columns.columns]


def reading_of(lines: Lines) -> Reading:
    """The one way in which a text can be read.

    Raises:
        InputError: there is none, or more than one, with what would decide.
    """
    readings, failures = [], []
    for separator in SEPARATORS:
        try:
            cells, numbers = _cells(lines, separator)
        except NoReadingError as failure:
            failures.append(failure)
            continue
        for sign in _signs(cells):
            try:
                readings.append(_interpreted(lines, cells, numbers, separator, sign))
            except NoReadingError as failure:
                failures.append(failure)
    if not readings:
        best = max(failures, key=lambda failure: failure.rank)
        raise InputError(best.reason)
    reading = _decided(readings)
    _check_grouping(reading)
    return reading


def is_named(lines: Lines) -> bool | None:
    """Whether names above the numbers are those of a spectrum: False where they are those of hits, None without any."""
    first = lines.rows["text"].head(1)
    for separator in SEPARATORS[:-1]:
        width = len(_parts(first, separator)[0])
        try:
            names, _ = _places(lines, width, separator)
        except NoReadingError as failure:
            if failure.rank == OF_HITS:
                return False
            continue
        if any(role is not None and role.name == "counts" for role in map(role_of, names)):
            return True
    return None


def _cells(lines: Lines, separator: str) -> tuple[pl.DataFrame, pl.Series | None]:
    """The cells of all lines in columns `0`, `1`, …, and the lines' numbers; None of those, where all stand in one."""
    text = lines.rows["text"]
    if separator == "":
        words = pl.DataFrame({"0": text.str.strip_chars(' \t"')})
        return words, lines.rows["line"]
    parts = _parts(text, separator)
    number = parts.list.len()
    while bool((parts.list.get(number - 1, null_on_oob=True) == "").fill_null(value=False).all()):
        number = number - 1  # each line ends in a separator
    width = int(number.mode().max())  # type: ignore[arg-type]
    if width < 2:
        raise NoReadingError("is no spectrum: no line holds numbers", 0)
    if (other := number != width).any():
        where, usual = int(other.arg_max() or 0), int((~other).arg_max() or 0)
        at, first = lines.rows["line"][where], lines.rows["line"][usual]
        what = f"line {at} does not hold {_spelt(width)} numbers, as line {first} does: {shown(text[where])}"
        raise NoReadingError(f"is no spectrum: {what}", 3 if 2 * int(other.sum()) <= len(text) else 1)
    if len(text) == 1 and width >= MANY:
        return pl.DataFrame({"0": parts[0][:width].str.strip_chars(' \t"')}), None
    if width > MOST_COLUMNS:
        raise NoReadingError(f"is no spectrum: each line holds {width} numbers: write one column of counts", 3)
    cells = {str(place): parts.list.get(place).str.strip_chars(' \t"') for place in range(width)}
    return pl.DataFrame(cells), lines.rows["line"]


def _parts(text: pl.Series, separator: str) -> pl.Series:
    if separator == " ":
        return text.str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    if not text.str.contains('"', literal=True).any():
        return text.str.split(separator)
    rows = csv.reader(text, delimiter=separator, skipinitialspace=True)
    return pl.Series(list(rows), dtype=pl.List(pl.String))


def _spelt(number: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(number, str(number))


def _signs(cells: pl.DataFrame) -> list[str]:
    """The decimal signs that there are in a table."""
    has_comma = any(cells[name].str.contains(",", literal=True).any() for name in cells.columns)
    has_point = any(cells[name].str.contains(".", literal=True).any() for name in cells.columns)
    return [",", "."] if has_comma and has_point else [","] if has_comma else ["."]


def _interpreted(lines: Lines, cells: pl.DataFrame, numbers: pl.Series | None, separator: str, sign: str) -> Reading:
    """The numbers of a table by what they are."""
    are_axes = cells.width == 3 and _are_axes(cells, sign)
    names, places = _places(lines, cells.width, separator, {"adc": 0, "energy_kev": 1, "counts": 2} if are_axes else {})
    if names and set(DETECTOR_TABLE) <= {name.lower() for name in names}:
        own = {name.lower(): cells[str(place)] for place, name in enumerate(names) if name}
        table = pl.DataFrame({name: column.replace("", None) for name, column in own.items()})
        columns = table.select(_value(pl.col(name), sign, strict=False) for name in table.columns)
        return Reading(columns, table, numbers, named=True, is_table=True, separator=separator)
    text = {}
    for role, (place, _) in places.items():
        column = cells[str(place)]
        if role == "energy_kev" and "adc" in places and (column == "").all():
            continue  # of a spectrum that is not calibrated
        _check_numbers(column, names[place] if names else "", numbers, sign)
        text[role] = column
    texts = pl.DataFrame(text)
    factor = {role: places[role][1] for role in text}
    columns = texts.select(_value(pl.col(role), sign) * factor[role] for role in text)
    return Reading(columns, texts, numbers, named=bool(names), is_table=False, separator=separator)


def _are_axes(cells: pl.DataFrame, sign: str) -> bool:
    """Whether the first two of three columns are channels and energies, as their steps show, and the third is not."""
    if cells.height < MANY or not all(cells[name].str.contains(SIGNS[sign]).all() for name in cells.columns):
        return False
    values = cells.select(_value(pl.col(name), sign) for name in cells.columns)
    channels, energies, counts = (np.diff(values[name].to_numpy()) for name in values.columns)
    return bool((channels == 1).all() and (energies > 0).all() and (counts > 0).any() and (counts <= 0).any())


def _places(
    lines: Lines, width: int, separator: str, otherwise: Mapping[str, int] = MappingProxyType({})
) -> tuple[tuple[str, ...], dict[str, tuple[int, float]]]:
    """The names of the columns where they tell, and where each quantity stands; `otherwise`, where they do not."""
    for line in reversed(lines.head):
        names = names_of(line, separator, width)
        known = [role_of(name) for name in names]
        if hits := [name for name, role in zip(names, known, strict=True) if role and role.name == "hits"]:
            reason = f"its columns are those of hits ({', '.join(hits)}), and no spectrum's: hits are read from .csv"
            raise NoReadingError(reason, OF_HITS)
        if not any(known):
            continue
        if set(DETECTOR_TABLE) <= {name.lower() for name in names}:
            return names, {}
        roles = roles_of(names)
        if roles is None:
            raise NoReadingError(f"which of its columns ({', '.join(names)}) are the counts? Name one 'counts'", 8)
        if "adc" in roles or "energy_kev" in roles or all(known):
            return names, roles
        if width == 2 and roles["counts"][0] == 1:
            return names, {"x": (0, 1.0), **roles}
        reason = (
            f"which of its columns ({', '.join(names)}) are channels or energies? Name it 'channel' or 'energy_kev'"
        )
        raise NoReadingError(reason, 8)
    if otherwise:
        return (), {role: (place, 1.0) for role, place in otherwise.items()}
    if width == 1:
        return (), {"counts": (0, 1.0)}
    if width == 2:
        x = "energy_kev" if _speaks_of_energies(lines) else "x"
        return (), {x: (0, 1.0), "counts": (1, 1.0)}
    reason = (
        f"which of its {width} columns are the counts? Name them in a first line, such as channel,energy_kev,counts"
    )
    raise NoReadingError(reason, 5)


def _speaks_of_energies(lines: Lines) -> bool:
    """Whether the line above two columns begins with energies in keV."""
    words = lines.head[-1].split() if lines.head else []
    role = role_of(words[0]) if words else None
    return role is not None and role.name == "energy_kev"


def _check_numbers(column: pl.Series, name: str, numbers: pl.Series | None, sign: str) -> None:
    is_number = column.str.contains(SIGNS[sign])
    if is_number.all():
        return
    where = int(is_number.arg_min() or 0)
    place = f"line {numbers[where]}" if numbers is not None else f"number {where + 1}"
    what = f" in the column '{name}'" if name else ""
    good = int(is_number.sum())
    raise NoReadingError(f"{place} holds no number{what}: {shown(column[where])}", 4 if good > 0.5 * len(column) else 1)


def _value(text: pl.Expr, sign: str, *, strict: bool = True) -> pl.Expr:
    plain = text.str.replace(",", ".", literal=True) if sign == "," else text
    return plain.str.replace("[dD]", "e").cast(pl.Float64, strict=strict)


def _decided(readings: list[Reading]) -> Reading:
    """The reading that all evidence is for."""
    named = [reading for reading in readings if reading.named]
    left = list(_different(named or readings))
    if len(left) == 1:
        return left[0]
    if len(left) == 2 and {len(reading.columns.columns) for reading in left} == {1, 2}:
        one, two = sorted(left, key=lambda reading: len(reading.columns.columns))
        if (has_axis := _has_axis(two.columns.to_series(0).to_numpy())) is not None:
            return two if has_axis else one
        shown_text = f"{two.cells.row(0)[0]},{two.cells.row(0)[1]}"
        raise AmbiguousError(
            f"'{shown_text}' may be {two.cells.row(0)[1]} counts in channel {two.cells.row(0)[0]}, or "
            f"{one.columns.row(0)[0]:g} counts: name the columns in a first line, such as channel,counts or counts"
        )
    raise AmbiguousError(
        "its numbers can be read in more than one way: separate them by tabs, and write a decimal point"
    )


def _different(readings: list[Reading]) -> Iterator[Reading]:
    """The readings that give other numbers than those before them."""
    for place, reading in enumerate(readings):
        if not any(reading.columns.equals(before.columns) for before in readings[:place]):
            yield reading


def _has_axis(x: Floats) -> bool | None:
    """Whether what stands before the commas of one or two columns is an axis, rather than the whole part of counts.

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
    """Raise an error where what is read as decimals may be groups of three digits, as in 1,234 for 1234."""
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
