"""The summary of `rates` for people."""

from typing import Any

from gammapolars.commands.layout import plus_minus, table
from gammapolars.commands.summaries import left_out_text, rejected_text
from gammapolars.core.units import PS_PER_UNIT, format_ps

SHOWN = {"rate_cps": 1.0, "true_rate_cps": 1.0, "live_fraction": 100.0, "dead_time_ps": 1 / PS_PER_UNIT["us"]}
"""What people are shown, and by how much it is multiplied."""


def rates_text(summary: dict[str, Any]) -> str:
    """The summary for people."""
    rows = [
        [
            row["name"],
            f"{row['hits']:,}",
            *(
                "–" if row[name] is None else plus_minus(factor * row[name], factor * row[f"{name}_unc"])
                for name, factor in SHOWN.items()
            ),
            "–" if row["shortest_interval_ps"] is None else format_ps(row["shortest_interval_ps"]),
        ]
        for row in summary["detectors"]
    ]
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s",
        *rejected_text(summary),
        *left_out_text(summary),
        *table(["detector", "hits", "counts/s", "without dead time", "live %", "dead time (us)", "shortest"], rows),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
    ]
    return "\n".join([*lines, *([f"{summary['output']}: written"] if "output" in summary else [])])
