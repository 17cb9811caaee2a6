"""Commands on tables of peaks: efficiencies from sources of known activity, and activities from efficiencies."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, app
from gammapolars.commands.options import DetectorsFile
from gammapolars.commands.peak_options import LinesFile


@app.command()
def activity(
    peaks: Annotated[Path, typer.Argument(metavar="PEAKS", help="A table of peaks, .csv or .parquet.")],
    nuclide: Annotated[list[str], typer.Option("--nuclide", help="Such as Cs-137; of a chain its head.")],
    live_time: Annotated[float, typer.Option("--live-time", metavar="SECONDS", help="How long it was counted.")],
    detectors: DetectorsFile = None,
    started: Annotated[
        str | None, typer.Option("--started", metavar="DATE", help="When counting began: needed with --at.")
    ] = None,
    real_time: Annotated[
        float | None, typer.Option("--real-time", metavar="SECONDS", help="If it decays while counting.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATE", help="Activity at this date; else the mean while counting."),
    ] = None,
    spectrum: Annotated[
        Path | None, typer.Option("--spectrum", help="That the peaks were found in: for limits where there is no peak.")
    ] = None,
    lines: LinesFile = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Ends in .csv or .parquet.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Tell the activities of nuclides from their peaks, or upper limits where nothing is detected."""
    from gammapolars.commands import peak_files
    from gammapolars.commands.activity import run
    from gammapolars.commands.activity.text import activity_text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.detectors import Detectors, load_detectors

    if output is not None:
        run.check_table(output, overwrite=overwrite)
    known = load_detectors(detectors) if detectors else Detectors()
    (counted,) = peak_files.counted(
        [peaks], [live_time], [started] if started else [], [] if real_time is None else [real_time]
    )
    summary = run.activity_summary(
        counted,
        nuclide,
        known,
        peak_files.lines_from(lines),
        at=peak_files.parse_moment(at) if at else None,
        spectrum=spectrum,
    )
    if output is not None:
        run.save_activities(summary, output, overwrite=overwrite)
    print_summary(summary, activity_text, as_json=as_json)
