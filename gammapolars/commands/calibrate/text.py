"""The summary of `calibrate` for people."""

from typing import Any

from gammapolars.commands.drift.text import drift_text
from gammapolars.commands.layout import plus_minus, table


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
