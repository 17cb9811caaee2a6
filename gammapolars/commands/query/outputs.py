"""Outputs of a query: its result as a table, and as figures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from gammapolars.commands.figure_files import FIGURES, check_figure, is_figure, save_figure
from gammapolars.commands.query.queries import Query
from gammapolars.core.errors import GammapolarsError, UsageError
from gammapolars.detectors import Detectors
from gammapolars.io import check_writable, save


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
    if not figures:
        _save(query, result, outputs, origin, overwrite=overwrite)
        return
    from gammapolars.commands.query.figures import drawn_by, figure  # with formats that tables do not need

    word = drawn_by(result.collect_schema(), query.name)
    with _computed(query):
        table = result.collect(engine="streaming")
    plot = figure(word, table, detectors)
    _save(query, table.lazy(), [path for path in outputs if not is_figure(path)], origin, overwrite=overwrite)
    for path in figures:
        save_figure(plot, path, overwrite=overwrite)


def _save(
    query: Query,
    result: pl.LazyFrame,
    tables: Sequence[Path],
    origin: Callable[[], dict[str, str]],
    *,
    overwrite: bool,
) -> None:
    for path in tables:
        with _computed(query):
            save(result, path, overwrite=overwrite, metadata=origin)


@contextmanager
def _computed(query: Query) -> Iterator[None]:
    """Where a query fails while it is computed, the error names it.

    Raises:
        QueryError: it does.
    """
    try:
        yield
    except GammapolarsError:
        raise
    except Exception as error:
        raise query.failed("the query cannot be computed", error, named=False) from error
