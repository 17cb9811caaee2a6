"""What `gammapolars matrix` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.cluster import OnCluster
from gammapolars.commands.command import command
from gammapolars.commands.completion import detectors
from gammapolars.commands.declared import FILE, OUTPUT
from gammapolars.commands.notes import option, switch
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


@command(short_help="Write the matrix of the energies, or times, of pairs")
class MatrixOptions(Recording, Pairing, OnCluster, Saving):
    """Write the matrix of the energies of all pairs within a window, or of chosen detectors and axes.

    Examples:
    gammapolars matrix run.root --detectors d.toml --random auto -o m.parquet
    gammapolars matrix run.root --detectors d.toml --axes dt:energy -o m.png
    """

    output: Annotated[Path, "Matrix: .mat, .m4b, .spn, .root, .parquet, .csv, .png, .pdf or .svg.", OUTPUT]
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    bin_kev: Annotated[float | None, option("KEV", "Bin width: 2 keV, or what the resolution needs, if not given.")] = (
        None
    )
    bin_adc: Annotated[float | None, option("WIDTH", "Bin width in ADC channels: 16 if not given.")] = None
    x: Annotated[
        list[str] | None,
        option("NAME[,NAME]", "Only these detectors, or groups of detectors, on x.", complete=detectors),
    ] = None
    y: Annotated[list[str] | None, option("NAME[,NAME]", "The same for y.", complete=detectors)] = None
    axes: Annotated[
        str | None,
        option(
            "X:Y", "Quantities on the axes: energy, adc, psd (pulse shape), dt (y minus x) or, for single hits, time."
        ),
    ] = None
    bin_x: Annotated[
        str | None, option("WIDTH", "Bins on x: in keV, ADC channels, ps or s; or with its unit: 1ns.")
    ] = None
    bin_y: Annotated[str | None, option("WIDTH", "The same for y.")] = None
    range_x: Annotated[
        str | None, option("LOW:HIGH", "Range of x, and of y if it has the same quantity.", "--range")
    ] = None
    range_y: Annotated[str | None, option("LOW:HIGH", "Range of y.")] = None
    symmetric: Annotated[
        bool | None,
        switch("--symmetric/--no-symmetric", "Enter each pair in both orders, if x and y are the same."),
    ] = None
    polygon: Annotated[Path | None, "Keep only pairs inside the polygons of this .toml or .csv.", FILE] = None
    subtract_background: SubtractBackground = False
    peak_region: PeakRegion = None
    reject: Reject = defaults.REJECT
