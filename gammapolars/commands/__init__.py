"""The command line: a folder for each command, with what it is asked, what it does and what it says."""

from gammapolars.commands.app import COMMANDS
from gammapolars.commands.process import main, run

__all__ = ["COMMANDS", "main", "run"]
