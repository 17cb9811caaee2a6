"""Commands that make something of a run's hits: pairs, spectra, matrices, the report."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars import defaults
from gammapolars.cli.app import (
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
from gammapolars.options import ReadingOptions, reads_runs


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
    from gammapolars import commands
    from gammapolars.coincidences import PairRule
    from gammapolars.companions import Outputs
    from gammapolars.io import check_writable
    from gammapolars.policies import policies_of
    from gammapolars.printing import coincidence_text, print_summary

    check_writable(output, overwrite=overwrite, layout=layout)
    known = how.known
    ends = (known.named(name) if name is not None else None for name in (start, stop))
    rule = PairRule(window, reject=reject, start=next(ends), stop=next(ends), nearest=nearest)
    policies = policies_of(known, add_back, veto)
    with how.reading(runs) as (opened, progress):
        summary = commands.coincidences(
            opened,
            rule,
            output,
            random=random or (),
            detectors=known,
            policies=policies,
            layout=layout,
            beside=Outputs(matrix, spectra, rates, time_differences, bin_kev),
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, coincidence_text, as_json=as_json)


@app.command()
@reads_runs
def spectrum(
    runs: Runs,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Ends in .spe, .chn, .txt, .csv, .parquet, .root or .png."),
    ],
    bin_kev: Annotated[
        float | None, typer.Option("--bin-kev", help="Bins of energy of this width, instead of adc values.")
    ] = None,
    reject: Reject = defaults.REJECT,
    slice_width: Annotated[
        str | None, typer.Option("--slice", help="A spectrum for each slice of time, such as 10min: .parquet, .csv.")
    ] = None,
    per_second: Annotated[
        bool, typer.Option("--per-second", help="Counts per second of live time, where it is known.")
    ] = False,
    format: Annotated[str | None, typer.Option("--format", help="radware, for a .spe of RadWare's gf3.")] = None,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the spectrum of each detector; in .spe, .chn and .txt, of several detectors a file each."""
    from gammapolars import exports
    from gammapolars.printing import print_summary, spectra_text

    with how.reading(runs) as (opened, progress):
        summary = exports.spectra(
            opened,
            output,
            reject=reject,
            detectors=how.known,
            bin_kev=bin_kev,
            slice_width=slice_width,
            per_second=per_second,
            format=format,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, spectra_text, as_json=as_json)


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
    from gammapolars import matrices
    from gammapolars.coincidences import PairRule
    from gammapolars.gates import load_gates
    from gammapolars.matrix_choice import Choice
    from gammapolars.printing import chosen_matrix_text, matrix_text, print_summary

    rule = PairRule(window, reject=reject)
    if any(given is not None for given in (x, y, axes, bin_adc, bin_x, bin_y, range_x, range_y, symmetric, polygon)):
        words = (axes or ("energy:energy" if any(one.energy for one in how.known) else "adc:adc")).split(":")
        choice = Choice(
            x=tuple(x or ()),
            y=tuple(y or ()),
            axes=":".join(words),
            bins=(bin_x, bin_y or (bin_x if words[0] == words[-1] else None)),
            ranges=(range_x, range_y or (range_x if words[0] == words[-1] else None)),
            bin_kev=bin_kev,
            bin_adc=bin_adc,
            symmetric=symmetric,
            polygons=load_gates(polygon) if polygon else (),
        )
        with how.reading(runs) as (opened, progress):
            summary = matrices.chosen(
                opened,
                rule,
                output,
                choice,
                random=random or (),
                detectors=how.known,
                overwrite=overwrite,
                progress=progress,
            )
        print_summary(summary, chosen_matrix_text, as_json=as_json)
        return
    with how.reading(runs) as (opened, progress):
        summary = matrices.symmetric(
            opened,
            rule,
            output,
            random=random or (),
            detectors=how.known,
            bin_kev=bin_kev,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, matrix_text, as_json=as_json)


@app.command()
@reads_runs
def report(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to make.")],
    window: WindowOption = defaults.WINDOW,
    random: RandomOption = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Pairs, spectra, matrix, rates and timing of a run, explained on one HTML page."""
    from gammapolars import report as reporting
    from gammapolars.coincidences import PairRule
    from gammapolars.printing import print_summary

    rule = PairRule(window, reject=reject)
    with how.reading(runs) as (opened, progress):
        summary = reporting.make_report(
            opened, rule, output, random=random or (), detectors=how.known, overwrite=overwrite, progress=progress
        )
    print_summary(summary, lambda of: f"{of['pairs']:,} pairs; open {of['output']}", as_json=as_json)
