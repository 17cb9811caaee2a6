"""The summary of `spectrum` for people."""

from typing import Any

from gammapolars.commands.layout import table
from gammapolars.commands.summaries import left_out_text, rejected_text
from gammapolars.core.units import format_ps


def spectra_text(summary: dict[str, Any]) -> str:
    """The summary of `spectrum` for people."""

    def seconds(value: float | None) -> str:
        return "not known" if value is None else f"{value:,.6g} s"

    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        *left_out_text(summary),
        *table(
            ["detector", "counts", "real time", "live time"],
            [
                [row["name"], f"{row['counts']:,.0f}", seconds(row["real_time_s"]), seconds(row["live_time_s"])]
                for row in summary["spectra"]
            ],
        ),
        *(
            [f"{summary['slices']:,} slice{'s' if summary['slices'] > 1 else ''} of {format_ps(summary['slice_ps'])}"]
            if summary["slices"]
            else []
        ),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        *(f"{output}: written" for output in summary["outputs"]),
    ]
    return "\n".join(lines)
