"""The text that the command `events` prints for people."""

from gammapolars.commands.events.run import EventSummary
from gammapolars.commands.layout import share, table
from gammapolars.commands.summaries import head, taken, timed_tail
from gammapolars.core.units import format_ps


def text(summary: EventSummary) -> list[str]:
    """The summary of `events` for people."""
    built = sum(summary.events_by_multiplicity.values())
    whole = f"{summary.events:,} events"
    if summary.min_multiplicity > 1:
        whole += f" with {summary.min_multiplicity} or more detectors, out of {built:,}"
    measured = "of the first hit" if summary.window_ref == "first" else "of the previous hit"
    return [
        *head(summary, summary.preselection),
        *taken(summary.account, "below the minimum multiplicity", summary.below_multiplicity),
        f"{whole}, each hit within {format_ps(summary.window_ps.high)} {measured}",
        *table(
            ["detectors", "events", "share"],
            [[number, f"{count:,}", share(count, built)] for number, count in summary.events_by_multiplicity.items()],
        ),
        *([] if summary.triples is None else [f"{summary.triples:,} triples"]),
        *timed_tail(summary),
    ]
