"""What `gammapolars info` is asked."""

from gammapolars.commands.command import command
from gammapolars.commands.options import Reading, Runs


@command()
class InfoOptions(Reading):
    """Show what is in a run or in a file of pairs: hits, rates, flags, times and their order, provenance."""

    names: Runs
