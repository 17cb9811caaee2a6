"""What `gammapolars events` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import HITS
from gammapolars.commands.options import AddBackOption, Recording, Reject, Saving, VetoOption
from gammapolars.core import defaults


@command()
class EventsOptions(Recording, Saving):
    """Build events of all hits that belong together in time, and save them."""

    output: Annotated[Path, "Ends in .parquet, .arrow, .csv or .root.", HITS]
    window: Annotated[str, "How long after another hit one still belongs to its event."] = defaults.WINDOW
    window_ref: Annotated[str, "Measured from the event's first hit, or from the last before: first, last."] = "first"
    min_multiplicity: Annotated[int, "Only events in which so many detectors fired."] = 1
    table: Annotated[str, "events: a row a hit; summary: a row an event; triples: three hits of one."] = "events"
    add_back: AddBackOption = None
    veto: VetoOption = None
    reject: Reject = defaults.REJECT
