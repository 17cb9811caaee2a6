"""What the command `events` prints for people."""

from typing import Any

from gammapolars.commands.layout import share, table
from gammapolars.commands.summaries import gone_text, left_out_text, policies_text, rejected_text
from gammapolars.core.units import format_ps


def events_text(summary: dict[str, Any]) -> str:
    """The summary of `events` for people."""
    built = sum(summary["events_by_multiplicity"].values())
    whole = f"{summary['events']:,} events"
    if summary["min_multiplicity"] > 1:
        whole += f" of {summary['min_multiplicity']} detectors or more, out of {built:,}"
    measured = "of its first hit" if summary["window_ref"] == "first" else "of the hit before"
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *policies_text(summary),
        *rejected_text(summary),
        *left_out_text(summary),
        *gone_text(summary, "hits_below_multiplicity", "below the multiplicity"),
        f"{whole}, each hit within {format_ps(summary['window_ps'])} {measured}",
        *table(
            ["detectors", "events", "share"],
            [
                [number, f"{count:,}", share(count, built)]
                for number, count in summary["events_by_multiplicity"].items()
            ],
        ),
        *([f"{summary['triples']:,} triples"] if "triples" in summary else []),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        f"{summary['output']}: written in {summary['elapsed_s']:.2f} s"
        f" ({summary['hits_per_s'] / 1e6:.1f} million hits/s)",
    ]
    return "\n".join(lines)
