"""What `gammapolars activity` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import FILE, OUTPUT
from gammapolars.commands.options import DetectorsFile, LinesFile, Saving


@command()
class ActivityOptions(Saving):
    """Tell the activities of nuclides from their peaks, or upper limits where nothing is detected."""

    peaks: Annotated[Path, typer.Argument(metavar="PEAKS", help="A table of peaks, .csv or .parquet."), FILE]
    nuclide: Annotated[list[str], "Such as Cs-137; of a chain its head."]
    live_time: Annotated[float, typer.Option(metavar="SECONDS", help="How long it was counted.")]
    detectors: DetectorsFile = None
    started: Annotated[str | None, typer.Option(metavar="DATE", help="When counting began: needed with --at.")] = None
    real_time: Annotated[float | None, typer.Option(metavar="SECONDS", help="If it decays while counting.")] = None
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="Activity at this date; else the mean while counting.")
    ] = None
    spectrum: Annotated[Path | None, "That the peaks were found in: for limits where there is no peak.", FILE] = None
    lines: LinesFile = None
    output: Annotated[Path | None, "Ends in .csv or .parquet.", OUTPUT] = None
