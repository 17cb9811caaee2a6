"""A time spectrum with the fit of lifetimes and its parts."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import plotnine as p9
import polars as pl
from plotnine.composition import Compose, Stack

from gammapolars.core.units import PS_PER_UNIT
from gammapolars.figures import axes
from gammapolars.figures import theme as house
from gammapolars.figures.finish import finish
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import Frame, collected, require

if TYPE_CHECKING:
    from gammapolars.lifetimes import LifetimeFit

MOST_BINS = 500

MOST_POINTS = 2000
ENOUGH = 20.0
"""Counts that the fit expects in a bin of the residuals, so that they are nearly normal."""

FIT, PROMPT, CHANCE = "fit", "prompt peak", "random coincidences"


def lifetime(
    fit: "LifetimeFit | Frame", *, title: str = "Time differences of start and stop", style: FigureStyle = SCREEN
) -> p9.ggplot | Compose:
    """Counts on a logarithmic scale, the fit, and its parts: prompt peak, decays, random coincidences; residuals below.

    Args:
        fit: from `fit_lifetime`, or the table that the command `lifetime` writes, which has only its curves.
        title: title of the figure.
        style: style of the figure.

    Raises:
        TableError: a table of something else.
    """
    curves = collected(fit) if isinstance(fit, pl.DataFrame | pl.LazyFrame) else fit.curves
    require(curves, "time differences with their fit", ("dt_ps", "width_ps", "counts", "fit", "prompt", "chance"))
    if curves.is_empty():
        return house.no_data(title, "no data: there are no pairs", style)
    result = None if isinstance(fit, pl.DataFrame | pl.LazyFrame) else _result_text(fit)
    unit = next((unit for unit in ("ms", "us", "ns") if _span_ps(curves) > 5 * PS_PER_UNIT[unit]), "ps")
    return Stack([_spectrum(curves, result, unit, title, style), _residuals(curves, unit, style)])


def _spectrum(curves: pl.DataFrame, result: str | None, unit: str, title: str, style: FigureStyle) -> p9.ggplot:
    table = _coarse_bins(curves)
    decays = [name for name in curves.columns if name.startswith("decay_")]
    ends = _ends(curves, PS_PER_UNIT[unit])
    scale = PS_PER_UNIT[unit]
    width = float(table["width_ps"][0]) / scale
    floor = 0.5
    counts = table.select(time=pl.col("dt_ps") / scale, counts=pl.col("counts"))
    parts = [FIT, *(f"lifetime {place}" for place in range(1, len(decays) + 1)), PROMPT, CHANCE]
    columns = ["fit", *decays, "prompt", "chance"]
    curves = pl.concat(
        table.select(
            time=pl.col("dt_ps") / scale + width / 2,
            counts=pl.col(column),
            part=pl.lit(part).cast(pl.Enum(parts)),
        )
        for part, column in zip(parts, columns, strict=True)
    ).filter(pl.col("counts") > floor)
    visible = [part for part in parts if part in curves["part"].unique().to_list()]
    colours = [house.ORANGE, *[house.GREEN, house.SKY][: len(decays)], house.AMBER, house.QUIET]
    plot = house.compose(
        p9.ggplot(counts, p9.aes("time", "counts")),
        p9.geom_step(direction="hv", color=house.BLUE, size=0.4),
        p9.geom_line(p9.aes(color="part", linetype="part"), data=curves, size=0.7),
        p9.scale_color_manual(dict(zip(parts, colours, strict=True)), limits=visible),
        p9.scale_linetype_manual({part: "solid" if part == FIT else "dashed" for part in parts}, limits=visible),
        axes.number_axis(style.letters, expand=(0, 0), limits=ends),
        axes.log_axis(floor),
        p9.labs(
            title=title,
            subtitle=result,
            x="",
            y=f"Counts per {width:.4g} {unit.replace('us', 'µs')}",
            color="",
            linetype="",
        ),
        house.house_theme(style, height=6.0),
        p9.theme(legend_position="top"),
    )
    return finish(plot, style)


def _residuals(curves: pl.DataFrame, unit: str, style: FigureStyle) -> p9.ggplot:
    """How many standard deviations of their expectation counts lie above the fit, in bins that expect enough."""
    table = _residual_bins(curves)
    scale = PS_PER_UNIT[unit]
    points = table.select(
        time=(pl.col("dt_ps") + pl.col("width_ps") / 2) / scale,
        sigma=(pl.col("counts") - pl.col("fit")) / pl.col("fit").sqrt(),
    )
    reach = max(4.0, float(points["sigma"].abs().max() or 0.0) * 1.1)  # type: ignore[arg-type]
    plot = house.compose(
        p9.ggplot(points, p9.aes("time", "sigma")),
        p9.geom_hline(yintercept=[-2.0, 2.0], color=house.QUIET, size=0.3, linetype="dashed"),
        p9.geom_hline(yintercept=0.0, color=house.ORANGE, size=0.7),
        p9.geom_point(color=house.BLUE, size=1.2, stroke=0),
        axes.number_axis(style.letters, expand=(0, 0), limits=_ends(curves, scale)),
        p9.scale_y_continuous(limits=(-reach, reach), labels=axes.number_labels),
        p9.labs(x=f"Stop time − start time ({unit.replace('us', 'µs')})", y="Counts − fit (σ)"),
        house.house_theme(style, height=6.0),
    )
    return finish(plot, replace(style, title=None, range_y=None, log_y=None))


def _result_text(fit: "LifetimeFit") -> str:
    if not fit.components:
        if fit.upper_limit_ps is None:
            return "no lifetime is resolved, and no upper limit can be given"
        return f"no lifetime is resolved: τ < {_time(fit.upper_limit_ps)} (95 % confidence)"
    taus = ", ".join(_time(part.lifetime_ps, part.lifetime_ps_unc) for part in fit.components)
    return f"lifetime {taus}; χ²/ndf = {fit.chi2:.1f}/{fit.ndf}"


def _time(value_ps: float, unc_ps: float = 0.0) -> str:
    """A time in the unit that suits it, with two digits of its uncertainty, or three of its own where it has none."""
    unit = next((unit for unit in ("ms", "us", "ns") if value_ps > PS_PER_UNIT[unit]), "ps")
    value, unc = value_ps / PS_PER_UNIT[unit], unc_ps / PS_PER_UNIT[unit]
    if unc > 0:
        places = max(0, 1 - int(np.floor(np.log10(unc))))
        numbers = f"{value:.{places}f} ± {unc:.{places}f}"
    else:
        numbers = f"{value:.3g}"
    return f"{numbers} {unit.replace('us', 'µs')}"


def _ends(curves: pl.DataFrame, scale: int) -> tuple[float, float]:
    """Where the first bin begins and the last one ends."""
    first, last = int(curves["dt_ps"][0]), int(curves["dt_ps"][-1]) + int(curves["width_ps"][-1])
    return first / scale, last / scale


def _span_ps(curves: pl.DataFrame) -> int:
    return int(curves["dt_ps"][-1]) - int(curves["dt_ps"][0])


def _residual_bins(curves: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring bins added up until the fit expects enough, and no more of them than the eye resolves."""
    enough = max(ENOUGH, float(curves["fit"].sum()) / MOST_POINTS)
    group = (pl.col("fit").cum_sum() / enough).floor().cast(pl.Int64)
    return (
        curves.group_by(group.alias("group"), maintain_order=True)
        .agg(pl.col("dt_ps").first(), pl.col("width_ps", "counts", "fit").sum())
        .filter(pl.col("fit") >= ENOUGH / 2)
    )


def _coarse_bins(curves: pl.DataFrame) -> pl.DataFrame:
    """No more bins than the eye resolves: neighbours are added up."""
    factor = -(-curves.height // MOST_BINS)
    if factor == 1:
        return curves
    sums = pl.exclude("dt_ps").sum()
    whole = curves.head(curves.height // factor * factor)
    return (
        whole.group_by(pl.int_range(pl.len()) // factor, maintain_order=True)
        .agg(pl.col("dt_ps").first(), sums)
        .drop("literal", strict=False)
        .select(*curves.columns)
    )
