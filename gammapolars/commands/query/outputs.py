"""Outputs of a query: its result as a table, and as figures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from gammapolars.commands.figure_files import FIGURES, check_figure, is_figure, save_figure
from gammapolars.commands.query.queries import Query
from gammapolars.core.errors import GammapolarsError, UsageError
from gammapolars.detectors import Detectors, named
from gammapolars.io import check_writable, save
from gammapolars.io.contents import MATRIX, SPECTRA, kind_by

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

BINS = ("energy_kev", "adc")
VALUES = ("counts", "variance", "counts_unc", "width_kev", "width_adc", "name")
"""Columns of spectra that do not distinguish them."""

MOST_CURVES = 12
"""Spectra that are drawn over each other."""


def check(outputs: Sequence[Path], *, overwrite: bool) -> None:
    """Raise before any work if an output cannot be written.

    Raises:
        UsageError: an unknown suffix, or a second table.
        OutputError: one exists already.
    """
    tables = [path for path in outputs if not is_figure(path)]
    for path in tables:
        try:
            check_writable(path, overwrite=overwrite)
        except UsageError as error:
            raise UsageError(f"{error}, and figures to {', '.join(FIGURES)}") from None
    if len(tables) > 1:
        raise UsageError(f"{tables[1]}: a query writes one table, and figures next to it: leave one of the tables out")
    for path in outputs:
        if is_figure(path):
            check_figure(path, overwrite=overwrite)


def write(
    query: Query,
    result: pl.LazyFrame,
    outputs: Sequence[Path],
    origin: Callable[[], dict[str, str]],
    detectors: Detectors,
    *,
    overwrite: bool,
) -> None:
    """Compute the result of a query, once, for all outputs; a table alone is streamed.

    Raises:
        QueryError: it cannot be computed.
        UsageError: there is no figure of such a table.
    """
    figures = [path for path in outputs if is_figure(path)]
    word = drawn_by(result.collect_schema(), query) if figures else ""
    try:
        frame = result.collect(engine="streaming").lazy() if figures else result
        for path in outputs:
            if not is_figure(path):
                save(frame, path, overwrite=overwrite, metadata=origin)
    except GammapolarsError:
        raise
    except Exception as error:
        raise query.failed("the query cannot be computed", error, named=False) from error
    origin()
    for path in figures:
        save_figure(figure(word, frame.collect(), detectors), path, overwrite=overwrite)


def drawn_by(columns: pl.Schema, query: Query) -> str:
    """The name of the function that draws a table with these columns.

    Raises:
        UsageError: there is none.
    """
    kind = kind_by(columns)
    if kind not in DRAWN:
        what = f"{kind}, which have no figure" if kind else "a table that is not known"
        raise UsageError(
            f"the result of query '{query.name}' is {what} (columns {', '.join(columns)}): write it to .parquet, or "
            "return a spectrum (energy_kev or adc, counts), a matrix (energy_kev_x, energy_kev_y, counts) or rates "
            "(time_s, width_s, rate_cps)"
        )
    return DRAWN[kind]


def figure(word: str, table: pl.DataFrame, detectors: Detectors) -> "ggplot | Compose":
    """The figure of a table, as `gammapolars plot` draws its file."""
    from gammapolars.figures import plot

    if {"board", "channel"} <= {*table.columns} and "name" not in table.columns:
        table = named(table, detectors)
    further = _of_spectra(table) if word == "spectrum" else {}
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
