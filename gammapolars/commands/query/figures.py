"""Figures of the result of a query: the same as `gammapolars plot` draws of its file."""

from typing import TYPE_CHECKING, Any

import polars as pl

from gammapolars.core.errors import UsageError
from gammapolars.detectors import Detectors, named
from gammapolars.io.contents import HITS, MATRIX, PAIRS, SPECTRA, kind_by

if TYPE_CHECKING:
    from plotnine import ggplot
    from plotnine.composition import Compose

DRAWN = {
    SPECTRA: "spectrum",
    MATRIX: "matrix",
    "time differences": "time_differences",
    "rates": "rates",
    "peaks": "peaks",
    "lifetime": "lifetime",
    "angular correlation": "angular",
    "drift": "drift",
}
"""The functions of `gp.plot` that draw tables, by their contents."""

BINS = ("energy_kev", "adc", "psd")
VALUES = ("counts", "variance", "counts_unc", "width_kev", "width_adc", "name")
"""Columns of spectra that do not distinguish them."""

MOST_CURVES = 12
"""Spectra that are drawn over each other."""


def drawn_by(columns: pl.Schema, query: str) -> str:
    """The name of the function that draws a table with these columns.

    Raises:
        UsageError: there is none.
    """
    kind = kind_by(columns)
    if kind not in DRAWN:
        of = f" of {kind}" if kind else ""
        advice = "draw its .parquet with gammapolars plot" if kind in (PAIRS, HITS) else "write it to .parquet or .csv"
        raise UsageError(
            f"query '{query}' has no figure: there is none{of} with the columns {', '.join(columns)}: {advice} "
            "(figures show spectra, matrices, rates, time differences and peaks)"
        )
    return DRAWN[kind]


def figure(word: str, table: pl.DataFrame, detectors: Detectors) -> "ggplot | Compose":
    """The figure of a table, as `gammapolars plot` draws its file."""
    from gammapolars.figures import plot

    if {"board", "channel"} <= {*table.columns} and "name" not in table.columns:
        table = named(table, detectors)
    further = _of_spectra(table) if word == "spectrum" else {}
    if (column := further.get("overlay")) and table.schema[column].is_numeric():
        table = table.with_columns(pl.concat_str(pl.lit(f"{column.replace('_', ' ')} "), column).alias(column))
    drawn: ggplot | Compose = getattr(plot, word)(table, **further)
    return drawn


def _of_spectra(table: pl.DataFrame) -> dict[str, Any]:
    """How spectra are drawn: the column that distinguishes those of one detector, and the name of the counts.

    Raises:
        UsageError: more than one column distinguishes them, or there are too many.
    """
    is_net = "variance" in table.columns and table.filter(pl.col("variance") != pl.col("counts")).height > 0
    counts = {"counts": "net counts"} if is_net else {}
    keys = [name for name in ("board", "channel", *BINS) if name in table.columns]
    if not table.select(keys).is_duplicated().any():
        return counts
    others = [name for name in table.columns if name not in (*keys, *VALUES)]
    if len(others) == 1 and table[others[0]].n_unique() <= MOST_CURVES:
        return counts | {"overlay": others[0]}
    raise UsageError(
        f"the result has several spectra, by {', '.join(others) or 'no column'}: a figure takes those of detectors, or "
        f"up to {MOST_CURVES} that one further column distinguishes"
    )
