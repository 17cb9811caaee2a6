"""Records as people read them: a small table in a notebook, and the same as text.

Fields are rows: a value with the `_unc` of its own, and the unit in its name. Tables of a record that its
class lists in `TABLES` follow, with their values and uncertainties merged alike.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from html import escape
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.digits import plus_minus
from gammapolars.core.visible import visible

UNITS = {
    "ps": "ps",
    "ns": "ns",
    "s": "s",
    "kev": "keV",
    "bq": "Bq",
    "cps": "/s",
    "ppm": "ppm",
    "pct": "%",
    "deg": "°",
    "adc": "adc",
}
"""Units by the words of names."""

WORDS = {"fwhm": "FWHM", "chi2": "χ²", "ndf": "degrees of freedom", "chance": "random coincidences"}
"""Names that are not read as they are written."""

UNC = "_unc"

MOST_ROWS = 40
"""A longer table is cut."""

HIDDEN = frozenset({"covariance", "covariance_ps2", "w_covariance", "hits", "drift", "aligned", "tried", "match"})
"""Fields that nobody reads off a screen."""


class Section(NamedTuple):
    """A table of words.

    Attributes:
        head: names of the columns; none: its rows explain themselves.
        rows: of cells.
        note: below the table.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Overview:
    """A record that notebooks show as a table, and Python prints as text; its class is made with `repr=False`."""

    TABLES: ClassVar[tuple[str, ...]] = ()

    def _repr_html_(self) -> str:
        return html_of(self)

    def __repr__(self) -> str:
        return text_of(self)

    def _sections(self) -> Iterator[Section]:
        """The parts of the overview."""
        return sections_of(self, self.TABLES)


def html_of(record: Any) -> str:
    """A record as HTML: its name, its tables, and its warnings."""
    parts = [f"<strong>{escape(_title(record))}</strong>"]
    for section in _parts(record):
        head = "".join(f"<th>{escape(word)}</th>" for word in section.head)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in section.rows)
        header = f"<thead><tr>{head}</tr></thead>" if head else ""
        parts.append(f"<table>{header}<tbody>{rows}</tbody></table>" if rows else "")
        parts.append(f"<p>{escape(section.note)}</p>" if section.note else "")
    return f"<div>{''.join(parts)}</div>"


def text_of(record: Any) -> str:
    """A record as lines of text."""
    lines = [_title(record)]
    for section in _parts(record):
        lines += _aligned([row for row in (section.head, *section.rows) if row])
        lines += [f"  {section.note}"] if section.note else []
    return "\n".join(lines)


def sections_of(record: Any, tables: Iterable[str] = ()) -> Iterator[Section]:
    """The fields of a record as rows, then its tables, and its warnings."""
    values = _values(record)
    yield Section((), tuple(_rows(values)))
    for name in tables:
        if isinstance(table := values.get(name), pl.DataFrame) and table.height:
            yield table_section(table)
    for warning in values.get("warnings") or ():
        yield Section((), (), f"Warning: {warning}")


def table_section(table: pl.DataFrame) -> Section:
    """A table of numbers: uncertainties are merged with what they are of, and columns without values left out."""
    columns = [name for name in table.columns if _is_shown(table, name)]
    shown = table.head(MOST_ROWS).to_dicts()
    rows = tuple(tuple(visible(_cell(row[name], row.get(name + UNC))) for name in columns) for row in shown)
    cut = f"… and {table.height - MOST_ROWS:,} more rows" if table.height > MOST_ROWS else ""
    return Section(tuple(_label(name, with_unit=True) for name in columns), rows, cut)


def _is_shown(table: pl.DataFrame, name: str) -> bool:
    """Whether a column holds values, and not the uncertainties of another one."""
    column = table[name]
    return not (_is_unc(name, table.columns) or column.null_count() == table.height or column.dtype.is_nested())


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _title(record: Any) -> str:
    return type(record).__name__


def _parts(record: Any) -> Iterator[Section]:
    sections = record._sections() if isinstance(record, Overview) else sections_of(record)
    return (section for section in sections if section.rows or section.note)


def _values(record: Any) -> dict[str, Any]:
    """The fields and derived quantities of a record by name."""
    names = [one.name for one in fields(record)] if is_dataclass(record) else list(record._fields)
    return {name: getattr(record, name) for name in (*names, *getattr(record, "DERIVED", ()))}


def _rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A row for each quantity; parts of several records, such as the components of a decay, are numbered."""
    for name, value in values.items():
        if name in HIDDEN or name == "warnings" or _is_unc(name, values):
            continue
        if isinstance(value, tuple) and value and all(is_dataclass(one) for one in value):
            for number, one in enumerate(value, 1):
                yield from _rows(_values(one), f"{name.removesuffix('s')} {number}: ")
        elif _is_plain(value):
            yield prefix + _label(name), visible(f"{_cell(value, values.get(name + UNC))} {_unit(name)}".strip())


def _is_plain(value: Any) -> bool:
    """Whether a value is one that is read: a number, a word or a few numbers, and there."""
    if isinstance(value, tuple | list):
        return bool(value) and all(isinstance(one, int | float) for one in value)
    return isinstance(value, str | int | float | date | np.number) and value != ""


def _is_unc(name: str, names: Iterable[str]) -> bool:
    return name.endswith(UNC) and name.removesuffix(UNC) in names


def _label(name: str, *, with_unit: bool = False) -> str:
    unit = _unit(name)
    words = [word for place, word in enumerate(name.split("_")) if not (place and word in {*UNITS, "per"})]
    label = " ".join(WORDS.get(word, word) for word in words)
    return f"{label} ({unit})" if unit and with_unit else label


def _unit(name: str) -> str:
    """The unit in a name, such as keV in `energy_kev`, /ns in `chance_per_ns`; empty where there is none."""
    words = name.split("_")
    place = max((place for place, word in enumerate(words) if place and word in UNITS), default=0)
    over = "/" if place and words[place - 1] == "per" else ""
    return over + UNITS[words[place]] if place else ""


def _cell(value: Any, unc: Any = None) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(_cell(one) for one in value)
    if isinstance(value, int | float | np.number):
        number = float(value)
        if isinstance(unc, int | float) and math.isfinite(number):
            return plus_minus(number, float(unc))
        return f"{value:,}" if isinstance(value, int) else f"{number:,.6g}" if math.isfinite(number) else "–"
    return str(value)


def columns_of(rows: Sequence[Mapping[str, str]]) -> Section:
    """Rows of words by column; a column without a word in any row is left out."""
    names = [name for name in (rows[0] if rows else {}) if any(row[name] for row in rows)]
    return Section(tuple(names), tuple(tuple(visible(row[name]) for name in names) for row in rows))
