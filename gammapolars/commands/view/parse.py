"""What `gammapolars view` is asked."""

from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.options import Pairing, RandomOption, Reading, Reject, Runs, WindowOption
from gammapolars.core import defaults


@command()
class ViewOptions(Reading, Pairing):
    """Draw gates on a matrix in the browser: of a stored matrix, of saved pairs, or of the pairs of runs."""

    names: Runs
    bin_kev: Annotated[float | None, "Width of the bins, of pairs; else as the detectors' resolution asks for."] = None
    window: WindowOption = defaults.WINDOW
    random: RandomOption = None
    reject: Reject = defaults.REJECT
    port: Annotated[int, "On this machine alone; 0: any that is free."] = 0
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page, or only name it.")] = True
    idle_min: Annotated[float, "End when nothing was asked of the page for so many minutes."] = 600.0
