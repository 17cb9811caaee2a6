"""What `gammapolars detectors` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.app import detectors_app
from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, Reads
from gammapolars.commands.notes import argument
from gammapolars.commands.options import Saving


@command("import", group=detectors_app)
class ImportOptions(Saving):
    """Make detectors.toml from PeakEasy calibrations.

    Examples:
    gammapolars detectors import 1=ch1.CALp 2=ch2.CALp -o detectors.toml
    """

    assignments: Annotated[
        list[str],
        argument("CHANNEL=FILE.CALp", "Calibration of each channel; or BOARD/CHANNEL=FILE.CALp."),
        Reads("assignments"),
    ]
    output: Annotated[Path, "detectors.toml to write.", OUTPUT]
