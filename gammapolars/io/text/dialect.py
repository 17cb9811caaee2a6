"""Dialects of other programs' tables as text: separators of cells, and text around them and the rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from gammapolars.core.schema import DType
from gammapolars.io.text.blocks import is_remark

SEPARATORS = ";\t,|"
"""Separators of cells, those first that occur in no number; where there is none, blanks separate them."""

BLANK_CELLS = re.compile(r"[ \t]+")
WIDE_BLANKS = re.compile(r"\t| {2,}")
PADDING = re.compile(r"^ | $| (?=[;\t,|])|(?<=[;\t,|]) ")
DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+(?:[eE][-+]?[0-9]+)?")

MOSTLY = 0.9
"""This many cells of a column have its form: others are wrong, and named when they are read."""


@dataclass(frozen=True)
class Dialect:
    """How cells and rows are set apart, by one rule for the whole file.

    Attributes:
        separator: between cells; a tab where blanks are, of which any number counts as one.
        blanks: whether blanks divide the cells.
        padded: whether there are blanks around cells.
        decimal_comma: whether numbers have a comma where others have a point.
    """

    separator: str = ","
    blanks: bool = False
    padded: bool = False
    decimal_comma: bool = False

    def plain(self, text: bytes) -> bytes:
        """Lines without blanks around the cells, and with decimal points: as many as before."""
        mark = self.separator.encode()
        if self.blanks:
            text = _outside_quotes(rb"[ \t]+", mark, text)
            text = re.sub(rb"^\t|\t$", b"", text, flags=re.MULTILINE)
        elif self.padded:
            text = _outside_quotes(rb" *" + re.escape(mark) + rb" *", mark, text)
            text = re.sub(rb"^ +| +$", b"", text, flags=re.MULTILINE)
        return text.replace(b",", b".") if self.decimal_comma else text

    def names(self, header: str, cells: int | None) -> list[str]:
        """The names of the columns in a header; `cells` are those of a row, where there is one.

        Raises:
            polars.exceptions.PolarsError: the header holds none.
        """
        if self.blanks:
            names = header.split()
            apart = [name for name in WIDE_BLANKS.split(header.strip()) if name]
            names = apart if len(names) != cells and len(apart) == cells else names
            return [name.strip('"') for name in names]
        return [name.strip() for name in pl.read_csv(header.encode(), separator=self.separator).columns]


def _outside_quotes(pattern: bytes, mark: bytes, text: bytes) -> bytes:
    """Replace a pattern, but not in quoted cells."""
    if b'"' not in text:
        return re.sub(pattern, mark, text)
    return re.sub(rb'"[^"\n]*"|' + pattern, lambda found: found[0] if found[0].startswith(b'"') else mark, text)


def dialect_of(header: str, rows: Sequence[str]) -> Dialect:
    """The dialect of a table, by the line that names its columns and some of its rows."""
    lines = [header, *rows[:1]]
    separator = next((mark for mark in SEPARATORS if all(mark in line for line in lines)), "")
    if not separator and all(BLANK_CELLS.search(line.strip()) for line in lines):
        return Dialect("\t", blanks=True, decimal_comma=_has_decimal_commas([BLANK_CELLS.split(row) for row in rows]))
    separator = separator or next((mark for mark in SEPARATORS if mark in header), ",")
    padded = any(PADDING.search(line) for line in (header, *rows))
    comma = separator != "," and _has_decimal_commas([row.split(separator) for row in rows])
    return Dialect(separator, padded=padded, decimal_comma=comma)


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    """Whether commas occur in numbers, and hardly anywhere else."""
    cells = [cell.strip() for row in rows for cell in row if "," in cell]
    return bool(cells) and sum(bool(DECIMAL_COMMA.fullmatch(cell)) for cell in cells) >= MOSTLY * len(cells)


def rows_of(lines: Sequence[str]) -> list[str]:
    """The lines that hold rows: neither empty nor remarks."""
    return [line for line in lines if line.strip() and not is_remark(line)]


FORMS: tuple[tuple[DType, re.Pattern[str]], ...] = (
    (pl.Boolean(), re.compile("true|false")),
    (pl.Int64(), re.compile("-?[0-9]+")),
    (
        pl.Float64(),
        re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|-?(?:nan|inf|infinity)", re.IGNORECASE),
    ),
)
"""Forms of cells, the narrower ones first."""


def type_of(cells: Sequence[str]) -> DType:
    """The type of a column, by most of its cells: truths, whole numbers, numbers, or text."""
    filled = [cell for cell in cells if cell]
    for dtype, form in FORMS:
        fits = sum(bool(form.fullmatch(cell)) for cell in filled)
        if filled and (fits == len(filled) or (fits >= MOSTLY * len(filled) and fits == _fits_any(filled))):
            return dtype
    return pl.String()


def _fits_any(cells: Sequence[str]) -> int:
    return sum(any(form.fullmatch(cell) for _, form in FORMS) for cell in cells)
