"""What `gammapolars efficiency` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import FILE, OUTPUT, Writes
from gammapolars.commands.notes import argument, option
from gammapolars.commands.options import DetectorsFile, LinesFile, Saving


@command(short_help="Fit efficiencies to peaks of calibrated sources")
class EfficiencyOptions(Saving):
    """Fit each detector's full-energy-peak efficiency to the peaks of sources of known activity.

    The sources, with activity and date, are [[source]] tables in detectors.toml.

    Examples:
    gammapolars efficiency eu.csv --live-time 300 --started 2024-06-01 --detectors d.toml -o e.toml
    """

    peaks: Annotated[list[Path], argument("PEAKS", "Tables of peaks, .csv or .parquet: one for each source."), FILE]
    output: Annotated[Path, "detectors.toml to write, with the efficiencies.", Writes(updates="detectors")]
    live_time: Annotated[
        list[float], option("SECONDS", "Live time of the measurement: once for all tables, or once for each.")
    ]
    started: Annotated[
        list[str], option("DATE", "Start of the measurement: 2024-05-01 or 2024-05-01T14:30; once, or for each table.")
    ]
    detectors: DetectorsFile = None
    source: Annotated[
        list[str] | None, option("NAME", "Source of each table: the name of a [[source]] in detectors.toml.")
    ] = None
    real_time: Annotated[
        list[float] | None, option("SECONDS", "Real time, to correct for decay during the measurement.")
    ] = None
    order: Annotated[int | None, "Order of the polynomial; chosen if not given."] = None
    lines: LinesFile = None
    figure: Annotated[Path | None, "Figure of points and curve: .png, .pdf or .svg.", OUTPUT] = None
