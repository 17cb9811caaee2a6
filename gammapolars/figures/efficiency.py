"""Full-energy-peak efficiencies with the fitted curve, residuals below; a colour for each source."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import plotnine as p9
import polars as pl
from plotnine.composition import Compose, Stack

from gammapolars.core.errors import UsageError
from gammapolars.core.goodness import goodness
from gammapolars.figures import axes
from gammapolars.figures import theme as house
from gammapolars.figures.finish import finish
from gammapolars.figures.geoms import geom_band
from gammapolars.figures.style import SCREEN, FigureStyle

if TYPE_CHECKING:
    from gammapolars.activities import EfficiencyFit

STEPS = 200
NOTE = "band: ±1σ of the curve; error bars: ±1σ of area and intensity"
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")


def curve_energies(points: pl.DataFrame) -> list[float]:
    """The energies, in keV, at which a curve is drawn through points: from the lowest to the highest, even in ln E."""
    low, high = points["energy_kev"].min(), points["energy_kev"].max()
    return [] if low is None else np.geomspace(low, high, STEPS).tolist()  # type: ignore[arg-type]


def efficiency(
    points: "EfficiencyFit | pl.DataFrame | None",
    band: pl.DataFrame | None = None,
    *,
    title: str = "Full-energy-peak efficiency",
    note: str | None = None,
    style: FigureStyle = SCREEN,
) -> p9.ggplot | Compose:
    """Points with error bars and the fitted curve with its band, both axes logarithmic; residuals in per cent below.

    The error bars exclude the uncertainty of the activity, which all points of a source share; it is in the band.

    Args:
        points: a fit, as from `gp.fit_efficiency`; or only its points: `energy_kev`, `efficiency`,
            `efficiency_unc_area`, `efficiency_unc_intensity`, `source`, `fitted`; None: curves only.
        band: `energy_kev`, `efficiency`, `efficiency_unc`: the curve at `curve_energies(points)`; without points, of
            several detectors by `name`. A fit has its own.
        title: title of the figure.
        note: text for the subtitle, such as χ²; None: the meaning of band and error bars.
        style: style of the figure.
    """
    if points is not None and not isinstance(points, pl.DataFrame):
        default = f"{goodness(points.chi2, points.ndf)}; {NOTE}"
        return efficiency(
            points.points, points.band(curve_energies(points.points)), title=title, note=note or default, style=style
        )
    if band is None:
        raise UsageError("efficiency points need their curve: give the band, or the fit instead of both")
    if points is None:
        return _curves(band, title, note, style)
    if points.is_empty():
        return house.no_data(title, "no data: no line has an efficiency", style)
    sources = points["source"].unique(maintain_order=True).to_list()
    names = house.short_names((house.plain(source) for source in sources), 40)
    labels = pl.DataFrame({"source": sources, "label": pl.Series(names, dtype=pl.Enum(names))})
    table, curve = _with_ends(points.join(labels, on="source", how="left", maintain_order="left"), band)
    colours, shapes = (dict(zip(names, cycle(values), strict=False)) for values in (house.PALETTE, SHAPES))
    scales = (
        p9.scale_color_manual(colours, limits=names),
        p9.scale_shape_manual(shapes, limits=names),
        p9.scale_x_log10(breaks=_breaks, labels=axes.number_labels),
    )
    look = {"data": curve, "inherit_aes": False, "fill": house.SKY, "alpha": 0.35}
    upper = house.compose(
        p9.ggplot(table, p9.aes("energy_kev", "efficiency", color="label", shape="label")),
        geom_band(p9.aes("energy_kev", ymin="low", ymax="high"), **look),
        p9.geom_line(p9.aes("energy_kev", "efficiency"), data=curve, inherit_aes=False, color=house.QUIET, size=0.6),
        p9.geom_linerange(p9.aes(ymin="low", ymax="high"), size=0.6, show_legend=False),
        p9.geom_point(size=2, fill="white"),
        *scales,
        p9.scale_y_log10(
            breaks=_breaks,
            minor_breaks=axes.minor_power_breaks,
            labels=_plain_numbers,
        ),
        p9.labs(title=title, subtitle=note or NOTE, x="", y="Full-energy-peak efficiency", color="", shape=""),
        house.house_theme(style, height=7.0),
        p9.theme(legend_position="top" if len(names) > 1 else "none"),
    )
    lower = house.compose(
        p9.ggplot(table, p9.aes("energy_kev", "residual", color="label", shape="label")),
        geom_band(p9.aes("energy_kev", ymin="below", ymax="above"), **look),
        p9.geom_hline(yintercept=0, color=house.QUIET, size=0.4),
        p9.geom_linerange(p9.aes(ymin="residual - bar", ymax="residual + bar"), size=0.6),
        p9.geom_point(size=2, fill="white"),
        *scales,
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.labs(x="Energy (keV)", y="Point − curve (%)"),
        house.house_theme(style, height=7.0),
        p9.theme(legend_position="none"),
    )
    below = replace(style, title=None, range_y=None, log_y=None)
    return Stack([finish(upper, style), finish(lower, below)])


def _curves(band: pl.DataFrame, title: str, note: str | None, style: FigureStyle) -> p9.ggplot:
    """The curves of detectors with their bands, without points."""
    if band.is_empty():
        return house.no_data(title, "no data: no detector has an efficiency", style)
    found = band["name"].unique(maintain_order=True).to_list() if "name" in band.columns else [""]
    names = house.short_names((house.plain(name) for name in found), 40)
    name = pl.col("name").replace_strict(found, names) if "name" in band.columns else pl.lit("")
    value, unc = pl.col("efficiency"), pl.col("efficiency_unc")
    curves = band.with_columns(
        name.cast(pl.Enum(names)).alias("label"), low=pl.max_horizontal(value - unc, value / 10), high=value + unc
    )
    colours = dict(zip(names, cycle(house.PALETTE), strict=False))
    dashes = dict(zip(names, cycle(("solid", "dashed", "dashdot", "dotted")), strict=False))
    plot = house.compose(
        p9.ggplot(curves, p9.aes("energy_kev", "efficiency", color="label", linetype="label")),
        geom_band(p9.aes(ymin="low", ymax="high", fill="label"), alpha=0.2, color="none"),
        p9.geom_line(size=0.7),
        p9.scale_color_manual(colours, limits=names),
        p9.scale_fill_manual(colours, limits=names),
        p9.scale_linetype_manual(dashes, limits=names),
        p9.scale_x_log10(breaks=_breaks, labels=axes.number_labels),
        p9.scale_y_log10(breaks=_breaks, minor_breaks=axes.minor_power_breaks, labels=_plain_numbers),
        p9.labs(
            title=title,
            subtitle=note or "band: ±1σ of the curve",
            x="Energy (keV)",
            y="Full-energy-peak efficiency",
            **dict.fromkeys(("color", "fill", "linetype"), ""),
        ),
        house.house_theme(style, height=4.8),
        p9.theme(legend_position="top" if len(names) > 1 else "none"),
    )
    return finish(plot, style)


def _plain_numbers(values: Sequence[float]) -> list[str]:
    return [f"{value:g}" for value in values]


def _with_ends(points: pl.DataFrame, band: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The ends of bars and bands; ends at or below 0 have no logarithm and stop at a tenth of the value."""
    own = (pl.col("efficiency_unc_area").pow(2) + pl.col("efficiency_unc_intensity").pow(2)).sqrt()
    value = pl.col("efficiency")
    table = points.with_columns(
        low=pl.max_horizontal(value - own, value / 10),
        high=value + own,
        residual=100 * (value / pl.col("fitted") - 1),
        bar=100 * own / pl.col("fitted"),
    )
    unc = pl.col("efficiency_unc")
    curve = band.with_columns(
        low=pl.max_horizontal(value - unc, value / 10),
        high=value + unc,
        above=100 * unc / value,
        below=-100 * unc / value,
    )
    return table, curve


def _breaks(limits: tuple[float, float]) -> list[float]:
    """1, 2 and 5 times the powers of ten within the limits; more digits where these are few."""
    low, high = limits
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        breaks = [digit * power for power in powers for digit in digits if low <= digit * power <= high]
        if len(breaks) > 2:
            break
    return breaks
