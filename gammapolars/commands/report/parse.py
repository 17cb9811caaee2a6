"""What `gammapolars report` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import Pairing, RandomOption, Recording, Reject, Saving, WindowOption
from gammapolars.core import defaults


@command()
class ReportOptions(Recording, Pairing, Saving):
    """Pairs, spectra, matrix, rates and timing of a run, explained on one HTML page."""

    output: Annotated[Path, "The folder to make.", OUTPUT]
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    live: Annotated[bool, typer.Option("--live/--no-live", help="A matrix on the page on which gates are drawn.")] = (
        True
    )
    reject: Reject = defaults.REJECT
