"""What `gammapolars simulate` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.completion import simulated
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.notes import option
from gammapolars.commands.options import DetectorsFile, Saving


@command(short_help="Simulate a run of sources with known truth")
class SimulateOptions(Saving):
    """Simulate a list-mode run of sources, with known truth.

    Examples:
    gammapolars simulate --source Co-60=20kBq --hits 10000 -o co60.root
    gammapolars simulate --source Na-22 --duration 10s -o na22.root
    """

    source: Annotated[
        list[str],
        option("NUCLIDE[=ACTIVITY]", "Source: Co-60, or Na-22=100kBq. May be repeated.", complete=simulated),
    ]
    output: Annotated[Path, "Run to write: a ROOT file in CoMPASS format.", OUTPUT]
    hits: Annotated[int | None, "Stop after this many hits."] = None
    duration: Annotated[str | None, option("TIME", "Stop after this time, such as 60s.")] = None
    seed: Annotated[int, "Seed of the random numbers: equal seeds give equal runs."] = 1
    detectors: DetectorsFile = None
    truth: Annotated[Path | None, "Table of each hit's decay, nuclide and energy: .parquet.", OUTPUT] = None
    layout: Annotated[str, option("LAYOUT", "ROOT baskets: native, small, large, or a number of entries each.")] = (
        "native"
    )
    solid_angle: Annotated[float | None, option("FRACTION", "Solid angle/4pi of each detector.")] = None
    background: Annotated[float | None, option("PER_SECOND", "Rate of uncorrelated hits in each detector.")] = None
    time_resolution: Annotated[str | None, option("TIME", "Standard deviation of timestamps, such as 8ns.")] = None
    tick: Annotated[str | None, option("TIME", "Step of the digitizer's clock, such as 4ns.")] = None
    dead_time: Annotated[str | None, option("TIME", "Dead time after each hit, such as 2us.")] = None
    drift: Annotated[float, option("FRACTION", "Relative change of all gains per hour: 0.01 for 1 % per hour.")] = 0.0
    neutrons: Annotated[
        float | None,
        option("FRACTION", "Write EnergyShort; this fraction of hits has the pulse shape of neutrons."),
    ] = None
    correlation: Annotated[
        list[str] | None,
        option(
            "E1,E2=A2,A4",
            "Angular correlation of two lines of a cascade (keV), by a2,a4 or by the spins of the three levels: "
            "1173.2,1332.5=4,2,0. May be repeated.",
        ),
    ] = None
