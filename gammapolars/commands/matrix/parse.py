"""What `gammapolars matrix` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import FILE, OUTPUT
from gammapolars.commands.options import (
    Pairing,
    PeakRegion,
    RandomOption,
    Recording,
    Reject,
    Saving,
    SubtractBackground,
    WindowOption,
)
from gammapolars.core import defaults


@command()
class MatrixOptions(Recording, Pairing, Saving):
    """Write the symmetric matrix of the energies of all pairs within a window, or one of chosen detectors and axes."""

    output: Annotated[Path, "Ends in .mat, .m4b, .spn, .root, .parquet, .csv, .png, .pdf or .svg.", OUTPUT]
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    bin_kev: Annotated[float | None, "Width of the bins; 2 keV, or what detectors need."] = None
    bin_adc: Annotated[float | None, "Width of bins of adc: 16."] = None
    x: Annotated[
        list[str] | None, typer.Option(metavar="NAME[,NAME]", help="Only these detectors, or groups, on x.")
    ] = None
    y: Annotated[list[str] | None, typer.Option(metavar="NAME[,NAME]", help="The same on y.")] = None
    axes: Annotated[
        str | None, typer.Option(metavar="X:Y", help="Of energy, adc, dt (y minus x) and, of single hits, time.")
    ] = None
    bin_x: Annotated[str | None, "Bins on x: keV, adc, ps or s, or such as 1ns."] = None
    bin_y: Annotated[str | None, "The same on y."] = None
    range_x: Annotated[
        str | None, typer.Option("--range", metavar="LOW:HIGH", help="Of x, and of y where that is alike.")
    ] = None
    range_y: Annotated[str | None, typer.Option(metavar="LOW:HIGH", help="Of y.")] = None
    symmetric: Annotated[
        bool | None,
        typer.Option("--symmetric/--no-symmetric", help="Each pair in both orders: where x and y are the same."),
    ] = None
    polygon: Annotated[Path | None, "Only pairs inside the polygons of this .toml or .csv.", FILE] = None
    subtract_background: SubtractBackground = False
    peak_region: PeakRegion = None
    reject: Reject = defaults.REJECT
