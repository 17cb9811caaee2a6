"""Activities for people."""

from gammapolars.commands.activity.run import ActivitySummary
from gammapolars.commands.layout import table
from gammapolars.commands.summaries import warnings
from gammapolars.core.digits import plus_minus


def text(summary: ActivitySummary) -> list[str]:
    """The summary of `activity`: results with their budget, and limits where there are none."""
    rows = [
        [
            f"{row['name']}: {row['nuclide']}",
            plus_minus(row["activity_bq"], row["activity_bq_unc"])
            if row["detected"]
            else f"< {row['upper_limit_bq']:.3g}",
            *(
                f"{row[name]:,.3g}" if abs(row[name]) < 1000 else f"{row[name]:,.0f}"
                for name in ("counting_bq_unc", "intensity_bq_unc", "efficiency_bq_unc", "decay_bq_unc")
            ),
            f"{row['detectable_bq']:.3g}",
            "–" if row["chi2"] is None else f"{row['chi2']:.1f}/{row['ndf']}",
        ]
        for row in summary.activities
    ]
    head = ["", "activity (Bq)", "counts", "intensity", "efficiency", "decay", "detectable", "χ²/ndf"]
    moments = sorted({row["at"] or "during counting" for row in summary.activities})
    return [
        *table(head, rows),
        f"Activities: {', '.join(moments)}; uncertainties are 1 σ, limits 95 %.",
        *warnings(summary),
    ]
