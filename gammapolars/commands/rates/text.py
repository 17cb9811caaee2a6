"""The summary of `rates` for people."""

from gammapolars.commands.layout import plus_minus, table
from gammapolars.commands.rates.run import RatesSummary
from gammapolars.commands.summaries import gone, tail
from gammapolars.core.units import PS_PER_UNIT, format_ps

SHOWN = {"rate_cps": 1.0, "true_rate_cps": 1.0, "live_fraction": 100.0, "dead_time_ps": 1 / PS_PER_UNIT["us"]}
"""What people are shown, and by how much it is multiplied."""


def text(summary: RatesSummary) -> list[str]:
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
        for row in summary.detectors.iter_rows(named=True)
    ]
    return [
        f"{summary.account.hits_read:,} hits in {summary.times.real_time_s:.6g} s",
        *gone(summary.account),
        *table(["detector", "hits", "counts/s", "without dead time", "live %", "dead time (us)", "shortest"], rows),
        *tail(summary),
    ]
