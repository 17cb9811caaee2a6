"""What the command `gate` prints."""

from typing import Any

from gammapolars.commands.layout import plus_minus, table
from gammapolars.commands.summaries import left_out_text, random_text, rejected_text
from gammapolars.core.units import Window
from gammapolars.gates import Gate

LISTED = 12
"""So many peaks stand in the text; all are in the file."""


def gate_text(summary: dict[str, Any]) -> str:
    """The summary for people: what was read, the gates, what is net in coincidence with them, its peaks."""
    lines = [*_input_text(summary), *_gates_text(summary)]
    partners = "third hits" if "and_gate" in summary else "partners"
    lines.append(f"{plus_minus(summary['counts'], summary['counts_unc'])} {partners}{_net_of(summary)}")
    lines += _peaks_text(summary)
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    return "\n".join([*lines, *(f"{output}: written" for output in summary["outputs"])])


def _input_text(summary: dict[str, Any]) -> list[str]:
    """How much there was to be gated."""
    lines = []
    if "hits_read" in summary:
        lines += [f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used"]
        lines += [*rejected_text(summary), *left_out_text(summary)]
    window = Window(*summary["window_ps"]) if "window_ps" in summary else None
    if "matrix" in summary:
        matrix = summary["matrix"]
        of = f"{matrix['counts']:,.0f} counts in {matrix['bins']:,} bins"
        lines.append(f"matrix of {of}, its {matrix['gated_axis']} axis gated")
    elif "triples" in summary:
        lines.append(f"{summary['triples']:,} triples within {window} of each other")
        if "random_ps" in summary:
            lines.append(
                f"{summary['one_random_triples']:,} with one hit and {summary['random_triples']:,} with all three "
                f"in the random windows {_windows(summary)} of the others: "
                f"{plus_minus(summary['chance_triples'], summary['chance_triples_unc'])} of the triples are by chance, "
                f"{plus_minus(summary['net_triples'], summary['net_triples_unc'])} net"
            )
    elif window:
        lines += [f"{summary['pairs']:,} pairs within {window}", *random_text(summary)]
    elif "pairs" in summary:
        lines.append(f"{summary['pairs']:,} pairs")
    return lines


def _gates_text(summary: dict[str, Any]) -> list[str]:
    """The gates, in the order in which they were given."""
    unit = summary["unit"]
    detectors = f", in {', '.join(summary['gated_detectors'])}" if summary.get("gated_detectors") else ""
    lines = [f"gate {_gate(summary['gate'])} {unit}{detectors}"]
    if "asked_gate" in summary and summary["asked_gate"] != summary["gate"]:
        lines.append(f"  moved to the edges of bins, from {_gate(summary['asked_gate'])} {unit}")
    if "and_gate" in summary:
        lines.append(f"and a second hit in {_gate(summary['and_gate'])} {unit}")
    if summary.get("polygons"):
        lines.append(f"pairs inside {', '.join(summary['polygons'])} alone")
    return lines


def _gate(told: dict[str, Any]) -> Gate:
    return Gate(told["low"], told["high"], tuple((low, high) for low, high in told["background"]))


def _windows(summary: dict[str, Any]) -> str:
    return ", ".join(str(Window(*window)) for window in summary["random_ps"])


def _net_of(summary: dict[str, Any]) -> str:
    """What has been subtracted, and what has not; of chance nothing where it is not known."""
    background = summary["gate"]["background"] or summary.get("and_gate", {}).get("background")
    chance = "random_ps" in summary or summary.get("net_of_chance", False)
    parts = {"the background below the line": bool(background), "chance": chance}
    gone, left = ([name for name, is_gone in parts.items() if is_gone is wanted] for wanted in (True, False))
    told = f", net of {' and of '.join(gone)}" if gone else ""
    return told + (f"; {' and '.join(left)} not subtracted" if left else "")


def _peaks_text(summary: dict[str, Any]) -> list[str]:
    """The strongest peaks, by energy."""
    unit = summary["unit"]
    name = "kev" if unit == "keV" else "adc"
    shown = sorted(summary["peaks"], key=lambda peak: -(peak["area"] or 0.0))[:LISTED]
    each = any("name" in peak for peak in shown)
    rows = [
        [
            *([peak["name"]] if each else []),
            plus_minus(peak[f"centroid_{name}"], peak[f"centroid_{name}_unc"]),
            plus_minus(peak[f"fwhm_{name}"], peak[f"fwhm_{name}_unc"]),
            plus_minus(peak["area"], peak["area_unc"]),
            "" if peak["status"] == "ok" else peak["status"],
        ]
        for peak in sorted(shown, key=lambda peak: (peak.get("board"), peak.get("channel"), peak[f"centroid_{name}"]))
    ]
    return table([*(["detector"] if each else []), f"peak at {unit}", "FWHM", "area", ""], rows)
