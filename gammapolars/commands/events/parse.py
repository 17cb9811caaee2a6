"""What `gammapolars events` is asked."""

from pathlib import Path
from typing import Annotated

from gammapolars.commands.command import command
from gammapolars.commands.declared import HITS
from gammapolars.commands.notes import choice, option
from gammapolars.commands.options import AddBackOption, Recording, Reject, Saving, VetoOption
from gammapolars.core import defaults


@command(short_help="Build events from all hits that belong together in time")
class EventsOptions(Recording, Saving):
    """Build events from all hits that belong together in time, and save them.

    Examples:
    gammapolars events run.root --min-multiplicity 2 -o events.parquet
    gammapolars events run.root --table summary --window 1us -o events.csv
    """

    output: Annotated[Path, "Table of events: .parquet, .arrow, .csv or .root.", HITS]
    window: Annotated[str, option("TIME", "Length of the event window.")] = defaults.WINDOW
    window_ref: Annotated[
        str, choice("first|last", "Measure the window from the event's first hit, or from the previous hit.")
    ] = "first"
    min_multiplicity: Annotated[int, "Keep only events in which at least this many detectors fired."] = 1
    table: Annotated[
        str,
        choice(
            "events|summary|triples",
            "events: one row per hit; summary: one row per event; triples: three hits of one event.",
            metavar="TABLE",
        ),
    ] = "events"
    add_back: AddBackOption = None
    veto: VetoOption = None
    reject: Reject = defaults.REJECT
