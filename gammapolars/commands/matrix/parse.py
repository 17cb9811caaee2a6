"""Commands that make something of a run's hits: pairs, spectra, matrices, the report."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import (
    AsJson,
    Overwrite,
    RandomOption,
    Reject,
    Runs,
    WindowOption,
    app,
)
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def matrix(
    runs: Runs,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Ends in .mat, .m4b, .spn, .root, .parquet, .csv or .png.")
    ],
    window: WindowOption = defaults.WINDOW,
    random: RandomOption = None,
    bin_kev: Annotated[
        float | None, typer.Option("--bin-kev", help="Width of the bins; 2 keV, or what detectors need.")
    ] = None,
    bin_adc: Annotated[float | None, typer.Option("--bin-adc", help="Width of bins of adc: 16.")] = None,
    x: Annotated[
        list[str] | None, typer.Option("--x", metavar="NAME[,NAME]", help="Only these detectors, or groups, on x.")
    ] = None,
    y: Annotated[list[str] | None, typer.Option("--y", metavar="NAME[,NAME]", help="The same on y.")] = None,
    axes: Annotated[
        str | None,
        typer.Option("--axes", metavar="X:Y", help="Of energy, adc, dt (y minus x) and, of single hits, time."),
    ] = None,
    bin_x: Annotated[str | None, typer.Option("--bin-x", help="Bins on x: keV, adc, ps or s, or such as 1ns.")] = None,
    bin_y: Annotated[str | None, typer.Option("--bin-y", help="The same on y.")] = None,
    range_x: Annotated[
        str | None, typer.Option("--range", metavar="LOW:HIGH", help="Of x, and of y where that is alike.")
    ] = None,
    range_y: Annotated[str | None, typer.Option("--range-y", metavar="LOW:HIGH", help="Of y.")] = None,
    symmetric: Annotated[
        bool | None,
        typer.Option("--symmetric/--no-symmetric", help="Each pair in both orders: where x and y are the same."),
    ] = None,
    polygon: Annotated[
        Path | None, typer.Option("--polygon", help="Only pairs inside the polygons of this .toml or .csv.")
    ] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the symmetric matrix of the energies of all pairs within a window, or one of chosen detectors and axes."""
    from gammapolars.coincidences import PairRule
    from gammapolars.commands.matrix import run
    from gammapolars.commands.matrix.choice import Choice
    from gammapolars.commands.matrix.text import matrix_text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.gates import load_gates

    choice = Choice(
        x=tuple(x or ()),
        y=tuple(y or ()),
        axes=axes,
        bins=(bin_x, bin_y),
        ranges=(range_x, range_y),
        bin_kev=bin_kev,
        bin_adc=bin_adc,
        symmetric=symmetric,
        polygons=load_gates(polygon) if polygon else (),
    )
    with how.reading(runs) as (opened, progress):
        summary = run.matrix(
            opened,
            PairRule(window, reject=reject),
            output,
            choice,
            random=random or (),
            detectors=how.known,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, matrix_text, as_json=as_json)
