"""What `gammapolars query` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, Reject, WindowOption, app
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@reads_runs
def query(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A query in queries/, or a .py file.")],
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="Files, patterns or folders.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the result streams to.")] = None,
    window: WindowOption = defaults.WINDOW,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Run your own query: a module with def query(hits, *, parameters) -> LazyFrame. Its parameters are options.

    With a name and no run, show the query and its parameters.
    """
    from gammapolars.commands.query import queries, run
    from gammapolars.commands.query.text import query_help
    from gammapolars.commands.summaries import print_summary

    found = queries.load(queries.find(name))
    files, words = queries.split_arguments(runs or [], context.args)
    if not files:
        print(query_help(found))
        return
    arguments = queries.parse_arguments(found, words)
    if output is None:
        raise typer.BadParameter("a query needs an output: add -o result.parquet")
    opened = how.open(files)
    summary = run.run_query(
        opened,
        found,
        arguments,
        output,
        window=window,
        reject=reject,
        detectors=how.known,
        overwrite=overwrite,
    )
    print_summary(summary, lambda _: f"query '{found.name}' written to {output}", as_json=as_json)
