"""What `gammapolars rates` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import Recording, Saving


@command()
class RatesOptions(Recording, Saving):
    """Tell each detector's rate as counted, and without dead time, from the times between its hits."""

    output: Annotated[Path | None, "Ends in .csv, .parquet or .arrow.", OUTPUT] = None
