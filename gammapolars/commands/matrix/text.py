"""The summary of `matrix` for people."""

from typing import Any

from gammapolars.commands.summaries import coincidence_text, left_out_text, rejected_text


def matrix_text(summary: dict[str, Any]) -> str:
    """The summary of `matrix` for people: what was read, how much the matrix holds, and where its channels lie."""
    if "pairs" in summary:
        return f"{coincidence_text(summary)}\n{_bins_text(summary)}"
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        *left_out_text(summary),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        _bins_text(summary),
        f"{summary['output']}: written",
    ]
    return "\n".join(lines)


def _bins_text(summary: dict[str, Any]) -> str:
    """A symmetric matrix has the same bins on both axes, which are told once."""
    bins = summary["bins"]
    places = [f"{one['channel_0']:g} + {one['width']:g} n {one['unit']}" for one in bins]
    widths = [f"{one['width']:g} {one['unit']}" for one in bins]
    if summary["symmetric"]:
        return f"{summary['counts']:,.0f} counts in bins of {widths[0]}; channel n lies at {places[0]}"
    counts = f"{summary['counts']:,.6g} counts in bins of {' × '.join(widths)}, {summary['axes']} on x:y"
    return counts + "".join(f"; channel n of {side} lies at {place}" for side, place in zip("xy", places, strict=True))
