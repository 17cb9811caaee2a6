"""The summary of `matrix` for people."""

from typing import Any

from gammapolars.commands.summaries import coincidence_text, left_out_text, rejected_text


def matrix_text(summary: dict[str, Any]) -> str:
    """The summary of `matrix` for people."""
    width, unit = (summary["bin_adc"], "adc") if summary["bin_kev"] is None else (summary["bin_kev"], "keV")
    bins = f"{summary['counts']:,.0f} counts in bins of {width:g} {unit}"
    return f"{coincidence_text(summary)}\n{bins}; channel n lies at {summary['channel_0']:g} + {width:g} n {unit}"


def chosen_matrix_text(summary: dict[str, Any]) -> str:
    """The summary of `matrix` for people, of chosen detectors and axes."""
    widths = " × ".join(
        f"{width:g} {unit}" for width, unit in zip((summary["bin_x"], summary["bin_y"]), summary["units"], strict=True)
    )
    counts = f"{summary['counts']:,.6g} counts in bins of {widths}, {summary['axes']} on x:y"
    for side, first, unit in zip("xy", summary["channel_0"], summary["units"], strict=True):
        counts += f"; channel n of {side} lies at {first:g} + {summary[f'bin_{side}']:g} n {unit}"
    if "pairs" in summary:
        return f"{coincidence_text(summary)}\n{counts}"
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        *left_out_text(summary),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        counts,
        f"{summary['output']}: written",
    ]
    return "\n".join(lines)
