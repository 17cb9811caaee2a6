"""What `gammapolars activity` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.completion import nuclides
from gammapolars.commands.declared import FILE, OUTPUT
from gammapolars.commands.notes import argument, option
from gammapolars.commands.options import DetectorsFile, LinesFile, Saving


@command(short_help="Determine activities of nuclides from their peaks")
class ActivityOptions(Saving):
    """Determine activities of nuclides from their peaks, or upper limits where no peak is detected.

    The detectors need an efficiency in detectors.toml: see 'gammapolars efficiency'.

    Examples:
    gammapolars activity eu.csv --nuclide Eu-152 --live-time 60 --detectors d.toml
    """

    peaks: Annotated[Path, argument("PEAKS", "Table of peaks: .csv or .parquet."), FILE]
    nuclide: Annotated[
        list[str],
        option("NUCLIDE", "Nuclide, such as Cs-137, or the head of a chain. May be repeated.", complete=nuclides),
    ]
    live_time: Annotated[float, option("SECONDS", "Live time of the measurement.")]
    detectors: DetectorsFile = None
    started: Annotated[str | None, option("DATE", "Start of the measurement: needed with --at.")] = None
    real_time: Annotated[float | None, option("SECONDS", "Real time, to correct for decay during the measurement.")] = (
        None
    )
    at: Annotated[
        str | None, option("DATE", "Date of the activity; if not given, its mean during the measurement.")
    ] = None
    spectrum: Annotated[
        Path | None, "Spectrum in which the peaks were found, for limits where there is no peak.", FILE
    ] = None
    lines: LinesFile = None
    output: Annotated[Path | None, "Table of activities: .csv or .parquet.", OUTPUT] = None
