"""What `gammapolars report` is asked."""

from pathlib import Path
from typing import Annotated

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
    reject: Reject = defaults.REJECT
