"""What `gammapolars detectors` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.app import Overwrite, detectors_app


@detectors_app.command("import")
def detectors_import(
    assignments: Annotated[list[str], typer.Argument(metavar="CHANNEL=FILE.CALp", help="Or BOARD/CHANNEL=FILE.CALp.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="detectors.toml to write.")],
    overwrite: Overwrite = False,
) -> None:
    """Make detectors.toml from PeakEasy calibrations."""
    from gammapolars.commands.detectors_file import save_detectors
    from gammapolars.detectors import import_calp

    found = import_calp(assignments)
    save_detectors(found, output, overwrite=overwrite)
    print(f"{len(found)} detectors written to {output}")
