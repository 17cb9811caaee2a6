"""What `gammapolars coincidences` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import (
    AddBackOption,
    AsJson,
    Overwrite,
    RandomOption,
    Reject,
    Runs,
    VetoOption,
    WindowOption,
    app,
)
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def coincidences(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .parquet, .arrow, .csv or .root.")],
    window: WindowOption = defaults.WINDOW,
    random: RandomOption = None,
    reject: Reject = defaults.REJECT,
    start: Annotated[
        str | None, typer.Option("--start", help="Only pairs of this detector with --stop, dt signed.")
    ] = None,
    stop: Annotated[str | None, typer.Option("--stop", help="The other detector.")] = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Of each start the nearest stop alone, instead of all.")
    ] = False,
    layout: Annotated[
        str | None, typer.Option("--layout", help="compass-pairs: a ROOT tree Data_C, each pair in both orders.")
    ] = None,
    add_back: AddBackOption = None,
    veto: VetoOption = None,
    matrix: Annotated[
        Path | None, typer.Option("--matrix", help="The pairs' energies too, in the same pass: as for matrix -o.")
    ] = None,
    bin_kev: Annotated[float | None, typer.Option("--bin-kev", help="Width of the matrix' bins.")] = None,
    spectra: Annotated[
        Path | None, typer.Option("--spectra", help="Each detector's spectrum too: .parquet, .arrow, .csv.")
    ] = None,
    rates: Annotated[Path | None, typer.Option("--rates", help="Rates over time too: .parquet, .arrow, .csv.")] = None,
    time_differences: Annotated[
        Path | None, typer.Option("--time-differences", help="Histograms of them too: .parquet, .arrow, .csv.")
    ] = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find all pairs of hits of different detectors within a window, and save them."""
    from gammapolars.analysis.preselection import preselection_of
    from gammapolars.coincidences import PairRule
    from gammapolars.commands.coincidences import run
    from gammapolars.commands.coincidences.beside import Outputs
    from gammapolars.commands.summaries import coincidence_text, print_summary
    from gammapolars.io import check_writable

    check_writable(output, overwrite=overwrite, layout=layout)
    known = how.known
    ends = (known.named(name) if name is not None else None for name in (start, stop))
    rule = PairRule(window, reject=reject, start=next(ends), stop=next(ends), nearest=nearest)
    preselection = preselection_of(known, add_back, veto)
    with how.reading(runs) as (opened, progress):
        summary = run.coincidences(
            opened,
            rule,
            output,
            random=random or (),
            detectors=known,
            preselection=preselection,
            layout=layout,
            beside=Outputs(matrix, spectra, rates, time_differences, bin_kev),
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, coincidence_text, as_json=as_json)
