"""What `gammapolars angular` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.notes import choice, option
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


@command(short_help="Measure the angular correlation of a cascade")
class AngularOptions(Recording, Pairing, Saving):
    """Measure the angular correlation W(theta) of two gamma rays of a cascade.

    The directions of the detectors, theta_deg and phi_deg, are read from detectors.toml.

    Examples:
    gammapolars angular run.root --detectors d.toml --on 1173 --and 1332 -o w.csv
    """

    on: Annotated[float, option("KEV", "Energy of the first line.")]
    second: Annotated[float, option("KEV", "Energy of the second line.", "--and")]
    output: Annotated[Path, "Table of W(theta): .csv, .parquet or .arrow.", OUTPUT]
    width: Annotated[
        float | None, option("KEV", "Full width of both gates; if not given, 2 FWHM of each detector.")
    ] = None
    background: BackgroundOption = None
    second_background: SecondBackgroundOption = None
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    normalise: Annotated[
        str,
        choice(
            "mixed|uncorrelated",
            "Normalize by net singles (mixed) or by pairs in random windows (uncorrelated).",
            metavar="METHOD",
        ),
    ] = "mixed"
    order: Annotated[int, choice("2|4", "Highest order of the Legendre polynomials.")] = 4
    half_angle: Annotated[
        float, option("DEGREES", "Half-angle of the cone that each detector covers, to correct for it.")
    ] = 0.0
    spins: Annotated[
        str | None, option("J,J,J", "Spins of the three levels, 4,2,0 or 5/2,3/2,1/2, to compare with theory.")
    ] = None
    multipoles: Annotated[
        str | None, option("L,L", "Multipolarities of both gamma rays; if not given, the lowest.")
    ] = None
    mixing: Annotated[
        str | None,
        option("D,D", "Mixing ratios delta (L + 1 to L) of both gamma rays, with the sign of Krane and Steffen."),
    ] = None
    figure: Annotated[Path | None, "Figure of W(theta), its fit and theory: .png, .pdf or .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
