"""The house's look: one theme, one palette, one way to name a facet and to say "no data"."""

import math
import textwrap
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import plotnine as p9
import polars as pl

from gammapolars.figures.panels import one_panel
from gammapolars.figures.style import SCREEN, FigureStyle

INK = "#1f2933"
QUIET = "#66727f"
GRID = "#e3e8ed"
BLUE = "#0072b2"
SKY = "#56b4e9"
ORANGE = "#d55e00"
AMBER = "#e69f00"
GREEN = "#009e73"
PALETTE = (BLUE, ORANGE, GREEN, AMBER, SKY, "#cc79a7", "#f0e442", INK)
"""After Okabe and Ito: distinguishable with every common colour blindness."""

LINE_PALETTE = (BLUE, ORANGE, GREEN, INK, AMBER, "#cc79a7", SKY)
"""The same for lines, which are thin: without yellow, and those that are light come last."""

FONT = "sans-serif"
"""DejaVu Sans, which comes with matplotlib, and its substitutes in other programs; see `image.SETTINGS`."""

DIFFERENCE = "Time of the second detector − time of the first (ns)"
"""The axis of time differences."""

MAX_FACETS = 36


def house_theme(style: FigureStyle = SCREEN, *, height: float = 4.5, wide: float = 1.0) -> p9.theme:
    """The theme of every figure, of the style's size; in a window, `height` inches high and as `wide` as others."""
    width = style.width * (wide if style.theme == "screen" and not style.size_cm else 1)
    points = style.points
    thin, thick = 0.4 * style.scale, 0.6 * style.scale
    tick = 4 * style.scale
    house: p9.theme = p9.theme_minimal(base_size=points, base_family=FONT) + p9.theme(
        figure_size=(width, style.height(height)),
        dpi=style.resolution,
        text=p9.element_text(color=INK),
        plot_title=p9.element_text(size=1.3 * points, weight="bold", ha="left"),
        plot_subtitle=p9.element_text(size=0.9 * points, color=QUIET, ha="left"),
        plot_title_position="plot",
        plot_background=p9.element_rect(fill="white", color="white"),
        panel_border=p9.element_rect(color="#9aa5b1", fill=None, size=thick),
        panel_grid_major=p9.element_line(color=GRID, size=thick),
        panel_grid_minor=p9.element_line(color="#f1f4f6", size=thin),
        axis_ticks_major=p9.element_line(color=QUIET, size=thick),
        axis_ticks_minor=p9.element_line(color=QUIET, size=thin),
        axis_ticks_length_major=tick,
        axis_ticks_length_minor=tick / 2,
        axis_text=p9.element_text(size=0.85 * points, color=INK),
        axis_title=p9.element_text(size=points),
        strip_text=p9.element_text(size=0.9 * points, weight="bold", ha="left"),
        strip_background=p9.element_blank(),
        panel_spacing_x=0.035,
        panel_spacing_y=0.02,
        legend_position="right",
        legend_title=p9.element_text(size=0.9 * points),
        legend_text=p9.element_text(size=0.85 * points),
    )
    return house


def legend_below() -> p9.theme:
    """The legend below the facets."""
    return p9.theme(legend_position="bottom")


def text(data: pl.DataFrame, mapping: p9.aes, **more: Any) -> p9.geom_text:
    """Labels in the figure's font."""
    return p9.geom_text(mapping, data=data, family=FONT, **more)


def no_data(title: str, why: str = "no data", style: FigureStyle = SCREEN) -> p9.ggplot:
    """A figure that says, below the title it would have had, why there is nothing to draw."""
    title = title if style.title is None else plain(style.title)
    words = "\n".join(textwrap.wrap(plain(why), int(0.7 * style.letters)))
    nothing = pl.DataFrame({"x": [0.0], "y": [0.0], "label": [words]})
    return compose(
        p9.ggplot(nothing, p9.aes("x", "y", label="label")),
        p9.geom_text(color=QUIET, size=1.4 * style.points, family=FONT),
        p9.labs(title="\n".join(textwrap.wrap(title, int(0.7 * style.letters)))),
        p9.theme_void(base_family=FONT),
        p9.theme(
            figure_size=(style.width, style.height(2.2)),
            dpi=style.resolution,
            plot_title=p9.element_text(size=1.3 * style.points, weight="bold", color=INK, ha="left"),
            plot_title_position="plot",
            plot_background=p9.element_rect(fill="white", color="white"),
            plot_margin=0.02,
        ),
    )


def compose(plot: p9.ggplot, *parts: Any) -> p9.ggplot:
    """A plot with its layers, scales and theme added in order, as `plot + part + …` would.

    plotnine's own annotations give `+` a type that no checker can follow; here it is stated once.
    """
    figure: Any = deepcopy(plot)  # once, where `+` does so for each part
    if type(figure.facet) is p9.facet_null:
        figure += one_panel()
    for part in parts:
        figure += part
    return figure


def columns_for(facets: int, style: FigureStyle = SCREEN) -> int:
    """How many facets are side by side."""
    columns = next((columns for most, columns in ((4, 1), (8, 2), (15, 3)) if facets <= most), 4)
    if style.theme == "slide":
        columns = math.ceil(math.sqrt(facets))
    return min(columns, max(1, style.letters // LEAST_LETTERS))


LEAST_LETTERS = 28
"""Room of a facet side by side with others, in letters."""


def height_for(facets: int, columns: int, *, alone: float = 4.4) -> float:
    """The height in inches of a figure of some facets, lower rows where there are many; that of one facet `alone`."""
    if facets == 1:
        return alone
    row = {1: 2.1, 2: 2.1, 3: 1.9}.get(columns, 1.65)
    return 1.2 + row * math.ceil(facets / columns)


def capital(text: str) -> str:
    """Text as the title of an axis, with a capital letter."""
    return text[:1].upper() + text[1:]


def plain(text: str) -> str:
    """Text as matplotlib should show it: on one line, and with no `$` that begins a formula."""
    return " ".join(text.split()).replace("$", r"\$")


def short_names(names: Iterable[str], most: int) -> list[str]:
    """Names for facets: those longer than `most` characters lose their middle, and two that would become alike are
    numbered.
    """
    seen_names: set[str] = set()
    short_forms = []
    for name in names:
        short = name if len(name) <= most else f"{name[: most // 2]}…{name[len(name) - most // 2 + 1 :]}"
        candidate, number = short, 2
        while candidate in seen_names:
            candidate, number = f"{short} ({number})", number + 1
        seen_names.add(candidate)
        short_forms.append(plain(candidate))
    return short_forms


def name_room(columns: int, style: FigureStyle = SCREEN) -> int:
    """How many characters of a name have room above a facet."""
    return int(0.75 * style.letters / columns)
