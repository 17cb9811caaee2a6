"""The command that gates on a line."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gammapolars import defaults
from gammapolars.cli.app import (
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
from gammapolars.options import ReadingOptions, reads_runs


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
    peaks: Annotated[Path | None, typer.Option("--peaks", help="The peaks' table: .csv, .parquet.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="The spectrum, a .png.")] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Show what is in coincidence with a line, net of background and chance: of a run, or of a file of pairs."""
    from gammapolars import gating, inspection
    from gammapolars.coincidences import PairRule
    from gammapolars.gate_outputs import GateOutputs
    from gammapolars.gate_text import gate_text
    from gammapolars.gates import Gate, load_gates
    from gammapolars.printing import Progress, print_json

    chosen = Gate.on(on, width, tuple(gating.parse_backgrounds(background or [])))
    known = how.known
    outputs = GateOutputs(output, peaks, figure, overwrite)
    more: dict[str, Any] = {
        "bin_width": bin_width,
        "of": of or (),
        "polygons": load_gates(polygon) if polygon else (),
        "by_detector": by_detector,
    }
    if second is not None:
        if random or of or polygon or by_detector:
            raise typer.BadParameter("--and goes with --width and backgrounds: leave the options on pairs out")
        other = Gate.on(second, width, tuple(gating.parse_backgrounds(second_background or [])))
        rule = PairRule(window, reject=reject)
        summary = gating.gate_triples(
            how.open(runs), rule, (chosen, other), outputs, detectors=known, bin_width=bin_width
        )
    elif len(runs) == 1 and inspection.is_table_of_pairs(runs[0]):
        if random:
            raise typer.BadParameter("a file of pairs has its random windows from the command that made it")
        summary = gating.gate_pairs(Path(runs[0]), chosen, outputs, detectors=known, **more)
    else:
        opened = how.open(runs)
        with Progress(opened.count) as progress:
            summary = gating.gate_runs(
                opened,
                PairRule(window, reject=reject),
                chosen,
                outputs,
                random=random or (),
                detectors=known,
                progress=progress,
                **more,
            )
    print_json(summary) if as_json else print(gate_text(summary))
