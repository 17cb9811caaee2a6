"""Text cells of CSV that a spreadsheet would take for a formula: marked when written, and unmarked when read."""

import polars as pl

MARK = "'"
"""The mark that spreadsheets take for the beginning of text, and do not show."""

FORMULA = f"^{MARK}*[=+\\-@]"


def marked(frame: pl.LazyFrame) -> pl.LazyFrame:
    """A table whose text cells that begin with = + - @ have the mark before that; numbers stay as they are."""
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.contains(FORMULA)).then(MARK + text).otherwise(text).name.keep())


def unmarked(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The table that was marked."""
    text = pl.col(pl.String)
    has_mark = text.str.contains(FORMULA) & text.str.starts_with(MARK)
    return frame.with_columns(pl.when(has_mark).then(text.str.slice(1)).otherwise(text).name.keep())
