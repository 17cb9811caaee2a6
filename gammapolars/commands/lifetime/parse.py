"""What `gammapolars lifetime` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.completion import detectors
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.notes import choice, option
from gammapolars.commands.options import Pairing, Recording, Reject, Saving
from gammapolars.core import defaults


@command(short_help="Fit a lifetime to start-stop time differences")
class LifetimeOptions(Recording, Pairing, Saving):
    """Fit the lifetime of a level to the time differences between a start and a stop detector.

    Examples:
    gammapolars lifetime run.root --start 1 --stop 2 --window=-1us:1us -o t.csv
    """

    start: Annotated[str, option("DETECTOR", "Detector of the radiation that feeds the level.", complete=detectors)]
    stop: Annotated[
        str, option("DETECTOR", "Detector of the radiation that depopulates the level.", complete=detectors)
    ]
    window: Annotated[
        str, option("LOW:HIGH", "Time differences to fit: several lifetimes, and flat background on both sides.")
    ]
    output: Annotated[Path, "Table of the time spectrum and its fit: .csv or .parquet.", OUTPUT]
    start_gate: Annotated[
        str | None,
        option("LOW:HIGH", "Energies of starts; a line's energy alone means 2 FWHM around it."),
    ] = None
    stop_gate: Annotated[str | None, option("LOW:HIGH", "Energies of stops, in the same form.")] = None
    unit: Annotated[str, choice("keV|adc", "Unit of the gates: adc where there are no energies.")] = "keV"
    bin_width: Annotated[
        str | None, option("TIME", "Bin width, such as 100ps; about 2000 bins if not given.", "--bin")
    ] = None
    components: Annotated[int, choice("1|2", "Number of lifetimes.")] = 1
    sigma: Annotated[
        str | None,
        option(
            "TIME",
            "Standard deviation of the prompt peak, if known: 150ps; or detectors, from their time_fwhm_ps.",
        ),
    ] = None
    nearest: Annotated[bool, "Keep only the nearest stop for each start."] = False
    figure: Annotated[Path | None, "Figure of counts and fit: .png, .pdf or .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
