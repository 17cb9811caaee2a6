"""Input of users for figures, as tables with the columns that figures need."""

from collections.abc import Sequence

import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import eager
from gammapolars.figures.facets import DETECTOR
from gammapolars.figures.style import SCREEN, FigureStyle

Frame = pl.DataFrame | pl.LazyFrame

MOST_LETTERS = 60
"""Letters of the name of an input."""

OVERLAY = "overlay"
"""The column that says which input a row is of."""


def collected(frame: Frame) -> pl.DataFrame:
    """A table, lazy or not."""
    return eager(frame, "table")


def with_detectors(table: pl.DataFrame) -> pl.DataFrame:
    """A table with `board`, `channel` and `name`; without them, it is that of all detectors together."""
    if "board" not in table.columns:
        name = pl.col("name") if "name" in table.columns else pl.lit("")
        return table.with_columns(name.alias("name"), board=pl.lit(0), channel=pl.lit(0))
    if "name" in table.columns:
        return table
    return table.with_columns(name=pl.concat_str("board", "channel", separator="/"))


def with_overlay(
    table: pl.DataFrame, column: str | None, style: FigureStyle = SCREEN
) -> tuple[pl.DataFrame, list[str]]:
    """A table with `overlay`, the short name of each row's input, and these names in order; none where it has one.

    Overlaid by `name`, detectors share one facet.

    Raises:
        TableError: there is no such column.
        UsageError: a single input.
    """
    from gammapolars.figures import theme as house

    if column is None:
        return table.with_columns(pl.lit("").alias(OVERLAY)), []
    if column not in table.columns:
        raise TableError(f"this frame has no column '{column}' to distinguish the inputs")
    labels = table[column].cast(pl.String).fill_null("none")
    inputs = labels.unique(maintain_order=True).to_list()
    names = house.short_names(inputs, min(MOST_LETTERS, style.letters - 12))
    table = table.with_columns(labels.replace_strict(inputs, names, return_dtype=pl.Enum(names)).alias(OVERLAY))
    if column in DETECTOR:
        table = table.with_columns(pl.lit("").alias("name"), board=pl.lit(0), channel=pl.lit(0))
    return table, names


def require(table: pl.DataFrame, what: str, columns: Sequence[str]) -> None:
    """Raise where a table lacks columns that a figure needs.

    Raises:
        TableError: a column is missing.
    """
    if missing := [name for name in columns if name not in table.columns]:
        raise TableError(f"{what} need the columns {', '.join(columns)}; this frame has no '{missing[0]}'")


def check_compare(compare: str | None, inputs: Sequence[str]) -> None:
    """Raise where there is nothing to compare.

    Raises:
        UsageError: another word than `ratio` and `difference`, or fewer than two inputs.
    """
    if compare is None:
        return
    if compare not in ("ratio", "difference"):
        raise UsageError(f"unknown comparison '{compare}': choose ratio or difference")
    if len(inputs) < 2:
        raise UsageError(f"a {compare} needs two inputs: name the column that distinguishes them with overlay")
