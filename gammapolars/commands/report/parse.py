"""What `gammapolars report` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.cluster import OnCluster
from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.notes import option, switch
from gammapolars.commands.options import Pairing, RandomOption, Recording, Reject, Saving, WindowOption
from gammapolars.core import defaults


@command(short_help="Explain a run on one HTML page")
class ReportOptions(Recording, Pairing, OnCluster, Saving):
    """Explain a run on one HTML page: spectra, matrix, coincidences, rates and timing.

    Examples:
    gammapolars report run.root --detectors d.toml -o report
    """

    output: Annotated[Path, option("FOLDER", "Folder for the page, index.html, and its tables."), OUTPUT]
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    live: Annotated[
        bool, switch("--live/--no-live", "Include a matrix on which gates can be drawn, or leave it out.")
    ] = True
    reject: Reject = defaults.REJECT
