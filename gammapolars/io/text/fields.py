"""The fields of a line of text: what numbers look like, and what they become."""

from dataclasses import dataclass

import polars as pl

from gammapolars.core.schema import DType
from gammapolars.detectors.columns import within_times

INTEGER = r"-?[0-9]+"
HEXADECIMAL = r"0x[0-9a-fA-F]+"
FLOAT = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|-?(?i:nan|inf|infinity)"
BOOLEAN = "true|false"
TEXT = "[^\ufffd]*"


@dataclass(frozen=True)
class Field:
    """A field of each line, and the column that it becomes.

    Attributes:
        column: its name.
        dtype: what the column holds.
        hexadecimal: whether the text is `0x4000`; the column is u32.
        natural: whether a negative number is out of range, though the dtype could hold it.
        required: whether it is never empty.
    """

    column: str
    dtype: DType
    hexadecimal: bool = False
    natural: bool = False
    required: bool = True

    @property
    def parsed(self) -> DType:
        """What the parser of the text makes of it."""
        if self.hexadecimal:
            return pl.String
        return pl.UInt64 if self.natural else self.dtype

    @property
    def pattern(self) -> str:
        if self.hexadecimal:
            return HEXADECIMAL
        if self.dtype.is_integer():
            return INTEGER
        return FLOAT if self.dtype.is_float() else BOOLEAN if self.dtype == pl.Boolean else TEXT

    def value(self, parsed: pl.Expr, *, strict: bool) -> pl.Expr:
        """The column, from what the parser makes of the text."""
        if self.hexadecimal:
            return parsed.str.strip_prefix("0x").str.to_integer(base=16, dtype=pl.UInt32, strict=strict)
        value = parsed.cast(self.dtype, strict=strict)
        return within_times(value) if self.column == "timestamp_ps" else value

    def is_damaged(self, text: pl.Expr) -> pl.Expr:
        """Whether a text is not of the field's form; always for null, which stands for a field that is missing."""
        empty = self.required and self.dtype != pl.String
        fits = text.str.contains(f"^(?:{self.pattern})$")
        return pl.when(text.is_null()).then(pl.lit(value=True)).when(text == "").then(pl.lit(empty)).otherwise(~fits)

    def exact_value(self, text: pl.Expr) -> pl.Expr:
        """The column, from a text of the field's form: null for an empty text, and for a number that does not fit."""
        filled = pl.when(text != "").then(text)
        if self.dtype == pl.Boolean:
            return filled == "true"
        return self.value(filled.cast(self.parsed, strict=False), strict=False)

    def is_outside(self, text: pl.Expr) -> pl.Expr:
        """Whether a text of the field's form is a number that does not fit the column."""
        return (text != "") & self.exact_value(text).is_null()
