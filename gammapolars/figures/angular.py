"""An angular correlation with its fit."""

# mypy: allow-untyped-calls

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from plotnine import aes, geom_errorbar, geom_line, geom_point, ggplot, labs, scale_x_continuous, scale_y_continuous

from gammapolars.figures import theme as house

if TYPE_CHECKING:
    from gammapolars.angular.correlation import AngularFit


def angular(fit: "AngularFit", *, title: str = "Angular correlation") -> ggplot:
    """W(θ) of each angle with its uncertainty, and the fitted Legendre polynomials.

    Args:
        fit: from `angular_correlation`.
        title: what the figure shows.
    """
    cosine = np.cos(np.radians(np.linspace(0, 180, 181)))
    p2, p4 = (3 * cosine**2 - 1) / 2, (35 * cosine**4 - 30 * cosine**2 + 3) / 8
    curve = pl.DataFrame({"angle_deg": np.linspace(0, 180, 181), "w": 1 + fit.a2 * p2 + fit.a4 * p4})
    points = fit.table.with_columns(low=pl.col("w") - pl.col("w_unc"), high=pl.col("w") + pl.col("w_unc"))
    return house.compose(
        ggplot(points, aes("angle_deg", "w")),
        geom_line(data=curve, color=house.ORANGE, size=0.8),
        geom_errorbar(aes(ymin="low", ymax="high"), width=2, color=house.BLUE, size=0.5),
        geom_point(color=house.BLUE, size=1.8),
        scale_x_continuous(breaks=list(range(0, 181, 30)), labels=house.number_labels),
        scale_y_continuous(labels=house.number_labels),
        labs(
            title=title,
            subtitle=f"a2 = {fit.a2:.4f} ± {fit.a2_unc:.4f}, a4 = {fit.a4:.4f} ± {fit.a4_unc:.4f}; "
            f"χ²/ndf = {fit.chi2:.1f}/{fit.ndf}",
            x="angle between the detectors (degrees)",
            y="W(θ) / A0",
        ),
        house.house_theme(height=4.0),
    )
