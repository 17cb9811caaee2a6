"""What `gammapolars info` is asked."""

from gammapolars.commands.command import command
from gammapolars.commands.options import Reading, Runs


@command(short_help="Show what is in a run: hits, rates, flags, warnings")
class InfoOptions(Reading):
    """Show what is in a run or in a file of pairs.

    Hits and rates of each detector, flags, times and their order, provenance, and warnings of anything that looks
    wrong.

    Examples:
    gammapolars info run.root
    gammapolars info pairs.parquet --json
    """

    names: Runs
