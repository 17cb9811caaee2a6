"""A time spectrum with the fit of lifetimes and its parts."""

# mypy: allow-untyped-calls

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from plotnine import (
    aes,
    geom_line,
    geom_step,
    ggplot,
    labs,
    scale_color_manual,
    scale_linetype_manual,
    scale_x_continuous,
    scale_y_log10,
    theme,
)

from gammapolars.figures import theme as house
from gammapolars.units import PS_PER_UNIT

if TYPE_CHECKING:
    from gammapolars.lifetimes.results import LifetimeFit

MOST_BINS = 500
FIT, PROMPT, CHANCE = "fit", "prompt peak", "chance"


def lifetime(fit: "LifetimeFit", *, title: str = "Time differences of start and stop") -> ggplot:
    """Counts on a logarithmic scale, the fit, and its parts: prompt peak, decays, chance.

    Args:
        fit: from `fit_lifetime`.
        title: what the figure shows.
    """
    table = _joined(fit.curves)
    unit = next((unit for unit in ("ms", "us", "ns") if _span_ps(fit.curves) > 5 * PS_PER_UNIT[unit]), "ps")
    scale = PS_PER_UNIT[unit]
    width = float(table["width_ps"][0]) / scale
    floor = 0.5
    counted = table.select(time=pl.col("dt_ps") / scale, counts=pl.col("counts").clip(lower_bound=floor))
    parts = [FIT, *(f"lifetime {place}" for place in range(1, len(fit.components) + 1)), PROMPT, CHANCE]
    columns = ["fit", *(f"decay_{place}" for place in range(1, len(fit.components) + 1)), "prompt", "chance"]
    curves = pl.concat(
        table.select(
            time=pl.col("dt_ps") / scale + width / 2,
            counts=pl.col(column),
            part=pl.lit(part).cast(pl.Enum(parts)),
        )
        for part, column in zip(parts, columns, strict=True)
    ).filter(pl.col("counts") > floor)
    colours = [house.ORANGE, *[house.GREEN, house.SKY][: len(fit.components)], house.AMBER, house.QUIET]
    return house.compose(
        ggplot(counted, aes("time", "counts")),
        geom_step(direction="hv", color=house.BLUE, size=0.4),
        geom_line(aes(color="part", linetype="part"), data=curves, size=0.7),
        scale_color_manual(dict(zip(parts, colours, strict=True)), limits=parts),
        scale_linetype_manual({part: "solid" if part == FIT else "dashed" for part in parts}, limits=parts),
        scale_x_continuous(expand=(0, 0), labels=house.number_labels),
        scale_y_log10(breaks=house.power_breaks, minor_breaks=house.minor_power_breaks, labels=house.power_labels),
        labs(
            title=title,
            subtitle=_found(fit),
            x=f"time of the stop − time of the start ({unit.replace('us', 'µs')})",
            y=f"counts per {width:.4g} {unit.replace('us', 'µs')}",
            color="",
            linetype="",
        ),
        house.house_theme(height=4.4),
        theme(legend_position="bottom"),
    )


def _found(fit: "LifetimeFit") -> str:
    def text(value: float, unc: float) -> str:
        unit = next((unit for unit in ("ms", "us", "ns") if value > PS_PER_UNIT[unit]), "ps")
        places = max(0, 1 - int(np.floor(np.log10(unc / PS_PER_UNIT[unit])))) if unc > 0 else 3
        numbers = f"{value / PS_PER_UNIT[unit]:.{places}f} ± {unc / PS_PER_UNIT[unit]:.{places}f}"
        return f"{numbers} {unit.replace('us', 'µs')}"

    if not fit.components:
        return f"no lifetime is resolved: less than {text(fit.upper_limit_ps or 0.0, 0.0).partition(' ±')[0]} (95 %)"
    taus = ", ".join(text(part.lifetime_ps, part.lifetime_ps_unc) for part in fit.components)
    return f"lifetime {taus}; χ²/ndf = {fit.chi2:.1f}/{fit.ndf}"


def _span_ps(curves: pl.DataFrame) -> int:
    return int(curves["dt_ps"][-1]) - int(curves["dt_ps"][0])


def _joined(curves: pl.DataFrame) -> pl.DataFrame:
    """No more bins than can be told apart: neighbours are added up."""
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
