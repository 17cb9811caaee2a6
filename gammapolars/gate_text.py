"""What the command `gate` prints."""

from typing import Any

from gammapolars.gates import Gate
from gammapolars.printing import plus_minus, rejected_text, table
from gammapolars.units import Window

LISTED = 12
"""So many peaks stand in the text; all are in the file."""


def gate_text(summary: dict[str, Any]) -> str:
    """The summary for people."""
    unit = summary["unit"]
    name = "kev" if unit == "keV" else "adc"
    gate = Gate(
        summary["gate"]["low"],
        summary["gate"]["high"],
        tuple((low, high) for low, high in summary["gate"]["background"]),
    )
    lines = []
    if "pairs" in summary:
        lines += [f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used"]
        lines += rejected_text(summary)
        lines += [f"{summary['pairs']:,} pairs within {Window(*summary['window_ps'])}"]
    if "and_gate" in summary:
        lines.append(f"and a second hit in {summary['and_gate']['low']:g} to {summary['and_gate']['high']:g} {unit}")
    lines.append(f"gate {gate} {unit}: {plus_minus(summary['counts'], summary['counts_unc'])} net partners")
    shown = sorted(summary["peaks"], key=lambda peak: -(peak["area"] or 0.0))[:LISTED]
    rows = [
        [
            plus_minus(peak[f"centroid_{name}"], peak[f"centroid_{name}_unc"]),
            plus_minus(peak[f"fwhm_{name}"], peak[f"fwhm_{name}_unc"]),
            plus_minus(peak["area"], peak["area_unc"]),
            "" if peak["status"] == "ok" else peak["status"],
        ]
        for peak in sorted(shown, key=lambda peak: peak[f"centroid_{name}"])
    ]
    lines += table([f"peak at {unit}", "FWHM", "area", ""], rows)
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    return "\n".join([*lines, *(f"{output}: written" for output in summary["outputs"])])
