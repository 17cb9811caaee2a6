"""The summary of `rates` for people."""

from typing import Any

import polars as pl

from gammapolars.commands.layout import table
from gammapolars.commands.rates.run import RatesSummary
from gammapolars.commands.summaries import gone, tail
from gammapolars.core.digits import plus_minus
from gammapolars.core.units import PS_PER_UNIT, format_ps

SHOWN = {"rate_cps": 1.0, "true_rate_cps": 1.0, "live_fraction": 100.0, "dead_time_ps": 1 / PS_PER_UNIT["us"]}
"""Columns shown to people, and their factors."""

FLUCTUATION = 3.0
"""Standard deviations below 0 that an unmeasurably short dead time may fluctuate to."""

NOTED = {
    "noted_ocr_cps": ("recorded OCR", 1.0),
    "noted_icr_cps": ("recorded ICR", 1.0),
    "noted_live_fraction": ("recorded live %", 100.0),
}
"""The same for the rates that the digitizer's program noted, where it did, with the heading."""


def text(summary: RatesSummary) -> list[str]:
    """The summary for people."""
    noted = [name for name in NOTED if summary.detectors[name].is_not_null().any()]
    rows = [_cells(row, noted) for row in summary.detectors.iter_rows(named=True)]
    head = ["detector", "hits", "counts/s", "dead-time corrected", "live %", "dead time (us)", "shortest"]
    return [
        f"{summary.account.hits_read:,} hits in {summary.times.real_time_s:.6g} s",
        *gone(summary.account),
        *_of_used(summary),
        *table([*head, *(NOTED[name][0] for name in noted)], rows),
        *_negative(summary.detectors),
        *tail(summary),
    ]


def _of_used(summary: RatesSummary) -> list[str]:
    """The meaning of rates where a selection removed hits."""
    if summary.account.selection is None:
        return []
    return ["rates of the hits used; dead times and live fractions are those after all recorded hits"]


def _negative(detectors: pl.DataFrame) -> list[str]:
    """The meaning of dead times below 0, and with them live times above 100 %, where they are fluctuations."""
    chance = pl.col("dead_time_ps").is_between(-FLUCTUATION * pl.col("dead_time_ps_unc"), 0, closed="left")
    names = detectors.filter(chance)["name"].to_list()
    return [f"{', '.join(names)}: the dead time is too short to be measured: it fluctuates about 0"] if names else []


def _cells(row: dict[str, Any], noted: list[str]) -> list[str]:
    shortest = row["shortest_interval_ps"]
    return [
        row["name"],
        f"{row['hits']:,}",
        *(
            "–" if row[name] is None else plus_minus(factor * row[name], factor * row[f"{name}_unc"])
            for name, factor in SHOWN.items()
        ),
        "–" if shortest is None else format_ps(shortest),
        *("–" if row[name] is None else f"{NOTED[name][1] * row[name]:,.6g}" for name in noted),
    ]
