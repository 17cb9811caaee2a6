"""The command that finds how gains drift."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, Reject, Runs, app
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def drift(
    runs: Runs,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Ends in .parquet; name it as drift in detectors.toml.")
    ],
    track: Annotated[
        list[float],
        typer.Option("--track", metavar="KEV", help="Energy of a line to follow; may be given several times."),
    ],
    slice: Annotated[
        str | None, typer.Option("--slice", help="Shortest slice of time, such as 10s; else it follows from the run.")
    ] = None,
    reach: Annotated[float, typer.Option("--reach", help="Largest relative change of a gain to look for.")] = 0.03,
    reference: Annotated[
        str, typer.Option("--reference", help="Bring lines to where the calibration expects them, or to their mean.")
    ] = "calibration",
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Gains over time, lines before and after: a .png.")
    ] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Follow lines through a run, and write the factors that undo the drift of the detectors' gains."""
    from gammapolars.commands.drift import run
    from gammapolars.commands.drift.text import drift_text
    from gammapolars.commands.summaries import print_summary

    with how.reading(runs) as (opened, progress):
        summary = run.drift(
            opened,
            output,
            track,
            detectors=how.known,
            reject=reject,
            slice=slice,
            reach=reach,
            reference=reference,  # type: ignore[arg-type]  # track_drift refuses others
            figure=figure,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, drift_text, as_json=as_json)
