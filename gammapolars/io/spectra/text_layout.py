"""Layout of the numbers in a text: columns, separator and decimal sign, decided from all lines together.

Each separator and each decimal sign is tried on the whole file; a pair that makes numbers of all lines is a reading.
Names of columns decide between readings; without them, where two are left, only clear evidence does.
"""

import csv
import re
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.io.spectra.text_lines import Lines, shown
from gammapolars.io.spectra.text_names import DETECTOR_TABLE, names_of, role_of, roles_of
from gammapolars.io.spectra.text_readings import MANY, Reading, decided

SEPARATORS = ("\t", ";", ",", " ", "")
"""Separators between columns; nothing, where there is one."""

SIGNS = {
    ".": r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?$",
    ",": r"^[+-]?[0-9]+(?:,[0-9]+)?(?:[eEdD][+-]?[0-9]+)?$",
}
"""Form of a number with each decimal sign."""

MOST_COLUMNS = 64

OF_HITS = 9
"""The rank of names of hits: nothing else decides."""


class NoReadingError(Exception):
    """Why the lines of a text cannot be read in one way; `rank` is how near that came."""

    def __init__(self, reason: str, rank: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rank = rank


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
    return decided(readings)


def is_named(lines: Lines) -> bool | None:
    """Whether names above the numbers are those of a spectrum: False where they are those of hits, None without any."""
    first = lines.rows["text"].head(1)
    for separator in SEPARATORS[:-1]:
        try:
            width = len(_parts(first, separator)[0])
            names, _ = _places(lines, width, separator)
        except NoReadingError as failure:
            if failure.rank == OF_HITS:
                return False
            continue
        if any(role is not None and role.name == "counts" for role in map(role_of, names)):
            return True
    return None


def _cells(lines: Lines, separator: str) -> tuple[pl.DataFrame, pl.Series | None]:
    """The cells of all lines in columns `0`, `1`, …, and the lines' numbers; None of those, where all are in one."""
    text = lines.rows["text"]
    if separator == "":
        return pl.DataFrame({"0": _unquoted(text)}), lines.rows["line"]
    parts = _parts(text, separator)
    number = parts.list.len()
    while bool((parts.list.get(number - 1, null_on_oob=True) == "").fill_null(value=False).all()):
        number = number - 1  # each line ends in a separator
    width = int(number.mode().max())  # type: ignore[arg-type]
    if width < 2:
        raise NoReadingError("is not a spectrum: no line contains numbers", 0)
    if (other := number != width).any():
        where, usual = int(other.arg_max() or 0), int((~other).arg_max() or 0)
        at, first = lines.rows["line"][where], lines.rows["line"][usual]
        what = f"line {at} does not hold {_spelt(width)} numbers, as line {first} does: {shown(text[where])}"
        raise NoReadingError(f"is not a spectrum: {what}", 3 if 2 * int(other.sum()) <= len(text) else 1)
    if len(text) == 1 and width >= MANY:
        return pl.DataFrame({"0": _unquoted(parts[0][:width])}), None
    if width > MOST_COLUMNS:
        raise NoReadingError(f"is not a spectrum: each line contains {width} numbers: write one column of counts", 3)
    cells = {str(place): _unquoted(parts.list.get(place)) for place in range(width)}
    return pl.DataFrame(cells), lines.rows["line"]


def _parts(text: pl.Series, separator: str) -> pl.Series:
    if separator == " ":
        return text.str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    if not text.str.contains('"', literal=True).any():
        return text.str.split(separator)
    if (odd := text.str.count_matches('"') % 2 == 1).any():
        raise NoReadingError(f"a line has a quote without its other: {shown(text.filter(odd)[0])}", 2)
    rows = csv.reader(text, delimiter=separator, skipinitialspace=True)
    return pl.Series(list(rows), dtype=pl.List(pl.String))


def _unquoted(cells: pl.Series) -> pl.Series:
    return cells.str.strip_chars(" \t").str.replace('^"(.*)"$', "$1").str.strip_chars(" \t")


def _spelt(number: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(number, str(number))


def _signs(cells: pl.DataFrame) -> list[str]:
    """The decimal signs that there are in a table."""
    has_comma = any(cells[name].str.contains(",", literal=True).any() for name in cells.columns)
    has_point = any(cells[name].str.contains(".", literal=True).any() for name in cells.columns)
    return [",", "."] if has_comma and has_point else [","] if has_comma else ["."]


def _interpreted(lines: Lines, cells: pl.DataFrame, numbers: pl.Series | None, separator: str, sign: str) -> Reading:
    """The numbers of a table by their roles."""
    are_axes = cells.width == 3 and _are_axes(cells, sign)
    names, places = _places(lines, cells.width, separator, {"adc": 0, "energy_kev": 1, "counts": 2} if are_axes else {})
    if names and set(DETECTOR_TABLE) <= {name.lower() for name in names}:
        own = {name.lower(): cells[str(place)] for place, name in enumerate(names) if name}
        table = pl.DataFrame({name: column.replace("", None) for name, column in own.items()})
        columns = table.select(_value(pl.col(name), sign, strict=False) for name in table.columns)
        return Reading(columns, table, numbers, named=True, is_table=True, separator=separator)
    if separator == "" and sign == "," and not names and _names_two(lines):
        raise NoReadingError("is not a spectrum: its lines contain two numbers", 0)
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
    """The names of the columns where they are given, and where each quantity is; `otherwise`, where they are not."""
    for line in reversed(lines.head):
        _check_no_row(line, separator, width)
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


def _names_two(lines: Lines) -> bool:
    """Whether a line of names with a comma between them has known ones."""
    return any(any(map(role_of, names_of(line, ",", 2))) for line in lines.head if "," in line)


def _check_no_row(line: str, separator: str, width: int) -> None:
    """Raise where the end of a line is missing between names of columns and the first numbers."""
    cells = [cell.strip() for cell in (re.split(r"\s+", line) if separator in (" ", "") else line.split(separator))]
    glued = re.fullmatch(r"([^\W\d_]+)[0-9.,]+", cells[0]) if width == 1 else None
    first = role_of(glued[1] if glued else cells[0])
    if first is None or not (glued or (width > 1 and len(cells) == 2 * width - 1)):
        return
    if any(re.match(r"[+-]?[.,]?[0-9]", cell) for cell in cells[1:]) or glued:
        raise NoReadingError(f"a line contains column names and numbers: {shown(line)}: is it damaged?", 9)


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
    rank = 4 if good > 0.5 * len(column) else 1
    raise NoReadingError(f"{place} contains no number{what}: {shown(column[where])}", rank)


def _value(text: pl.Expr, sign: str, *, strict: bool = True) -> pl.Expr:
    plain = text.str.replace(",", ".", literal=True) if sign == "," else text
    return plain.str.replace("[dD]", "e").cast(pl.Float64, strict=strict)
