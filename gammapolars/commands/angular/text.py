"""The summary of `angular` for people."""

from gammapolars.angular import NORMALISATIONS
from gammapolars.commands.angular.run import AngularResult, AngularSummary, SavedPairsAngularSummary
from gammapolars.commands.layout import table
from gammapolars.commands.summaries import head, saved_head, tail
from gammapolars.core.digits import plus_minus
from gammapolars.core.goodness import goodness


def text(summary: AngularSummary | SavedPairsAngularSummary) -> list[str]:
    """The summary for people."""
    rows = [
        [
            f"{row['angle_deg']:.1f}°",
            str(row["detector_pairs"]),
            plus_minus(row["counts"], row["counts_unc"]),
            plus_minus(row["w"], row["w_unc"]),
            f"{row['fit']:.4f}",
        ]
        for row in summary.angles.iter_rows(named=True)
    ]
    return [
        *(head(summary) if isinstance(summary, AngularSummary) else saved_head(summary)),
        f"{plus_minus(summary.net_counts, summary.net_counts_unc)} net coincidences of the two lines, "
        f"normalised by {NORMALISATIONS[summary.normalise]}",
        *table(["angle", "detector pairs", "coincidences", "W(θ)/A0", "fit"], rows),
        goodness(summary.fit.chi2, summary.fit.ndf),
        *_coefficients(summary),
        *tail(summary),
    ]


def _coefficients(summary: AngularResult) -> list[str]:
    """a2 and a4: as measured, corrected where detectors have a size, and expected where the spins are given."""
    corrected, expected = summary.fit.attenuation != (1.0, 1.0), summary.expected
    head = ["", "measured", *(["corrected for solid angle"] if corrected else [])]
    head += [f"expected for {expected.theory.spins}", "apart"] if expected else []
    rows = []
    for name in ("a2", "a4")[: summary.order // 2]:
        measured, measured_unc, value, unc = (
            getattr(summary.fit, f"{name}{part}") for part in ("", "_unc", "_point", "_point_unc")
        )
        row = [name, plus_minus(measured, measured_unc), *([plus_minus(value, unc)] if corrected else [])]
        if expected:
            theory = getattr(expected.theory, name)
            row += [f"{theory:.4f}", f"{(value - theory) / unc:+.1f} σ"]
        rows.append(row)
    together = [f"χ² of both coefficients against the cascade: {expected.chi2:.1f}/{expected.ndf}"] if expected else []
    return [*table(head, rows), *together]
