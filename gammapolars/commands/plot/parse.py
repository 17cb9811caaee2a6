"""What `gammapolars plot` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, RUNS
from gammapolars.commands.options import Pairing, Reading, Reject, Saving, SpectrumName, WindowOption
from gammapolars.core import defaults

PlotInputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Runs, pairs, spectra, matrices, or whatever else the package writes."),
    RUNS,
]


@command()
class PlotOptions(Reading, Pairing, Saving):
    """Draw what the package writes or reads; several inputs over each other."""

    names: PlotInputs
    output: Annotated[Path, "The figure: ends in .png, .pdf or .svg.", OUTPUT]
    kind: Annotated[
        str | None,
        "spectrum, matrix, time-differences, rates, peaks, lifetime, angular, drift or efficiency; else as the inputs.",
    ] = None
    overlay: Annotated[str | None, "What is drawn over each other: file, run or detector."] = None
    normalise: Annotated[str, "Spectra: by live-time, real-time or area; none: counts."] = "none"
    compare: Annotated[str | None, "A panel below, to the first input: ratio or difference."] = None
    subtract: Annotated[str | None, "A background run or spectrum, scaled by live time.", RUNS] = None
    title: Annotated[str | None, "Instead of the figure's own; an empty one: none."] = None
    range_x: Annotated[str | None, typer.Option("--range", metavar="LOW:HIGH", help="Of x, in its unit.")] = None
    range_y: Annotated[str | None, typer.Option("--range-y", metavar="LOW:HIGH", help="Of y.")] = None
    log_x: Annotated[bool | None, typer.Option("--log-x/--linear-x", help="The scale of x.")] = None
    log_y: Annotated[bool | None, typer.Option("--log/--linear", help="The scale of y.")] = None
    bin_width: Annotated[float | None, typer.Option("--bin", help="Width of the bins, in the unit of x.")] = None
    size: Annotated[str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Such as 16cmx9cm.")] = None
    dpi: Annotated[int | None, "Dots per inch, of a .png."] = None
    font_size: Annotated[float | None, "Of the numbers at the axes, points."] = None
    labels: Annotated[
        bool, typer.Option("--labels/--no-labels", help="Whether peaks, lines and spots have labels.")
    ] = True
    theme: Annotated[str, "screen, print (a column of 8.6 cm) or slide."] = "screen"
    spectrum: SpectrumName = None
    window: WindowOption = defaults.WINDOW
    reject: Reject = defaults.REJECT
