"""What `gammapolars query` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.completion import queries
from gammapolars.commands.declared import HITS, RUNS, Reads
from gammapolars.commands.notes import argument
from gammapolars.commands.options import (
    AddBackOption,
    Pairing,
    RandomOption,
    Reading,
    Reject,
    Saving,
    VetoOption,
    WindowOption,
)
from gammapolars.commands.query.own_options import Asked, QueryCommand
from gammapolars.core import defaults


@command(short_help="Run a query: one of gammapolars, or your own Python function", cls=QueryCommand)
class QueryOptions(Reading, Pairing, Saving):
    """Run a query: a Python file with a function query(hits, *, parameters) that returns a LazyFrame.

    Without a name, all queries are listed: your own in the folder queries/, and those that come with gammapolars.
    The parameters of the function become options. Without a run, the query and its parameters are shown.

    Examples:
    gammapolars query
    gammapolars query rates_by_minute
    gammapolars query rates_by_minute run.root -o rates.csv --minutes 0.1
    """

    asked: Annotated[Asked | None, typer.Context]
    name: Annotated[
        str | None,
        argument("NAME", "A query in the folder queries/ or of gammapolars, or a .py file.", complete=queries),
        Reads("query"),
    ] = None
    runs: Annotated[list[str] | None, argument("RUN", "Files, patterns or folders of runs; or saved pairs."), RUNS] = (
        None
    )
    output: Annotated[
        list[Path] | None,
        "Result as a table: .parquet, .arrow, .csv or .root; or as a figure: .png, .pdf or .svg. May be repeated.",
        HITS,
    ] = None
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    reject: Reject = defaults.REJECT
    add_back: AddBackOption = None
    veto: VetoOption = None

    @property
    def further_inputs(self) -> tuple[Path, ...]:
        """Files that the options of the query name."""
        values = self.asked.values.values() if self.asked else ()
        return tuple(value for value in values if isinstance(value, Path))
