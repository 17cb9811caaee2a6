"""The command that tells rates."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, Runs, app
from gammapolars.commands.options import ReadingOptions, reads_runs


@app.command()
@reads_runs
def rates(
    runs: Runs,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Ends in .csv, .parquet or .arrow.")] = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Tell each detector's rate as counted, and without dead time, from the times between its hits."""
    from gammapolars.commands.rates import run, text
    from gammapolars.commands.summaries import print_summary

    with how.reading(runs) as (opened, progress):
        summary = run.rates(opened, output, detectors=how.known, overwrite=overwrite, progress=progress)
    print_summary(summary, text.rates_text, as_json=as_json)
