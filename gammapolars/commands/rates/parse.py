"""What `gammapolars rates` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.cluster import OnCluster
from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT
from gammapolars.commands.options import Recording, Saving


@command(short_help="Measure count rates, dead times and corrected rates")
class RatesOptions(Recording, OnCluster, Saving):
    """Measure each detector's count rate, dead time and dead-time-corrected rate from the intervals between hits.

    Examples:
    gammapolars rates run.root
    gammapolars rates run.root --detectors d.toml -o rates.csv
    """

    output: Annotated[Path | None, "Table of rates: .csv, .parquet or .arrow.", OUTPUT] = None
