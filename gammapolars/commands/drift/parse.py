"""What `gammapolars drift` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, Writes
from gammapolars.commands.notes import choice, option
from gammapolars.commands.options import Recording, Reject, Saving
from gammapolars.core import defaults


@command(short_help="Follow gain drifts through a run and correct them")
class DriftOptions(Recording, Saving):
    """Follow lines through a run, and write the factors that correct drifting gains.

    Enter the table in detectors.toml, as drift = "d.parquet", and all commands correct energies with it.

    Examples:
    gammapolars drift run.root --detectors d.toml --track 1332.5 -o d.parquet
    """

    output: Annotated[Path, "Table of gain factors: .parquet.", Writes(updates="drift")]
    track: Annotated[list[float], option("KEV", "Energy of a line to follow. May be repeated.")]
    slice: Annotated[
        str | None, option("TIME", "Shortest time slice, such as 10s; if not given, it is chosen for the run.")
    ] = None
    reach: Annotated[float, option("FRACTION", "Largest relative change of a gain to search for.")] = 0.03
    reference: Annotated[
        str,
        choice(
            "calibration|mean",
            "Position to which lines are corrected: calibration (as calibrated) or mean (their mean).",
            metavar="WHERE",
        ),
    ] = "calibration"
    figure: Annotated[
        Path | None, "Figure of gains over time, and of lines before and after: .png, .pdf or .svg.", OUTPUT
    ] = None
    reject: Reject = defaults.REJECT
