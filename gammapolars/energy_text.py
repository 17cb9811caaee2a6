"""What the commands on energies print: peaks, calibrations, drifts."""

from typing import Any

from gammapolars.printing import left_out_text, plus_minus, rejected_text, table


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


def calibration_text(summary: dict[str, Any]) -> str:
    """The summary of `calibrate` for people."""
    lines = []
    for detector in summary["detectors"]:
        terms = " + ".join(
            f"{coefficient:.6g}{('', ' adc', ' adc²', ' adc³')[power]}"
            for power, coefficient in enumerate(detector["energy"])
        )
        low, high = detector["energy_range"]
        lines += [
            f"{detector['name']}: E = {terms}".replace("+ -", "− ") + f" keV, from adc {low:.5g} to {high:.5g}",
            *table(
                ["line", "keV", "adc", "residual keV", "sigma", "FWHM keV", ""],
                [_line_row(line) for line in summary["lines"] if line["name"] == detector["name"]],
            ),
        ]
    lines += [
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        f"{summary['output']}: {len(summary['detectors'])} of its detectors calibrated",
    ]
    if "drift" in summary:
        lines.append(drift_text(summary["drift"]))
    return "\n".join(lines)


def _line_row(line: dict[str, Any]) -> list[str]:
    return [
        line["nuclide"] or "given",
        f"{line['energy_kev']:.3f}",
        plus_minus(line["adc"], line["adc_unc"]),
        f"{line['residual_kev']:+.3f}",
        f"{line['residual_sigma']:+.1f}",
        f"{line['fwhm_kev']:.3g}",
        "" if line["used"] else "not used",
    ]


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
