"""The text that the command `align` prints."""

from typing import Any

import polars as pl

from gammapolars.commands.align.run import AlignSummary
from gammapolars.commands.layout import table
from gammapolars.commands.summaries import head, tail
from gammapolars.core.digits import plus_minus
from gammapolars.core.units import format_ps


def text(summary: AlignSummary) -> list[str]:
    """The summary of `align` for people."""
    return [
        *head(summary),
        *(f"  {note}" for note in summary.notes),
        *table(
            ["detector pair", "prompt coincidences", "peak (ns)", "FWHM before (ns)", "after (ns)"],
            [_pair(row) for row in summary.detector_pairs.iter_rows(named=True)],
        ),
        *table(
            ["detector", "offset (ns)", "walk (ps)", "FWHM (ns)", ""],
            [_detector(row) for row in summary.detectors.iter_rows(named=True)],
        ),
        *_clocks(summary.clocks),
        *_clock(summary.clock_ps),
        *tail(summary),
    ]


def _clocks(clocks: pl.DataFrame | None) -> list[str]:
    """The rates of clocks, where some are corrected."""
    if clocks is None or not (clocks["rate_ppm"] != 0).any():
        return []
    rows = []
    for row in clocks.iter_rows(named=True):
        fast, change = f"{row['rate_ppm']:.6f}", plus_minus(row["change_ppm"], row["rate_ppm_unc"] or 0.0)
        rows.append([f"board {row['board']}", fast, *(["", "reference"] if row["reference"] else [change, ""])])
    return table(["clock", "rate offset (ppm)", "change (ppm)", ""], rows)


def _clock(clock_ps: int) -> list[str]:
    """The contribution of the clock to widths, where its steps are coarse."""
    return (
        [f"times are multiples of {format_ps(clock_ps)}, which contributes to every FWHM"] if clock_ps >= 1000 else []
    )


def _pair(row: dict[str, Any]) -> list[str]:
    name = f"{row['name_a']} – {row['name_b']}"
    if row["status"] != "ok":
        return [name, row["status"], "–", "–", "–"]
    return [
        name,
        f"{row['prompt_pairs']:,.0f}",
        plus_minus(row["position_ps"] / 1000, row["position_ps_unc"] / 1000),
        plus_minus(row["fwhm_before_ps"] / 1000, row["fwhm_before_ps_unc"] / 1000),
        plus_minus(row["fwhm_after_ps"] / 1000, row["fwhm_after_ps_unc"] / 1000),
    ]


def _detector(row: dict[str, Any]) -> list[str]:
    if row["group"] is None:
        return [row["name"], f"{row['time_offset_ps'] / 1000:,.3f}", "–", "–", "no prompt peak"]
    offset = row["time_offset_ps"] / 1000
    walk = ", ".join(f"{number:.4g}" for number in row["time_walk_ps"] or ())
    width, unc = row["time_fwhm_ps"], row["time_fwhm_ps_unc"]
    return [
        row["name"],
        f"{offset:,.3f}" if row["reference"] else plus_minus(offset, row["time_offset_ps_unc"] / 1000),
        walk or "none",
        "–" if width is None else plus_minus(width / 1000, unc / 1000) if unc else f"{width / 1000:.4g}",
        "reference" if row["reference"] else "",
    ]
