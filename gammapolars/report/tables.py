"""The report's tables, as text."""

from collections.abc import Mapping
from typing import Any

from gammapolars.core.digits import expected_counts, percent
from gammapolars.core.units import PS_PER_UNIT
from gammapolars.identification import kind_text
from gammapolars.report.analyse import Analysis
from gammapolars.report.estimates import with_net
from gammapolars.report.numbers import count, with_uncertainty
from gammapolars.report.page import Table
from gammapolars.report.recorded import names_of_channels

REASONS = {
    "saturation": "the signal exceeded the digitizer's range; its energy is wrong",
    "saturation_gate": "the signal left the range during the integration gate; its energy is wrong",
    "saturation_input": "the signal exceeded the range of the input; its energy is wrong",
    "pile_up": "two signals overlapped; the energy is wrong",
    "fake_event": "written by the digitizer to mark a time; no radiation was detected",
    "dead_time": "first hit after a dead time",
    "trigger_lost": "triggers were lost before this hit",
    "event_lost": "events were lost before this hit",
    "memory_full": "the digitizer's memory was full",
}
"""Why a hit with a flag is not to be trusted."""

TIMING = ("position_ns", "fwhm_ns")

NONE = "–"

NAMED, KIND = "name in CoMPASS", "identification"
"""Headings of columns that some tables lack."""

UNITS = {"kev": "keV", "adc": "ADC channels"}

RATES = {
    "rate_cps": ("rate (counts/s)", 1.0),
    "true_rate_cps": ("dead-time corrected (counts/s)", 1.0),
    "live_fraction": ("live time (%)", 100.0),
    "dead_time_ps": ("dead time (µs)", 1 / PS_PER_UNIT["us"]),
}
"""Columns of `gammapolars rates`, with headings and by how much they are multiplied."""

NOTED = {
    "noted_ocr_cps": ("recorded OCR (counts/s)", 1.0),
    "noted_icr_cps": ("recorded ICR (counts/s)", 1.0),
    "noted_live_fraction": ("recorded live time (%)", 100.0),
}
"""The same for the rates that the digitizer's program noted, where it did."""


def detectors(analysis: Analysis) -> Table:
    """One row per detector: its hits, and rates as `gammapolars rates` gives them."""
    rates = {(row["board"], row["channel"]): row for row in analysis.true_rates.iter_rows(named=True)}
    noted = {name: what for name, what in NOTED.items() if any(row[name] is not None for row in rates.values())}
    recorded = names_of_channels(analysis.runs)
    rows, is_named = [], False
    for row in analysis.detectors.sort("board", "channel").iter_rows(named=True):
        key = row["board"], row["channel"]
        own = rates.get(key, {})
        channel = recorded.get(key, "")
        is_named |= bool(channel) and channel != row["name"]
        rows.append(
            (
                row["name"],
                f"{row['board']}/{row['channel']}",
                channel,
                count(row["hits"]),
                count(row["hits_used"]),
                *(with_unc(own, name, factor) for name, (_, factor) in RATES.items()),
                *(_value(own.get(name), factor) for name, (_, factor) in noted.items()),
                "keV" if row["calibrated"] else UNITS["adc"],
            )
        )
    numbers = [heading for heading, _ in (*RATES.values(), *noted.values())]
    headings = ["detector", "board/channel", NAMED, "hits", "used", *numbers, "energy unit"]
    table = Table(headings, rows, frozenset(("hits", "used", *numbers)))
    return table if is_named else without(table, NAMED)


def without(table: Table, *headings: str) -> Table:
    """A table without some of its columns."""
    places = [place for place, heading in enumerate(table.headings) if heading not in headings]
    rows = [[row[place] for place in places] for row in table.rows]
    return table._replace(headings=[table.headings[place] for place in places], rows=rows)


def with_unc(row: Mapping[str, Any], name: str, factor: float = 1.0) -> str:
    """A value of a row with its uncertainty, both times a factor."""
    value, unc = row.get(name), row.get(f"{name}_unc")
    return NONE if value is None else with_uncertainty(factor * value, factor * (unc or 0.0))


