"""What `gammapolars simulate` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, app
from gammapolars.commands.options import DetectorsFile


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
    from gammapolars.commands.progress import Progress
    from gammapolars.commands.summaries import print_summary
    from gammapolars.core.units import PS_PER_S, parse_ps
    from gammapolars.detectors import load_detectors

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
