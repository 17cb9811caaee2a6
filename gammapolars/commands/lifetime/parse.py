"""What `gammapolars lifetime` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import Pairing, Recording, Reject, Saving
from gammapolars.core import defaults


@command()
class LifetimeOptions(Recording, Pairing, Saving):
    """Fit the lifetime of a level to the time differences of a start and a stop detector."""

    start: Annotated[str, "The detector that sees what feeds the level."]
    stop: Annotated[str, "The detector that sees what leaves it."]
    window: Annotated[str, "LOW:HIGH: several lifetimes, and flat chance on both sides."]
    output: Annotated[Path, "The time spectrum and its fit: .csv, .parquet.", OUTPUT]
    start_gate: Annotated[
        str | None, typer.Option(metavar="LOW:HIGH", help="Energies of starts; LINE alone: 2 FWHM around it.")
    ] = None
    stop_gate: Annotated[str | None, typer.Option(metavar="LOW:HIGH", help="Energies of stops.")] = None
    unit: Annotated[str, "Of the gates: keV; adc, where there are no energies."] = "keV"
    bin_width: Annotated[
        str | None, typer.Option("--bin", help="Width of the bins, such as 100ps; else about 2000 bins.")
    ] = None
    components: Annotated[int, "How many lifetimes: 1 or 2."] = 1
    sigma: Annotated[
        str | None,
        "Standard deviation of the prompt peak, where it is known: 150ps; detectors: that of time_fwhm_ps.",
    ] = None
    nearest: Annotated[bool, "Of each start the nearest stop alone, instead of all."] = False
    figure: Annotated[Path | None, "Counts and fit: .png, .pdf, .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
