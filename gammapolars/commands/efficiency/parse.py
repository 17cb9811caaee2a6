"""What `gammapolars efficiency` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import FILE, OUTPUT, Writes
from gammapolars.commands.options import DetectorsFile, LinesFile, Saving


@command()
class EfficiencyOptions(Saving):
    """Fit each detector's full-energy-peak efficiency to the peaks of sources of known activity."""

    peaks: Annotated[
        list[Path], typer.Argument(metavar="PEAKS", help="Tables of peaks, .csv or .parquet: one of each source."), FILE
    ]
    output: Annotated[Path, "detectors.toml to write, with the efficiencies.", Writes(updates="detectors")]
    live_time: Annotated[
        list[float], typer.Option(metavar="SECONDS", help="Once for all files of peaks, or once for each.")
    ]
    started: Annotated[
        list[str], typer.Option(metavar="DATE", help="When counting began, as 2024-05-01 or 2024-05-01T14:30.")
    ]
    detectors: DetectorsFile = None
    source: Annotated[list[str] | None, "Of each file: a [[source]] of detectors.toml, by its name."] = None
    real_time: Annotated[
        list[float] | None, typer.Option(metavar="SECONDS", help="If the source decays while counting.")
    ] = None
    order: Annotated[int | None, "Of the polynomial; chosen, if not given."] = None
    lines: LinesFile = None
    figure: Annotated[Path | None, "Points and curve: .png, .pdf, .svg.", OUTPUT] = None
