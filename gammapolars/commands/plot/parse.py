"""What `gammapolars plot` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, RUNS
from gammapolars.commands.notes import argument, choice, option, switch
from gammapolars.commands.options import Pairing, Reading, Reject, Saving, SpectrumName, WindowOption
from gammapolars.core import defaults

PlotInputs = Annotated[
    list[str],
    argument("INPUT", "Runs, pairs, spectra, matrices, or any other output of gammapolars."),
    RUNS,
]


@command(short_help="Draw runs, spectra, matrices and other results")
class PlotOptions(Reading, Pairing, Saving):
    """Draw anything that gammapolars reads or writes; several inputs are overlaid.

    Examples:
    gammapolars plot run.root --detectors d.toml --log -o spectra.png
    gammapolars plot matrix.parquet --range 1100:1400 -o matrix.pdf
    """

    names: PlotInputs
    output: Annotated[Path, "Figure: .png, .pdf or .svg.", OUTPUT]
    kind: Annotated[
        str | None,
        choice(
            "spectrum|matrix|time-differences|rates|pulse-shapes|peaks|lifetime|angular|drift|efficiency",
            "spectrum, matrix, time-differences, rates, pulse-shapes, peaks, lifetime, angular, drift or efficiency; "
            "if not given, as the inputs suggest.",
            metavar="KIND",
        ),
    ] = None
    overlay: Annotated[str | None, choice("file|run|detector", "Overlay files, runs or detectors.")] = None
    normalise: Annotated[
        str,
        choice(
            "live-time|real-time|area|none",
            "Normalize spectra by live-time, real-time or area; none: counts.",
            metavar="QUANTITY",
        ),
    ] = "none"
    compare: Annotated[str | None, choice("ratio|difference", "Compare with the first input in a panel below.")] = None
    subtract: Annotated[
        str | None,
        option("INPUT", "Subtract this background run or spectrum, scaled by live time."),
        RUNS,
    ] = None
    title: Annotated[str | None, option("TEXT", "Title of the figure; '' for none.")] = None
    range_x: Annotated[str | None, option("LOW:HIGH", "Range of x, in its unit.", "--range")] = None
    range_y: Annotated[str | None, option("LOW:HIGH", "Range of y.", "--range-y")] = None
    log_x: Annotated[bool | None, switch("--log-x/--linear-x", "Scale of x.")] = None
    log_y: Annotated[bool | None, switch("--log/--linear", "Scale of y.")] = None
    bin_width: Annotated[float | None, option("WIDTH", "Bin width, in the unit of x.", "--bin")] = None
    size: Annotated[str | None, option("WIDTHxHEIGHT", "Size of the figure, such as 16cmx9cm.")] = None
    dpi: Annotated[int | None, "Dots per inch of a .png."] = None
    font_size: Annotated[float | None, option("POINTS", "Font size of the axis numbers.")] = None
    labels: Annotated[
        bool, switch("--labels/--no-labels", "Label peaks, lines and spots, or leave the labels out.")
    ] = True
    theme: Annotated[str, choice("screen|print|slide", "Style: screen, print (8.6 cm column) or slide.")] = "screen"
    spectrum: SpectrumName = None
    window: WindowOption = defaults.WINDOW
    reject: Reject = defaults.REJECT
