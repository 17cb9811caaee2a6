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
    from gammapolars.detectors import format_detectors, import_calp
    from gammapolars.io.output import complete_or_nothing

    found = import_calp(assignments)
    with complete_or_nothing(output, overwrite=overwrite) as hidden:
        hidden.write_text(format_detectors(found), encoding="utf-8")
    print(f"{len(found)} detectors written to {output}")
