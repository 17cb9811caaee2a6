"""The command that measures angular correlations."""

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
def angular(
    runs: Runs,
    on: Annotated[float, typer.Option("--on", help="The first line of the cascade, keV.")],
    second: Annotated[float, typer.Option("--and", help="The second line, keV.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="W(θ): ends in .csv, .parquet or .arrow.")],
    width: Annotated[float, typer.Option("--width", help="Of both gates, from one end to the other.")] = 6.0,
    background: BackgroundOption = None,
    second_background: SecondBackgroundOption = None,
    window: WindowOption = defaults.WINDOW,
    random: RandomOption = None,
    normalise: Annotated[
        str, typer.Option("--normalise", help="mixed: by net singles; uncorrelated: by pairs in random windows.")
    ] = "mixed",
    order: Annotated[int, typer.Option("--order", help="Of the Legendre polynomials: 2 or 4.")] = 4,
    half_angle: Annotated[
        float, typer.Option("--half-angle", help="Of the cone that a detector covers, degrees: to correct for it.")
    ] = 0.0,
    spins: Annotated[
        str | None, typer.Option("--spins", help="Of the three levels, 4,2,0 or 5/2,3/2,1/2: compare with theory.")
    ] = None,
    multipoles: Annotated[
        str | None, typer.Option("--multipoles", help="L of both gamma rays, such as 2,2; else the lowest.")
    ] = None,
    mixing: Annotated[
        str | None, typer.Option("--mixing", help="δ of both gamma rays (L + 1 over L; Krane and Steffen's sign).")
    ] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="W(θ), its fit and theory, a .png.")] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure the angular correlation of a cascade: theta_deg and phi_deg of detectors stand in detectors.toml."""
    from gammapolars.coincidences import PairRule
    from gammapolars.commands.angular import run, text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.gates import Gate, parse_backgrounds

    gates = (
        Gate.on(on, width, tuple(parse_backgrounds(background or []))),
        Gate.on(second, width, tuple(parse_backgrounds(second_background or []))),
    )
    with how.reading(runs) as (opened, progress):
        summary = run.angular(
            opened,
            PairRule(window, reject=reject),
            gates,
            output,
            detectors=how.known,
            random=random or (),
            normalise=normalise,
            order=order,
            half_angle_deg=half_angle,
            theory=run.parse_theory(spins, multipoles, mixing),
            figure=figure,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, text.angular_text, as_json=as_json)
