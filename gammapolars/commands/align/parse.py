"""What `gammapolars align` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.completion import detectors
from gammapolars.commands.declared import OUTPUT, Writes
from gammapolars.commands.notes import option, switch
from gammapolars.commands.options import Recording, Reject, Saving
from gammapolars.core import defaults


@command(short_help="Measure time offsets, clock rates, walk and resolution")
class AlignOptions(Recording, Saving):
    """Measure time offsets, clock rates, time walk and time resolution from coincidences.

    They are written into detectors.toml, and later commands correct the times of hits with them.

    Examples:
    gammapolars align run.root --detectors d.toml -o aligned.toml
    gammapolars align run.root -o aligned.toml --search 50us --figure timing.png
    """

    output: Annotated[Path, "detectors.toml to write.", Writes(updates="detectors")]
    search: Annotated[
        str, option("TIME", "Search for prompt peaks this far from the offsets in --detectors, or from 0.")
    ] = defaults.SEARCH
    walk: Annotated[
        bool | None,
        switch("--walk/--no-walk", "Fit time walk, or keep it as it is; if not given, it is fitted where it helps."),
    ] = None
    reference: Annotated[
        str | None,
        option("DETECTOR", "Detector whose offset is kept; if not given, the first of each group.", complete=detectors),
    ] = None
    energy: Annotated[str | None, option("LOW:HIGH", "Use only hits in this range of energies, in keV.")] = None
    hits: Annotated[int | None, "Read at most this many hits; if not given, as many as needed."] = None
    figure: Annotated[Path | None, "Figure of time differences before and after: .png, .pdf or .svg.", OUTPUT] = None
    reject: Reject = defaults.REJECT