def _value(value: float | None, factor: float) -> str:
    return NONE if value is None else f"{factor * value:,.6g}"


def peaks(analysis: Analysis) -> Table:
    """One row per peak, as `gammapolars peaks` gives them: its kind, and why; in keV, or in ADC channels."""
    placed = [(row, _unit(row)) for row in analysis.peaks.iter_rows(named=True)]
    rows = [
        (
            row["name"],
            with_unc(row, f"centroid_{unit}"),
            with_unc(row, f"fwhm_{unit}"),
            with_unc(row, "area"),
            f"{row['significance']:,.1f}",
            kind_text(row) if unit == "kev" else NONE,
            _remark(row),
        )
        for row, unit in placed
        if unit
    ]
    units = " or ".join(name for unit, name in UNITS.items() if unit in {unit for _, unit in placed})
    headings = (
        "detector",
        f"position ({units})",
        f"FWHM ({units})",
        "area (counts)",
        "significance (σ)",
        KIND,
        "remarks",
    )
    table = Table(headings, rows, frozenset(headings[1:5]))
    return table if "kev" in {unit for _, unit in placed} else without(table, KIND, "remarks")


def _unit(peak: dict[str, Any]) -> str:
    """The unit of a peak's position; empty where it has none."""
    return next((unit for unit in UNITS if peak.get(f"centroid_{unit}") is not None), "")


def _remark(row: dict[str, Any]) -> str:
    """Remarks on a peak: which lines confirm it, and whether its fit is to be trusted."""
    head, _, also = row["reason"].partition(", with ")
    remark = ""
    if row["kind"] == "full energy":
        remark = head if not row["nuclide"] else f"confirmed by {also}" if also else "this line alone"
    elif row["kind"] == "unknown" and row.get("centroid_kev") is not None:
        remark = row["reason"]
    return "; ".join(text for text in (remark, "" if row["status"] == "ok" else row["status"]) if text)


def pairs(analysis: Analysis) -> Table:
    """One row per detector pair, those with the most true coincidences first."""
    table = with_net(analysis.pairs_by_detectors)
    is_measured = "chance_pairs" in table.columns
    measured = ("random (measured)",) if is_measured else ()
    headings = ("detectors", "pairs", "random (expected)", *measured, "true", "prompt peak (ns)", "FWHM (ns)")
    timing = {(row["name_a"], row["name_b"]): row for row in analysis.prompt_peaks.iter_rows(named=True)}
    rows = []
    for row in table.sort("net", descending=True, maintain_order=True).iter_rows(named=True):
        peak = timing.get((row["name_a"], row["name_b"]), {})
        rows.append(
            (
                f"{row['name_a']} – {row['name_b']}",
                count(row["pairs"]),
                expected_counts(row["chance_pairs_expected"], row["chance_pairs_expected_unc"]),
                *((with_unc(row, "chance_pairs"),) if is_measured else ()),
                with_unc(row, "net"),
                *(with_unc(peak, name) for name in TIMING),
            )
        )
    return Table(headings, rows, frozenset(headings[1:]))


REMOVED = {
    "below threshold": "below a threshold, or the lower end of a range",
    "above range": "above the upper end of a range",
    "outside the polygons": "outside all polygons that concern the detector",
}
"""The meaning of the reasons for which a selection removes hits."""


def rejected(analysis: Analysis) -> Table:
    """One row per reason and detector of a removed hit, and per flag that rejected one, the most frequent first."""
    removed = [] if analysis.removed is None else analysis.removed.rows()
    rows = [
        (f"{why}: {name}", count(hits), percent(hits, analysis.hits_read), REMOVED[why]) for why, name, hits in removed
    ]
    rows += [
        (name, count(hits), percent(hits, analysis.hits_read), REASONS.get(name, ""))
        for name, hits in sorted(analysis.rejected.items(), key=lambda item: -item[1])
        if hits
    ]
    return Table(
        ("flag or limit" if removed else "flag", "hits", "share of all hits", "reason"),
        rows,
        frozenset(("hits", "share of all hits")),
    )
