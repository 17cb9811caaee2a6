"""What `gammapolars report` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import (
    AsJson,
    Overwrite,
    RandomOption,
    Reject,
    Runs,
    WindowOption,
    app,
)
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def report(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to make.")],
    window: WindowOption = defaults.WINDOW,
    random: RandomOption = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Pairs, spectra, matrix, rates and timing of a run, explained on one HTML page."""
    from gammapolars import report as reporting
    from gammapolars.coincidences import PairRule
    from gammapolars.commands.summaries import print_summary

    rule = PairRule(window, reject=reject)
    with how.reading(runs) as (opened, progress):
        summary = reporting.make_report(
            opened, rule, output, random=random or (), detectors=how.known, overwrite=overwrite, progress=progress
        )
    print_summary(summary, lambda of: f"{of['pairs']:,} pairs; open {of['output']}", as_json=as_json)
