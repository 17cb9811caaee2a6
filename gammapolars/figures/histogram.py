"""Drawing of histograms: single, overlaid, with bands where counts are net, and compared in a panel below."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import plotnine as p9
import polars as pl
from plotnine.composition import Compose, Stack

from gammapolars.core.errors import UsageError
from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.facets import DETECTOR
from gammapolars.figures.finish import finish
from gammapolars.figures.geoms import geom_band, geom_filled_line
from gammapolars.figures.panels import panels
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import OVERLAY

BAND = "band: ±1σ"

POINTS = 1.2
"""Points of a comparison, for each letter that there would be room for."""

LEGEND_ROW = 0.22
"""Inches."""

KEY_LETTERS = 8
"""Room for the key of a legend next to its name, in letters."""

LINETYPES = ("solid", "dashed", "dotted", "dashdot")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")

WITH_PANEL = 1.5
"""How much higher a figure is with the panel below, which plotnine makes as high as the other."""


class Inputs:
    """The inputs of a figure, each with a colour, a type of line and a shape of its own; empty where there is one."""

    def __init__(self, names: Sequence[str], style: FigureStyle = SCREEN) -> None:
        """Inputs by their names, the reference first; the legend has as many columns as have room."""
        self.names = list(names)
        self.columns = max(1, style.letters // (max(map(len, names), default=0) + KEY_LETTERS))
        self.colours = dict(zip(names, cycle(house.LINE_PALETTE), strict=False))
        self.linetypes = dict(zip(names, cycle(LINETYPES), strict=False))
        self.shapes = dict(zip(names, cycle(SHAPES), strict=False))

    @property
    def height(self) -> float:
        """The legend's part of a figure's height, in inches of a window."""
        return LEGEND_ROW * -(-len(self.names) // self.columns)

    def __bool__(self) -> bool:
        """Whether there are several."""
        return bool(self.names)

    def scales(self, *aesthetics: str) -> list[Any]:
        """The scales of these aesthetics, with one legend for all of them."""
        legend = {"limits": self.names, "name": " "}
        guides = p9.guides(**{name: p9.guide_legend(ncol=self.columns) for name in aesthetics})
        made = {
            "color": lambda: p9.scale_color_manual(self.colours, **legend),
            "fill": lambda: p9.scale_fill_manual(self.colours, **legend),
            "linetype": lambda: p9.scale_linetype_manual(self.linetypes, **legend),
            "shape": lambda: p9.scale_shape_manual(self.shapes, **legend),
        }
        return [*(made[name]() for name in aesthetics), guides]


def has_band(frame: pl.DataFrame) -> bool:
    """Whether the variances of a histogram are other than its counts, as for net ones."""
    if "variance" not in frame.columns:
        return False
    off = (pl.col("variance") - pl.col("counts")).abs() > 1e-6 * pl.col("variance").abs().clip(lower_bound=1e-300)
    return bool(frame.select((off & (pl.col("variance") > 0)).any()).item())


def histogram_layers(frame: pl.DataFrame, x: str, inputs: Inputs, *, floor: float | None) -> list[Any]:
    """The layers of histograms with edges `left` and `right`, on an axis that begins at `floor` or is linear.

    Without several inputs, the area below the line is tinted where counts are not net.
    """
    points = bins.outline(frame, x)
    unc = pl.col("variance").clip(lower_bound=0).sqrt()
    ends = points.with_columns(bottom=pl.col("counts") - unc, top=pl.col("counts") + unc) if has_band(frame) else None
    if not inputs:
        line: dict[str, Any] = {"color": house.BLUE, "size": 0.35}
        if ends is None:
            base, edges = points.with_columns(base=pl.lit(floor or 0.0)), p9.aes(ymin="base", ymax="counts")
            return [geom_filled_line(edges, data=base, fill=house.BLUE, alpha=0.25, **line)]
        edges = p9.aes(x, "counts", ymin="bottom", ymax="top")
        return [geom_filled_line(edges, data=ends, inherit_aes=False, fill=house.SKY, alpha=0.45, **line)]
    layers: list[Any] = [p9.geom_path(p9.aes(color=OVERLAY, linetype=OVERLAY, group=OVERLAY), size=0.45)]
    if ends is None:
        return [*layers, *inputs.scales("color", "linetype")]
    fill = p9.aes(x, ymin="bottom", ymax="top", fill=OVERLAY)
    band = geom_band(fill, data=ends, inherit_aes=False, show_legend=False, alpha=0.2)
    return [band, *layers, *inputs.scales("color", "linetype", "fill")]


def comparison(
    table: pl.DataFrame, x: str, inputs: Inputs, compare: str, style: FigureStyle, columns: int = 1
) -> p9.ggplot:
    """The ratio or the difference of every other input to the first one, with bars of ±1σ.

    Bins are joined to fewer than those of the histograms, so that their scatter hides nothing; those in which the
    reference is not above 0 have no ratio.

    Raises:
        UsageError: the inputs' bins differ.
    """
    most = max(30, int(POINTS * style.letters / columns))
    frame, _ = bins.rebin(_with_variance(table), [*DETECTOR, "facet", OVERLAY], x, most, bin=style.bin)
    keys = [*DETECTOR, "facet", x]
    reference = frame.filter(pl.col(OVERLAY) == inputs.names[0]).select(*keys, c0="counts", v0="variance")
    others = frame.filter(pl.col(OVERLAY) != inputs.names[0]).join(reference, on=keys, maintain_order="left")
    if others.is_empty():
        raise UsageError(f"no {compare}: the inputs have no bins in common; rebin them to common edges first")
    counts, variance = pl.col("counts"), pl.col("variance")
    if compare == "ratio":
        others = others.filter(pl.col("c0") > 0)
        value = counts / pl.col("c0")
        unc = (variance + value**2 * pl.col("v0")).sqrt() / pl.col("c0")
    else:
        value, unc = counts - pl.col("c0"), (variance + pl.col("v0")).sqrt()
    points = others.with_columns(value=value, bottom=value - unc, top=value + unc)
    one = 1.0 if compare == "ratio" else 0.0
    ends = float(table[x].min()), float(table[x].max())  # type: ignore[arg-type]
    first = inputs.names[0]
    words = f"Ratio to {first}" if compare == "ratio" else f"Difference from {first}"
    plot = house.compose(
        p9.ggplot(points, p9.aes(x, "value", color=OVERLAY, shape=OVERLAY)),
        p9.geom_hline(yintercept=one, color=house.QUIET, size=0.4),
        p9.geom_linerange(p9.aes(ymin="bottom", ymax="top"), size=0.35),
        p9.geom_point(size=0.9, fill="white", stroke=0.4),
        inputs.scales("color", "shape"),
        panels("facet", ncol=columns) if points["facet"].n_unique() > 1 else [],
        p9.geom_blank(p9.aes("x", "y"), data=pl.DataFrame({"x": ends, "y": [one, one]}), inherit_aes=False),
        axes.number_axis(style.letters, expand=(0.005, 0)),
        p9.scale_y_continuous(labels=axes.number_labels),
        p9.coord_cartesian(ylim=_reach(points)) if compare == "ratio" else [],
        p9.labs(y=words if len(first) < 16 else words.split(maxsplit=1)[0]),
        house.house_theme(style),
        p9.theme(legend_position="none"),
    )
    return finish(plot, replace(style, title=None, range_y=None, log_y=None))


def _with_variance(table: pl.DataFrame) -> pl.DataFrame:
    """Poisson variances, where a table has none."""
    return table if "variance" in table.columns else table.with_columns(variance=pl.col("counts").clip(lower_bound=0))


def _reach(points: pl.DataFrame) -> tuple[float, float]:
    """The range of a panel of ratios: those that are known well, so that a few wild ones do not flatten the others."""
    good = points.filter((pl.col("top") - pl.col("bottom")) < pl.col("value").abs().clip(lower_bound=0.2))
    good = points if good.is_empty() else good
    low, high = float(good["value"].quantile(0.01) or 0.0), float(good["value"].quantile(0.99) or 1.0)
    low, high = min(low, 1.0), max(high, 1.0)
    room = max(0.2 * (high - low), 0.1)
    return low - room, high + room


def with_panel(upper: p9.ggplot, lower: p9.ggplot, style: FigureStyle) -> Compose:
    """Histograms with their comparison below, which has the axis along x for both."""
    label = upper.labels.x
    width, height = upper.theme.getp("figure_size")
    if not style.size_cm and style.theme != "slide":
        height *= WITH_PANEL
    upper = house.compose(upper, p9.labs(x=""), p9.theme(legend_position="top"))
    lower = house.compose(lower, p9.labs(x=label), p9.theme(figure_size=(width, height)))
    return Stack([upper, lower])
