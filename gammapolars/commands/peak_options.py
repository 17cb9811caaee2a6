"""Options of the commands that take tables of peaks."""

from pathlib import Path
from typing import Annotated

import typer

LiveTime = Annotated[
    list[float], typer.Option("--live-time", metavar="SECONDS", help="Once for all files of peaks, or once for each.")
]


Started = Annotated[
    list[str],
    typer.Option("--started", metavar="DATE", help="When counting began, as 2024-05-01 or 2024-05-01T14:30."),
]


RealTime = Annotated[
    list[float] | None, typer.Option("--real-time", metavar="SECONDS", help="If the source decays while counting.")
]


LinesFile = Annotated[
    Path | None, typer.Option("--lines", help="Your own table of gamma lines, .csv, instead of the package's.")
]
