"""What the commands on energies print: peaks, calibrations, drifts."""

from typing import Any

from gammapolars.commands.layout import plus_minus, table


def peaks_text(summary: dict[str, Any]) -> str:
    """The summary of `peaks` for people."""
    in_kev = any(peak.get("centroid_kev") is not None for peak in summary["table"])
    unit, name = ("kev", "keV") if in_kev else ("adc", "adc")
    shown = [peak for peak in summary["table"] if peak.get(f"centroid_{unit}") is not None]
    several = len(summary["spectra"]) > 1
    rows = [
        [
            *([_spectrum_name(peak, summary)] if several else []),
            plus_minus(peak[f"centroid_{unit}"], peak[f"centroid_{unit}_unc"]),
            plus_minus(peak[f"fwhm_{unit}"], peak[f"fwhm_{unit}_unc"]),
            plus_minus(peak["area"], peak["area_unc"]),
            f"{peak['significance']:,.1f}",
            f"{peak['chi2_ndf']:.2f}",
            "" if peak["status"] == "ok" else peak["status"],
        ]
        for peak in shown
    ]
    head = [*(["detector"] if several else []), name, f"FWHM {name}", "area", "sigma", "χ²/ndf", ""]
    lines = [
        *table(head, rows),
        f"{summary['peaks']} peaks above {summary['least_significance']:g} sigma in {len(summary['spectra'])} spectra",
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        f"{summary['output']}: written",
    ]
    return "\n".join(lines)


def _spectrum_name(peak: dict[str, Any], summary: dict[str, Any]) -> str:
    key = {name: peak[name] for name in ("run", "board", "channel") if name in peak}
    name: str = next(row["name"] for row in summary["spectra"] if key.items() <= row.items())
    return f"{name} run {peak['run']}" if "run" in peak else name
