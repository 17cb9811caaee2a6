"""What `gammapolars query` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import HITS, RUNS, Reads
from gammapolars.commands.options import Pairing, Reading, Reject, Saving, WindowOption
from gammapolars.core import defaults


@command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
class QueryOptions(Reading, Pairing, Saving):
    """Run your own query: a module with def query(hits, *, parameters) -> LazyFrame. Its parameters are options.

    With a name and no run, show the query and its parameters.
    """

    words: Annotated[list[str], typer.Context, RUNS]
    name: Annotated[str, typer.Argument(metavar="NAME", help="A query in queries/, or a .py file."), Reads("query")]
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="Files, patterns or folders."), RUNS] = None
    output: Annotated[Path | None, "Where the result streams to.", HITS] = None
    window: WindowOption = defaults.WINDOW
    reject: Reject = defaults.REJECT
