"""One facet per detector: those that a figure has room for, and the titles of their facets."""

from typing import NamedTuple

import polars as pl

from gammapolars.figures import theme as house
from gammapolars.figures.style import SCREEN, FigureStyle

DETECTOR = ["board", "channel", "name"]


class Facets(NamedTuple):
    """The detectors that a figure shows, with their `facet`; in how many columns; and how many are left out."""

    labels: pl.DataFrame
    columns: int
    hidden: int

    @property
    def number(self) -> int:
        """How many detectors are shown."""
        return self.labels.height

    def note(self, shown: str) -> str | None:
        """How many detectors are `shown` and how many are not drawn; None where all are drawn."""
        return f"{shown.format(self.number)} ({self.hidden} more not drawn)" if self.hidden else None

    def join(self, table: pl.DataFrame) -> pl.DataFrame:
        """The rows of these detectors, in the same order, with their `facet`."""
        return table.join(self.labels, on=DETECTOR, how="inner", maintain_order="left")


def facets_of(
    table: pl.DataFrame,
    style: FigureStyle = SCREEN,
    *,
    by_counts: bool = False,
    most: int = house.MAX_FACETS,
    columns: int | None = None,
) -> Facets:
    """As many detectors of a table as a figure has room for: the first ones, or those with the most counts."""
    detectors = table.select(DETECTOR).unique().sort("board", "channel")
    shown = detectors.head(most)
    if by_counts:
        totals = table.group_by(DETECTOR).agg(pl.col("counts").sum())
        strongest = totals.sort("counts", "board", "channel", descending=[True, False, False]).head(most)
        shown = strongest.select(DETECTOR).sort("board", "channel")
    columns = columns or house.columns_for(shown.height, style)
    names = house.short_names(shown["name"], house.name_room(columns, style))
    return Facets(shown.with_columns(facet_column(names)), columns, detectors.height - shown.height)


def pair_name(name_a: str, name_b: str, room: int) -> str:
    """The name of a detector pair, each detector's in `room` characters."""
    return " – ".join(house.short_names([name_a], room) + house.short_names([name_b], room))


def facet_column(names: list[str]) -> pl.Series:
    """Names of facets as a column, of which plotnine keeps the order."""
    return pl.Series("facet", names, pl.Enum(names))
