"""The summary of `efficiency` for people."""

from typing import Any

from gammapolars.commands.layout import share, table


def efficiency_text(summary: dict[str, Any]) -> str:
    """The summary of `efficiency`."""
    lines: list[str] = []
    for fit in summary["detectors"]:
        low, high = fit["efficiency_range"]
        quality = f"χ²/ndf = {fit['chi2']:.1f}/{fit['ndf']}"
        lines.append(f"{fit['name']}: order {fit['order']}, {low:.1f} to {high:.1f} keV, {quality}")
        lines += table(
            ["source", "energy (keV)", "efficiency", "uncertainty", "residual", "(σ)"],
            [
                [
                    point["source"],
                    f"{point['energy_kev']:.2f}",
                    f"{point['efficiency']:.4g}",
                    share(point["efficiency_unc"], point["efficiency"]),
                    f"{point['residual_percent']:+.2f} %",
                    f"{point['residual_sigma']:+.1f}",
                ]
                for point in fit["points"]
            ],
        )
    lines += [f"Warning: {warning}" for warning in summary["warnings"]]
    return "\n".join([*lines, *(f"{output}: written" for output in summary["outputs"])])
