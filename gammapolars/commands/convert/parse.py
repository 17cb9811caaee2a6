"""What `gammapolars convert` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import HITS
from gammapolars.commands.options import Recording, Saving


@command()
class ConvertOptions(Recording, Saving):
    """Write a run's hits, in time order, to another format; calibrated, if detectors.toml is given."""

    output: Annotated[Path, "Ends in .parquet, .arrow, .csv or .root.", HITS]
    sort: Annotated[bool, "Sort hits that are out of time order by any time, through temporary files."] = False
