"""A user's choices for the look of a figure, applied to any figure."""

import math
import textwrap
from typing import Any

import plotnine as p9
import polars as pl

from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.style import FigureStyle

TEXTS = ("geom_text", "geom_label", "geom_places")
"""Layers of labels."""


def finish(plot: p9.ggplot, style: FigureStyle) -> p9.ggplot:
    """A figure with the titles, axes, ranges and sizes that were chosen; what was not chosen stays as it is."""
    _set_titles(plot, style)
    plot.layers[:] = [layer for layer in plot.layers if style.labels or type(layer.geom).__name__ not in TEXTS]
    for layer in plot.layers:
        for name in ("size", "stroke"):
            if isinstance(value := layer.geom.aes_params.get(name), int | float):
                layer.geom.aes_params[name] = value * style.scale
        if radius := layer.geom.params.get("radius"):
            layer.geom.params["radius"] = radius * style.scale
    return _with_ranges(_with_axes(plot, style), style)


def _set_titles(plot: p9.ggplot, style: FigureStyle) -> None:
    """The title, and the lines of title and subtitle as long as the figure is wide."""
    if style.title is not None:
        plot.labels.title = house.plain(style.title) or None
    if plot.labels.title:
        plot.labels.title = wrapped(plot.labels.title, int(style.letters / 1.5))
    if plot.labels.subtitle:
        plot.labels.subtitle = wrapped(plot.labels.subtitle, int(style.letters * 1.05))


def wrapped(text: str, letters: int) -> str:
    """A text in lines of at most as many letters; words that are longer are cut."""
    return "\n".join(line for part in text.split("\n") for line in textwrap.wrap(part, letters) or [""])


def _with_axes(plot: p9.ggplot, style: FigureStyle) -> p9.ggplot:
    """The plot with logarithmic or linear axes, where others were chosen than it has."""
    for side, wanted in (("x", style.log_x), ("y", style.log_y)):
        scale = plot.scales.get_scales(side)
        if wanted is None or scale is None or _is_logarithmic(scale) == wanted:
            continue
        expand = {"expand": scale.expand} if scale.expand else {}
        if wanted:
            make = axes.log_x_axis if side == "x" else axes.log_axis
            replacement: Any = make(_floor(plot, side), **expand)
        else:
            replacement = axes.number_axis(style.letters // 2, **expand) if side == "x" else axes.count_axis()
        plot.scales[:] = [one for one in plot.scales if one is not scale]
        plot = house.compose(plot, replacement)
    return plot


def _is_logarithmic(scale: Any) -> bool:
    return "log10" in type(scale.trans).__name__.lower() or scale.trans == "log10"


def _floor(plot: p9.ggplot, side: str) -> float:
    """Where a logarithmic axis begins."""
    column = plot.mapping.get(side)
    if not isinstance(plot.data, pl.DataFrame) or column not in plot.data.columns:
        return 1e-300
    values = plot.data[column].cast(pl.Float64)
    if side == "y":
        return bins.log_floor(values)
    positive = values.filter(values > 0)
    return float(positive.sort()[0]) if len(positive) else 1.0


def _with_ranges(plot: p9.ggplot, style: FigureStyle) -> p9.ggplot:
    """The plot cut off at the ranges; nothing is left out of what lines and bands are drawn from."""
    if style.range_x is None and style.range_y is None:
        return plot
    coordinates = plot.coordinates
    limits = {"xlim": style.range_x, "ylim": style.range_y}
    if isinstance(coordinates, p9.coord_fixed):
        return house.compose(plot, p9.coord_fixed(coordinates.ratio, **limits, expand=False))
    for side, chosen in (("x", style.range_x), ("y", style.range_y)):
        if chosen is not None and (scale := plot.scales.get_scales(side)) is not None:
            scale.expand = (0, 0)
    return house.compose(plot, p9.coord_cartesian(**limits))


def is_inside(values: pl.Expr, range_: tuple[float, float] | None) -> pl.Expr:
    """Whether values lie in a range, or there is none."""
    low, high = range_ or (-math.inf, math.inf)
    return values.is_between(low, high)
