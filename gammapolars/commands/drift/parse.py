"""What `gammapolars drift` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, Writes
from gammapolars.commands.options import Recording, Reject, Saving
from gammapolars.core import defaults


@command()
class DriftOptions(Recording, Saving):
    """Follow lines through a run, and write the factors that undo the drift of the detectors' gains."""

    output: Annotated[Path, "Ends in .parquet; name it as drift in detectors.toml.", Writes(updates="drift")]
    track: Annotated[
        list[float], typer.Option(metavar="KEV", help="Energy of a line to follow; may be given several times.")
    ]
    slice: Annotated[str | None, "Shortest slice of time, such as 10s; else it follows from the run."] = None
    reach: Annotated[float, "Largest relative change of a gain to look for."] = 0.03
    reference: Annotated[str, "Bring lines to where the calibration expects them, or to their mean."] = "calibration"
    figure: Annotated[Path | None, "Gains over time, lines before and after: .png, .pdf, .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
