"""Commands on runs and files: what is in them, other formats, the user's queries, simulation, detectors.toml."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars import defaults
from gammapolars.cli.app import AsJson, Overwrite, Reject, Runs, WindowOption, app, detectors_app
from gammapolars.options import DetectorsFile, ReadingOptions, reads_runs


@app.command()
@reads_runs
def info(runs: Runs, *, how: ReadingOptions, as_json: AsJson = False) -> None:
    """Show what is in a run or in a file of pairs: hits, rates, flags, times and their order, provenance."""
    from gammapolars import info_text, inspection
    from gammapolars.printing import print_summary

    if len(runs) == 1 and inspection.is_table_of_pairs(runs[0]):
        pairs = inspection.inspect_pairs(Path(runs[0]))
        print_summary(pairs, info_text.describe_pairs, as_json=as_json)
        return
    with how.reading(runs) as (opened, progress):
        found = inspection.inspect(opened, progress=progress)
    print_summary(found, info_text.describe, as_json=as_json)


@app.command()
@reads_runs
def convert(
    runs: Runs,
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .parquet, .arrow, .csv or .root.")],
    sort: Annotated[
        bool, typer.Option("--sort", help="Sort hits that are out of time order by any time, through temporary files.")
    ] = False,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a run's hits, in time order, to another format; calibrated, if detectors.toml is given."""
    from gammapolars import commands
    from gammapolars.io import check_writable
    from gammapolars.printing import print_summary

    check_writable(output, overwrite=overwrite)
    with how.reading(runs) as (opened, progress):
        summary = commands.convert(
            opened, output, detectors=how.known, sort=sort, overwrite=overwrite, progress=progress
        )
    print_summary(summary, lambda of: f"{of['hits_read']:,} hits written to {output}", as_json=as_json)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@reads_runs
def query(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A query in queries/, or a .py file.")],
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="Files, patterns or folders.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the result streams to.")] = None,
    window: WindowOption = defaults.WINDOW,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Run your own query: a module with def query(hits, *, parameters) -> LazyFrame. Its parameters are options.

    With a name and no run, show the query and its parameters.
    """
    from gammapolars import commands, queries
    from gammapolars.printing import print_summary, query_help

    found = queries.load(queries.find(name))
    files, words = queries.split_arguments(runs or [], context.args)
    if not files:
        print(query_help(found))
        return
    arguments = queries.parse_arguments(found, words)
    if output is None:
        raise typer.BadParameter("a query needs an output: add -o result.parquet")
    opened = how.open(files)
    summary = commands.run_query(
        opened,
        found,
        arguments,
        output,
        window=window,
        reject=reject,
        detectors=how.known,
        overwrite=overwrite,
    )
    print_summary(summary, lambda _: f"query '{found.name}' written to {output}", as_json=as_json)


@app.command()
def simulate(
    source: Annotated[list[str], typer.Option("--source", help="Nuclide or NUCLIDE=ACTIVITY: Co-60, Na-22=100kBq.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The run, a ROOT file as CoMPASS writes them.")],
    hits: Annotated[int | None, typer.Option("--hits", help="Stop after so many hits.")] = None,
    duration: Annotated[str | None, typer.Option("--duration", help="Stop after this time, such as 60s.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random numbers: equal seeds give equal runs.")] = 1,
    detectors: DetectorsFile = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Parquet file: each hit's decay, nuclide, energy.")
    ] = None,
    layout: Annotated[str, typer.Option("--layout", help="Baskets: native, small, large, or entries each.")] = "native",
    solid_angle: Annotated[
        float | None, typer.Option("--solid-angle", help="Share of all directions that each detector covers.")
    ] = None,
    background: Annotated[
        float | None, typer.Option("--background", help="Uncorrelated hits/s of each detector.")
    ] = None,
    time_resolution: Annotated[
        str | None, typer.Option("--time-resolution", help="Standard deviation of timestamps, such as 8ns.")
    ] = None,
    tick: Annotated[str | None, typer.Option("--tick", help="Step of the digitizer's clock, such as 4ns.")] = None,
    dead_time: Annotated[str | None, typer.Option("--dead-time", help="After each hit, such as 2us.")] = None,
    drift: Annotated[
        float, typer.Option("--drift", help="Relative change of all gains in an hour: 0.01 is 1 % in an hour.")
    ] = 0.0,
    correlation: Annotated[
        list[str] | None,
        typer.Option(
            "--correlation",
            metavar="E1,E2=A2,A4",
            help="Correlated directions of two lines of a cascade (keV), by a2,a4 or three spins: "
            "1173.2,1332.5=4,2,0. May be repeated.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a list-mode run with known truth."""
    from gammapolars import simulate as simulation
    from gammapolars.detectors import load_detectors
    from gammapolars.printing import Progress, print_summary
    from gammapolars.units import PS_PER_S, parse_ps

    def picoseconds(text: str | None) -> int | None:
        return None if text is None else parse_ps(text)

    seconds = picoseconds(duration)
    with Progress(lambda: hits) as progress:
        summary = simulation.run(
            output,
            source,
            hits=hits,
            duration_s=None if seconds is None else seconds / PS_PER_S,
            seed=seed,
            detectors=load_detectors(detectors) if detectors else None,
            truth=truth,
            layout=layout,
            solid_angle=solid_angle,
            background_cps=background,
            time_resolution_ps=picoseconds(time_resolution),
            tick_ps=picoseconds(tick),
            dead_time_ps=picoseconds(dead_time),
            drift=simulation.GainDrift(per_hour=drift) if drift else None,
            correlations=simulation.parse_correlations(correlation or ()),
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, lambda of: f"{of['hits']:,} hits written to {output}", as_json=as_json)


@detectors_app.command("import")
def detectors_import(
    assignments: Annotated[list[str], typer.Argument(metavar="CHANNEL=FILE.CALp", help="Or BOARD/CHANNEL=FILE.CALp.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="detectors.toml to write.")],
    overwrite: Overwrite = False,
) -> None:
    """Make detectors.toml from PeakEasy calibrations."""
    from gammapolars.detectors import format_detectors, import_calp
    from gammapolars.io.output import complete_or_nothing

    found = import_calp(assignments)
    with complete_or_nothing(output, overwrite=overwrite) as hidden:
        hidden.write_text(format_detectors(found), encoding="utf-8")
    print(f"{len(found)} detectors written to {output}")
