"""What `gammapolars convert` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, Runs, app
from gammapolars.commands.options import ReadingOptions, reads_runs


@app.command()
@reads_runs
def convert(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .parquet, .arrow, .csv or .root.")],
    sort: Annotated[
        bool, typer.Option("--sort", help="Sort hits that are out of time order by any time, through temporary files.")
    ] = False,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a run's hits, in time order, to another format; calibrated, if detectors.toml is given."""
    from gammapolars.commands.convert import run
    from gammapolars.commands.summaries import print_summary
    from gammapolars.io import check_writable

    check_writable(output, overwrite=overwrite)
    with how.reading(runs) as (opened, progress):
        summary = run.convert(opened, output, detectors=how.known, sort=sort, overwrite=overwrite, progress=progress)
    print_summary(summary, lambda of: f"{of['hits_read']:,} hits written to {output}", as_json=as_json)
