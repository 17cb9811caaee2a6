"""The command that measures lifetimes."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import AsJson, Overwrite, Reject, Runs, app
from gammapolars.commands.options import ReadingOptions, reads_runs
from gammapolars.core import defaults


@app.command()
@reads_runs
def lifetime(
    runs: Runs,
    start: Annotated[str, typer.Option("--start", help="The detector that sees what feeds the level.")],
    stop: Annotated[str, typer.Option("--stop", help="The detector that sees what leaves it.")],
    window: Annotated[
        str, typer.Option("--window", help="LOW:HIGH: several lifetimes, and flat chance on both sides.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The time spectrum and its fit: .csv, .parquet.")],
    start_gate: Annotated[
        str | None,
        typer.Option("--start-gate", metavar="LOW:HIGH", help="Energies of starts, in keV or adc."),
    ] = None,
    stop_gate: Annotated[str | None, typer.Option("--stop-gate", metavar="LOW:HIGH", help="Energies of stops.")] = None,
    bin_width: Annotated[
        str | None, typer.Option("--bin", help="Width of the bins, such as 100ps; else about 2000 bins.")
    ] = None,
    components: Annotated[int, typer.Option("--components", help="How many lifetimes: 1 or 2.")] = 1,
    sigma: Annotated[
        str | None,
        typer.Option(
            "--sigma",
            help="Standard deviation of the prompt peak, where it is known: 150ps; detectors: that of time_fwhm_ps.",
        ),
    ] = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Of each start the nearest stop alone, instead of all.")
    ] = False,
    figure: Annotated[Path | None, typer.Option("--figure", help="Counts and fit, a .png.")] = None,
    reject: Reject = defaults.REJECT,
    *,
    how: ReadingOptions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Fit the lifetime of a level to the time differences of a start and a stop detector."""
    from gammapolars.coincidences import PairRule
    from gammapolars.commands.lifetime import run
    from gammapolars.commands.lifetime.text import lifetime_text
    from gammapolars.commands.summaries import print_summary
    from gammapolars.core.units import parse_ps, parse_range

    known = how.known
    rule = PairRule(window, reject=reject, start=known.named(start), stop=known.named(stop))
    gates = {
        name: parse_range(text, option) if text else None
        for name, text, option in (
            ("start_gate", start_gate, "--start-gate"),
            ("stop_gate", stop_gate, "--stop-gate"),
        )
    }
    with how.reading(runs) as (opened, progress):
        summary = run.lifetime(
            opened,
            rule,
            output,
            detectors=known,
            **gates,
            bin_ps=parse_ps(bin_width) if bin_width else None,
            components=components,
            sigma_ps=parse_ps(sigma) if sigma and sigma != run.DETECTORS else sigma or None,
            nearest=nearest,
            figure=figure,
            overwrite=overwrite,
            progress=progress,
        )
    print_summary(summary, lifetime_text, as_json=as_json)
