"""The summary of `angular` for people."""

from typing import Any

from gammapolars.angular import NORMALISATIONS
from gammapolars.commands.layout import plus_minus, table
from gammapolars.commands.summaries import left_out_text, rejected_text


def angular_text(summary: dict[str, Any]) -> str:
    """The summary for people."""
    rows = [
        [
            f"{row['angle_deg']:.1f}°",
            str(row["detector_pairs"]),
            plus_minus(row["counts"], row["counts_unc"]),
            plus_minus(row["w"], row["w_unc"]),
            f"{row['fit']:.4f}",
        ]
        for row in summary["angles"]
    ]
    lines = [
        f"{summary['hits_read']:,} hits in {summary['real_time_s']:.6g} s, {summary['hits_used']:,} used",
        *rejected_text(summary),
        *left_out_text(summary),
        f"{plus_minus(summary['net_counts'], summary['net_counts_unc'])} net coincidences of the two lines, "
        f"normalised by {NORMALISATIONS[summary['normalise']]}",
        *table(["angle", "pairs of detectors", "coincidences", "W(θ)/A0", "fit"], rows),
        f"χ²/ndf {summary['chi2']:.1f}/{summary['ndf']}",
        *_coefficients(summary),
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        *(f"{output}: written" for output in summary["outputs"]),
    ]
    return "\n".join(lines)


def _coefficients(summary: dict[str, Any]) -> list[str]:
    """a2 and a4: as measured, corrected where detectors have a size, and expected where the spins are given."""
    corrected, expected = summary["attenuation"] != [1.0, 1.0], summary["expected"]
    head = ["", "measured", *(["corrected for size"] if corrected else [])]
    head += [f"expected of {expected['spins']}", "apart"] if expected else []
    rows = []
    for name in ("a2", "a4")[: summary["order"] // 2]:
        value, unc = summary[f"{name}_point"], summary[f"{name}_point_unc"]
        row = [name, plus_minus(summary[name], summary[f"{name}_unc"])]
        row += [plus_minus(value, unc)] if corrected else []
        row += [f"{expected[name]:.4f}", f"{(value - expected[name]) / unc:+.1f} σ"] if expected else []
        rows.append(row)
    together = [f"χ² of both and the cascade: {expected['chi2']:.1f}/{expected['ndf']}"] if expected else []
    return [*table(head, rows), *together]
