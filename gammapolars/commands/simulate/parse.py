"""What `gammapolars simulate` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import DetectorsFile, Saving


@command()
class SimulateOptions(Saving):
    """Simulate a list-mode run with known truth."""

    source: Annotated[list[str], "Nuclide or NUCLIDE=ACTIVITY: Co-60, Na-22=100kBq."]
    output: Annotated[Path, "The run, a ROOT file as CoMPASS writes them.", OUTPUT]
    hits: Annotated[int | None, "Stop after so many hits."] = None
    duration: Annotated[str | None, "Stop after this time, such as 60s."] = None
    seed: Annotated[int, "Of the random numbers: equal seeds give equal runs."] = 1
    detectors: DetectorsFile = None
    truth: Annotated[Path | None, "Parquet file: each hit's decay, nuclide, energy.", OUTPUT] = None
    layout: Annotated[str, "Baskets: native, small, large, or entries each."] = "native"
    solid_angle: Annotated[float | None, "Share of all directions that each detector covers."] = None
    background: Annotated[float | None, "Uncorrelated hits/s of each detector."] = None
    time_resolution: Annotated[str | None, "Standard deviation of timestamps, such as 8ns."] = None
    tick: Annotated[str | None, "Step of the digitizer's clock, such as 4ns."] = None
    dead_time: Annotated[str | None, "After each hit, such as 2us."] = None
    drift: Annotated[float, "Relative change of all gains in an hour: 0.01 is 1 % in an hour."] = 0.0
    correlation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="E1,E2=A2,A4",
            help="Correlated directions of two lines of a cascade (keV), by a2,a4 or three spins: "
            "1173.2,1332.5=4,2,0. May be repeated.",
        ),
    ] = None
