"""What `gammapolars angular` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import (
    BackgroundOption,
    Pairing,
    RandomOption,
    Recording,
    Reject,
    Saving,
    SecondBackgroundOption,
    WindowOption,
)
from gammapolars.core import defaults


@command()
class AngularOptions(Recording, Pairing, Saving):
    """Measure the angular correlation of a cascade: theta_deg and phi_deg of detectors stand in detectors.toml."""

    on: Annotated[float, "The first line of the cascade, keV."]
    second: Annotated[float, typer.Option("--and", help="The second line, keV.")]
    output: Annotated[Path, "W(θ): ends in .csv, .parquet or .arrow.", OUTPUT]
    width: Annotated[float | None, "Of both gates, from one end to the other; else 2 FWHM of each detector."] = None
    background: BackgroundOption = None
    second_background: SecondBackgroundOption = None
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    normalise: Annotated[str, "mixed: by net singles; uncorrelated: by pairs in random windows."] = "mixed"
    order: Annotated[int, "Of the Legendre polynomials: 2 or 4."] = 4
    half_angle: Annotated[float, "Of the cone that a detector covers, degrees: to correct for it."] = 0.0
    spins: Annotated[str | None, "Of the three levels, 4,2,0 or 5/2,3/2,1/2: compare with theory."] = None
    multipoles: Annotated[str | None, "L of both gamma rays, such as 2,2; else the lowest."] = None
    mixing: Annotated[str | None, "δ of both gamma rays (L + 1 over L; Krane and Steffen's sign)."] = None
    figure: Annotated[Path | None, "W(θ), its fit and theory: .png, .pdf, .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
