"""What `gammapolars convert` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import HITS
from gammapolars.commands.options import Recording, Saving


@command(short_help="Convert runs to Parquet, Arrow, CSV or ROOT")
class ConvertOptions(Recording, Saving):
    """Write the hits of a run, in time order, in another format.

    With --detectors, times are aligned and energies calibrated.

    Examples:
    gammapolars convert run.root -o hits.parquet
    gammapolars convert run.root --detectors d.toml -o hits.csv
    """

    output: Annotated[Path, "Table of hits: .parquet, .arrow, .csv or .root.", HITS]
    sort: Annotated[bool, "Sort hits however far they are out of time order, using temporary files."] = False
