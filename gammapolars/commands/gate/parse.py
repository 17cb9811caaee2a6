"""The command that gates on a line."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import (
    AsJson,
    BackgroundOption,
    Overwrite,
    RandomOption,
    Reject,
    Runs,
    SecondBackgroundOption,
    WindowOption,
    app,
)
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def gate(
    runs: Runs,
    on: Annotated[float, typer.Option("--on", help="The line's energy in keV; in adc, if nothing is calibrated.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Ends in .parquet, .arrow, .csv, .root, .txt, .spe, .chn or .png.")
    ],
    width: Annotated[float, typer.Option("--width", help="Of the gate, from one end to the other.")] = 6.0,
    background: BackgroundOption = None,
    second: Annotated[
        float | None, typer.Option("--and", help="A second line, of triples: the spectrum of their third hits.")
    ] = None,
    second_background: SecondBackgroundOption = None,
    of: Annotated[
        list[str] | None, typer.Option("--in", help="Only hits of this detector may lie in the gate. May be repeated.")
    ] = None,
    polygon: Annotated[
        Path | None, typer.Option("--polygon", help="Only pairs inside the polygons of this .toml or .csv.")
    ] = None,
    window: WindowOption = defaults.WINDOW,
    random: RandomOption = None,
    bin_width: Annotated[float | None, typer.Option("--bin", help="Width of the bins: 1 keV, or 1 adc.")] = None,
    by_detector: Annotated[bool, typer.Option("--by-detector", help="A spectrum of each detector.")] = False,
    axis: Annotated[
        str | None, typer.Option("--axis", help="Of a stored matrix: which axis to gate on, x or y.")
    ] = None,
    peaks: Annotated[Path | None, typer.Option("--peaks", help="The peaks' table: .csv, .parquet.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="The spectrum, a .png.")] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Show what is in coincidence with a line, net of background and chance: of a run, a file of pairs, or a matrix."""
    from gammapolars.commands.gate import run
    from gammapolars.commands.gate.outputs import GateOutputs
    from gammapolars.commands.gate.text import gate_text
    from gammapolars.commands.summaries import print_summary

    request = run.Request(
        on=on,
        width=width,
        background=background or (),
        second=second,
        second_background=second_background or (),
        of=of or (),
        polygon=polygon,
        window=window,
        random=random or (),
        reject=reject,
        bin_width=bin_width,
        by_detector=by_detector,
        axis=axis,
    )
    outputs = GateOutputs(output, peaks, figure, overwrite)
    summary = run.gate(runs, request, outputs, how.known, how.reading)
    print_summary(summary, gate_text, as_json=as_json)
