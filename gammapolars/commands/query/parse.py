"""What `gammapolars query` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.completion import queries
from gammapolars.commands.declared import HITS, RUNS, Reads
from gammapolars.commands.notes import argument
from gammapolars.commands.options import Pairing, Reading, Reject, Saving, WindowOption
from gammapolars.core import defaults


@command(
    short_help="Run your own query, a Python file with one function",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
class QueryOptions(Reading, Pairing, Saving):
    """Run your own query: a Python file with a function query(hits, *, parameters) that returns a LazyFrame.

    The parameters of the function become options. Without a run, the query and its parameters are shown.

    Examples:
    gammapolars query rates_by_minute
    gammapolars query rates_by_minute run.root -o rates.csv --minutes 0.1
    """

    words: Annotated[list[str], typer.Context, RUNS]
    name: Annotated[
        str,
        argument("NAME", "A query in the folder queries/, or a .py file.", complete=queries),
        Reads("query"),
    ]
    runs: Annotated[list[str] | None, argument("RUN", "Files, patterns or folders of runs."), RUNS] = None
    output: Annotated[Path | None, "Table of the result: .parquet, .arrow, .csv or .root.", HITS] = None
    window: WindowOption = defaults.WINDOW
    reject: Reject = defaults.REJECT
