"""An angular correlation with its fit, and the theoretical curve."""

from typing import TYPE_CHECKING

import numpy as np
import plotnine as p9
import polars as pl

from gammapolars.core.goodness import goodness
from gammapolars.core.types import Floats
from gammapolars.figures import axes
from gammapolars.figures import theme as house
from gammapolars.figures.finish import finish
from gammapolars.figures.geoms import geom_band
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import Frame, collected, require

if TYPE_CHECKING:
    from gammapolars.angular import AngularFit

FIT = "fit ± 1σ"
FIT_ALONE = "fit"


def angular(
    fit: "AngularFit | Frame",
    *,
    expected: tuple[float, float] | None = None,
    expected_name: str | None = None,
    title: str = "Angular correlation",
    style: FigureStyle = SCREEN,
) -> p9.ggplot:
    """W(θ) at each angle with its uncertainty, the fit with its ±1σ band, and theory.

    Args:
        fit: from `angular_correlation` or `fit_legendre`; or the table that the command `angular` writes, whose fit
            has no band.
        expected: theoretical a2 and a4, which are attenuated for the size of the detectors as the fit is; None: none.
        expected_name: its name in the legend.
        title: title of the figure.
        style: style of the figure.
    """
    angles = np.linspace(0, 180, 181)
    if isinstance(fit, pl.DataFrame | pl.LazyFrame):
        of_angles = collected(fit)
        require(of_angles, "angular correlations", ("angle_deg", "w", "w_unc", "fit"))
        if of_angles.is_empty():
            return house.no_data(title, "no data: there are no angles", style)
        curve, result, attenuation, of_fit = *_curve_of(of_angles, angles), (1.0, 1.0), FIT_ALONE
    else:
        of_angles, curve, result, attenuation = fit.table, fit.curve(angles), _coefficients(fit), fit.attenuation
        of_fit = FIT
    names = [of_fit]
    curves = [curve.select("angle_deg", "w", curve=pl.lit(of_fit))]
    if expected is not None:
        names.append(house.plain(expected_name or "theory"))
        w = 1 + _attenuated_series(angles, expected, attenuation)
        curves.append(pl.DataFrame({"angle_deg": angles, "w": w}).with_columns(curve=pl.lit(names[1])))
    lines = pl.concat(curves).with_columns(pl.col("curve").cast(pl.Enum(names)))
    points, band = (
        table.with_columns(low=pl.col("w") - pl.col("w_unc"), high=pl.col("w") + pl.col("w_unc"))
        for table in (of_angles, curve)
    )
    plot = house.compose(
        p9.ggplot(points, p9.aes("angle_deg", "w")),
        p9.geom_hline(yintercept=1, color=house.QUIET, size=0.4),
        geom_band(p9.aes(ymin="low", ymax="high"), data=band, fill=house.SKY, alpha=0.3),
        p9.geom_line(p9.aes(color="curve", linetype="curve"), data=lines, size=0.8),
        p9.geom_linerange(p9.aes(ymin="low", ymax="high"), color=house.INK, size=0.6),
        p9.geom_point(color=house.INK, fill="white", size=2.2),
        p9.scale_color_manual(dict(zip(names, (house.BLUE, house.ORANGE), strict=False)), limits=names),
        p9.scale_linetype_manual(dict(zip(names, ("solid", "dashed"), strict=False)), limits=names),
        p9.scale_x_continuous(breaks=list(range(0, 181, 30)), labels=axes.number_labels, expand=(0.02, 0)),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(
            title=title,
            subtitle=result,
            x="Angle between the detectors (degrees)",
            y="W(θ) / A0",
            color="",
            linetype="",
        ),
        house.house_theme(style, height=4.8),
        house.legend_below(),
    )
    return finish(plot, style)


def _curve_of(table: pl.DataFrame, angles: Floats) -> tuple[pl.DataFrame, str]:
    """The curve through the fit at the angles of a table, without a band, and its coefficients."""
    cosines = np.cos(np.radians(table["angle_deg"].to_numpy()))
    terms = np.stack([np.polynomial.legendre.legval(cosines, row) for row in ([0, 0, 1], [0, 0, 0, 0, 1])], axis=1)
    orders = min(2, np.unique(np.round(np.abs(cosines), 3)).size)
    found = np.linalg.lstsq(terms[:, :orders], table["fit"].to_numpy() - 1, rcond=None)[0]
    a2, a4 = (*found.tolist(), 0.0)[:2]
    w = 1 + _attenuated_series(angles, (a2, a4), (1.0, 1.0))
    of_a4 = f", a4 = {a4:.4f}" if abs(a4) > 1e-6 else ""
    text = f"a2 = {a2:.4f}{of_a4} (fit, as measured)".replace("-", "\N{MINUS SIGN}")
    return pl.DataFrame({"angle_deg": angles, "w": w, "w_unc": np.zeros_like(w)}), text


def _attenuated_series(
    angles_deg: Floats,
    coefficients: tuple[float, float],
    attenuation: tuple[float, float],
) -> Floats:
    series = [0.0, 0.0, coefficients[0] * attenuation[0], 0.0, coefficients[1] * attenuation[1]]
    return np.asarray(np.polynomial.legendre.legval(np.cos(np.radians(angles_deg)), series), np.float64)


def _coefficients(fit: "AngularFit") -> str:
    """The coefficients and χ², corrected ones in a line of their own."""

    def coefficients(a2: float, a2_unc: float, a4: float, a4_unc: float) -> str:
        of_a4 = f", a4 = {a4:.4f} ± {a4_unc:.4f}" if a4_unc else ""
        return f"a2 = {a2:.4f} ± {a2_unc:.4f}{of_a4}"

    text = f"{coefficients(fit.a2, fit.a2_unc, fit.a4, fit.a4_unc)} as measured; {goodness(fit.chi2, fit.ndf)}"
    if fit.attenuation != (1.0, 1.0):
        corrected = coefficients(fit.a2_point, fit.a2_point_unc, fit.a4_point, fit.a4_point_unc)
        text += f"\n{corrected} corrected for detector size"
    return text.replace("-", "\N{MINUS SIGN}")
