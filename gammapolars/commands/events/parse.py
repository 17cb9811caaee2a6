"""The command that builds events."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AddBackOption, AsJson, Overwrite, Reject, Runs, VetoOption, app
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def events(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .parquet, .arrow, .csv or .root.")],
    window: Annotated[
        str, typer.Option("--window", help="How long after another hit one still belongs to its event.")
    ] = defaults.WINDOW,
    window_ref: Annotated[
        str,
        typer.Option("--window-ref", help="Measured from the event's first hit, or from the last before: first, last."),
    ] = "first",
    min_multiplicity: Annotated[
        int, typer.Option("--min-multiplicity", help="Only events in which so many detectors fired.")
    ] = 1,
    table: Annotated[
        str, typer.Option("--table", help="events: a row a hit; summary: a row an event; triples: three hits of one.")
    ] = "events",
    add_back: AddBackOption = None,
    veto: VetoOption = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Build events of all hits that belong together in time, and save them."""
    from gammapolars.analysis.preselection import Preselection
    from gammapolars.coincidences import EventRule
    from gammapolars.commands.events import run
    from gammapolars.commands.events.text import events_text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.io import check_writable

    check_writable(output, overwrite=overwrite)
    run.check_table(table, output)
    rule = EventRule(window, window_ref=window_ref, reject=reject, min_multiplicity=min_multiplicity)
    known = how.known
    preselection = Preselection(known, add_back=add_back, vetoes=veto or ())
    with how.reading(runs) as (opened, progress):
        summary = run.events(
            opened,
            rule,
            output,
            table=table,
            detectors=known,
            preselection=preselection,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, events_text, as_json=as_json)
