"""The summary of `drift` for people."""

from typing import Any

from gammapolars.commands.layout import table
from gammapolars.commands.summaries import left_out_text, rejected_text


def drift_text(summary: dict[str, Any]) -> str:
    """The summary of `drift` for people."""

    def number(value: float | None, digits: int) -> str:
        return "–" if value is None else f"{value:,.{digits}f}"

    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        *left_out_text(summary),
        *table(
            ["detector", "gain moved (%)", "known to (%)", "steps"],
            [
                [
                    row["name"],
                    number(row["drift_span_pct"], 3),
                    number(row["gain_unc_pct"], 4),
                    str(row["steps"]),
                ]
                for row in summary["detectors"]
            ],
        ),
        *table(
            ["line", "positions", "left out", "scatter (%)", "FWHM before (keV)", "after"],
            [
                [
                    f"{row['name']}, {row['line_kev']:g} keV",
                    str(row["positions"]),
                    str(row["failed"]),
                    number(row["scatter_pct"], 4),
                    number(row["fwhm_before_kev"], 2),
                    number(row["fwhm_after_kev"], 2),
                ]
                for row in summary["lines"]
            ],
        ),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        *(f"{output}: written" for output in summary["outputs"]),
    ]
    return "\n".join(lines)
