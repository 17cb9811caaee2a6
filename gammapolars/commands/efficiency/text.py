"""The summary of `efficiency` for people."""

from gammapolars.commands.efficiency.run import EfficiencySummary
from gammapolars.commands.layout import share, table
from gammapolars.commands.summaries import tail
from gammapolars.core.goodness import goodness


def text(summary: EfficiencySummary) -> list[str]:
    """The summary of `efficiency`."""
    lines: list[str] = []
    for fit in summary.detectors:
        low, high = fit["efficiency_range"]
        quality = goodness(fit["chi2"], fit["ndf"])
        lines.append(f"{fit['name']}: order {fit['order']}, {low:.1f} to {high:.1f} keV, {quality}")
        lines += table(
            ["source", "energy (keV)", "efficiency", "uncertainty", "residual", "(σ)"],
            [
                [
                    point["source"],
                    f"{point['energy_kev']:.2f}",
                    f"{point['efficiency']:.4g}",
                    share(point["efficiency_unc"], point["efficiency"]),
                    "–" if point["residual_percent"] is None else f"{point['residual_percent']:+.2f} %",
                    "–" if point["residual_sigma"] is None else f"{point['residual_sigma']:+.1f}",
                ]
                for point in fit["points"]
            ],
        )
    return [*lines, *tail(summary)]
