"""What `gammapolars run` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.completion import steps
from gammapolars.commands.declared import FILE
from gammapolars.commands.notes import argument
from gammapolars.commands.options import Saving


@command(short_help="Do the steps of an experiment.toml that are not up to date")
class RunOptions(Saving):
    """Do the steps of an experiment.toml: all, or some with those that they need. Only what changed is done again.

    A step is done again if its input, its options, or the version of gammapolars changed, or if its output is missing.
    Output that was edited by hand is never replaced without --overwrite.

    Examples:
    gammapolars run experiment.toml
    gammapolars run experiment.toml align --dry-run
    """

    file: Annotated[Path, argument("FILE", "File of the experiment, as 'gammapolars init' writes it."), FILE]
    steps: Annotated[
        list[str] | None,
        argument("STEP", "Do only these steps, and what they need: names of steps or commands.", complete=steps),
    ] = None
    dry_run: Annotated[bool, "Do nothing: report what would be done, and why."] = False
    again: Annotated[bool, "Do the steps named, or all, even if nothing changed."] = False
