"""The command that measures the timing of detectors."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, Reject, Runs, app
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def align(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="The detectors.toml to write.")],
    search: Annotated[
        str, typer.Option("--search", help="How far prompt peaks may lie from the offsets of --detectors, or from 0.")
    ] = defaults.SEARCH,
    walk: Annotated[
        bool | None,
        typer.Option("--walk/--no-walk", help="Fit time walk, or leave it as it is; else it is fitted where it helps."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="The detector whose offset stays; else the first of each group.")
    ] = None,
    energy: Annotated[
        str | None, typer.Option("--energy", metavar="LOW:HIGH", help="Only hits of these energies, in keV.")
    ] = None,
    hits: Annotated[
        int | None, typer.Option("--hits", help="Read no more hits than these; else as many as are needed.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Time differences of detector pairs before and after: a .png.")
    ] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure time offsets, walk and resolution of detectors by their prompt coincidences, into detectors.toml."""
    from gammapolars.commands.align import run
    from gammapolars.commands.align.text import timing_text
    from gammapolars.commands.summaries import print_summary

    with how.reading(runs) as (opened, progress):
        summary = run.align(
            opened,
            output,
            detectors=how.known,
            search=search,
            reject=reject,
            walk=walk,
            reference=reference,
            energy=energy,
            most_hits=hits,
            figure=figure,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, timing_text, as_json=as_json)
