"""What `gammapolars align` is asked."""

from pathlib import Path
from typing import Annotated

import typer

from gammapolars.commands.command import command
from gammapolars.commands.declared import OUTPUT, Writes
from gammapolars.commands.options import Recording, Reject, Saving
from gammapolars.core import defaults


@command()
class AlignOptions(Recording, Saving):
    """Measure time offsets, clock rates, walk and resolution of detectors by coincidences, into detectors.toml."""

    output: Annotated[Path, "The detectors.toml to write.", Writes(updates="detectors")]
    search: Annotated[str, "How far prompt peaks may lie from the offsets of --detectors, or from 0."] = defaults.SEARCH
    walk: Annotated[
        bool | None,
        typer.Option("--walk/--no-walk", help="Fit time walk, or leave it as it is; else it is fitted where it helps."),
    ] = None
    reference: Annotated[str | None, "The detector whose offset stays; else the first of each group."] = None
    energy: Annotated[str | None, typer.Option(metavar="LOW:HIGH", help="Only hits of these energies, in keV.")] = None
    hits: Annotated[int | None, "Read no more hits than these; else as many as are needed."] = None
    figure: Annotated[Path | None, "Time differences of detector pairs before and after: .png, .pdf, .svg.", OUTPUT] = (
        None
    )
    reject: Reject = defaults.REJECT
