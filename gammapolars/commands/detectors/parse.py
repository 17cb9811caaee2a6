"""What `gammapolars detectors` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import detectors_app
from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, Reads
from gammapolars.commands.options import Saving


@command("import", group=detectors_app)
class ImportOptions(Saving):
    """Make detectors.toml from PeakEasy calibrations."""

    assignments: Annotated[
        list[str], typer.Argument(metavar="CHANNEL=FILE.CALp", help="Or BOARD/CHANNEL=FILE.CALp."), Reads("assignments")
    ]
    output: Annotated[Path, "detectors.toml to write.", OUTPUT]
