"""The house's look: one theme, one palette, one way to name a facet, to make a PNG and to say "no data"."""

import io
import math
import warnings
from collections.abc import Iterable
from typing import Any

import plotnine as p9
import polars as pl
from plotnine.composition import Compose

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

FONT = "DejaVu Sans"
"""Comes with matplotlib, and so is there on every machine."""

WIDTH = 9.0
DIFFERENCE = "time of the second detector − time of the first (ns)"
"""The axis of time differences."""

MAX_FACETS = 36


def house_theme(width: float = WIDTH, height: float = 4.5) -> p9.theme:
    """The theme of every figure, whose size is in inches."""
    house: p9.theme = p9.theme_minimal(base_size=10, base_family=FONT) + p9.theme(
        figure_size=(width, height),
        text=p9.element_text(color=INK),
        plot_title=p9.element_text(size=13, weight="bold", ha="left"),
        plot_subtitle=p9.element_text(size=9, color=QUIET, ha="left"),
        plot_title_position="plot",
        plot_background=p9.element_rect(fill="white", color="white"),
        panel_border=p9.element_rect(color="#9aa5b1", fill=None, size=0.6),
        panel_grid_major=p9.element_line(color=GRID, size=0.6),
        panel_grid_minor=p9.element_line(color="#f1f4f6", size=0.4),
        axis_ticks_major=p9.element_line(color=QUIET, size=0.6),
        axis_ticks_minor=p9.element_line(color=QUIET, size=0.4),
        axis_ticks_length_major=4,
        axis_ticks_length_minor=2,
        axis_text=p9.element_text(size=8.5, color=INK),
        axis_title=p9.element_text(size=10),
        strip_text=p9.element_text(size=9, weight="bold", ha="left"),
        strip_background=p9.element_blank(),
        panel_spacing_x=0.035,
        panel_spacing_y=0.02,
        legend_position="right",
        legend_title=p9.element_text(size=9),
        legend_text=p9.element_text(size=8.5),
    )
    return house


def legend_below(columns: int) -> p9.theme:
    """The legend below the facets, whose names are smaller where there are many."""
    return p9.theme(legend_position="bottom", strip_text=facet_text(columns))


def facet_text(columns: int) -> p9.element_text:
    """How the facets' names are written."""
    return p9.element_text(size=9 if columns < 4 else 8)


def number_axis(columns: int = 1, **more: Any) -> p9.scale_x_continuous:
    """An x-axis of numbers, with many breaks where there is room for them."""
    return p9.scale_x_continuous(breaks=even_breaks if columns < 3 else True, labels=number_labels, **more)


def log_axis(**more: Any) -> p9.scale_y_log10:
    """A logarithmic y-axis of counts."""
    return p9.scale_y_log10(
        **{"breaks": power_breaks, "minor_breaks": minor_power_breaks, "labels": power_labels} | more
    )


def text(data: pl.DataFrame, mapping: p9.aes, **more: Any) -> p9.geom_text:
    """Labels in the figure's font."""
    return p9.geom_text(mapping, data=data, family=FONT, **more)


def no_data(title: str, why: str = "no data") -> p9.ggplot:
    """A figure that says, below the title it would have had, why there is nothing to draw."""
    nothing = pl.DataFrame({"x": [0.0], "y": [0.0], "label": [plain(why)]})
    return compose(
        p9.ggplot(nothing, p9.aes("x", "y", label="label")),
        p9.geom_text(color=QUIET, size=14, family=FONT),
        p9.labs(title=title),
        p9.theme_void(base_family=FONT),
        p9.theme(
            figure_size=(WIDTH, 2.2),
            plot_title=p9.element_text(size=13, weight="bold", color=INK, ha="left"),
            plot_title_position="plot",
            plot_background=p9.element_rect(fill="white", color="white"),
            plot_margin=0.02,
        ),
    )


def compose(plot: p9.ggplot, *parts: Any) -> p9.ggplot:
    """A plot with its layers, scales and theme added in order, as `plot + part + …` would.

    plotnine's own annotations give `+` a type that no checker can follow; here it is stated once.
    """
    figure: Any = plot
    for part in parts:
        figure = figure + part
    return figure


def columns_for(facets: int) -> int:
    """How many facets stand side by side."""
    return next((columns for most, columns in ((4, 1), (8, 2), (15, 3)) if facets <= most), 4)


def height_for(facets: int, columns: int, *, alone: float = 4.4) -> float:
    """The height in inches of a figure of some facets, lower rows where there are many; that of one facet `alone`."""
    if facets == 1:
        return alone
    row = {1: 2.1, 2: 2.1, 3: 1.9}.get(columns, 1.65)
    return 1.2 + row * math.ceil(facets / columns)


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


def name_room(columns: int) -> int:
    """How many characters of a name have room above a facet."""
    return {1: 90, 2: 48, 3: 30}.get(columns, 22)


def number_labels(values: Iterable[Any]) -> list[str]:
    """Labels of a linear axis, with a true minus sign and thousands apart from 10,000 on."""
    digits = [f"{value:,.6g}" if abs(value) >= 10_000 else f"{value:.6g}" for value in values]
    return [text.replace("-", "\N{MINUS SIGN}") for text in digits]


def power_labels(values: Iterable[Any]) -> list[str]:
    """Labels of a logarithmic axis: 1, 10, 100, then 10³, 10⁴ and so on; whatever is no power of ten as it is."""
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    labels = []
    for value in values:
        power = round(math.log10(value)) if value > 0 else None
        if power is None or not math.isclose(value, 10.0**power, rel_tol=1e-6) or 0 <= power <= 2:
            labels.append(f"{value:g}")
        else:
            labels.append("10" + str(power).translate(digits))
    return labels


def even_breaks(limits: tuple[float, float]) -> list[float]:
    """Six to twelve round numbers within the limits of a linear axis."""
    low, high = limits
    step = (high - low) / 6
    if not step > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(step))
    step = next(digit * power for digit in (5, 2, 1) if digit * power <= step * (1 + 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def power_breaks(limits: tuple[float, float]) -> list[float]:
    """Powers of ten within the limits of a logarithmic axis, thinned to seven at most; 1, 2, 5 where they are few."""
    low, high = max(limits[0], 1e-300), limits[1]
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    if len(powers) >= 2:
        return [10.0**power for power in powers[:: max(1, math.ceil(len(powers) / 7))]]
    around = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [digit * 10.0**power for power in around for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]


def minor_power_breaks(limits: tuple[float, float]) -> list[float]:
    """2 to 9 times the powers of ten within the limits of a logarithmic axis; none where there are too many decades."""
    low, high = max(limits[0], 1e-300), limits[1]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if len(powers) > 8:
        return []
    return [digit * 10.0**power for power in powers for digit in range(2, 10) if low <= digit * 10.0**power <= high]


def time_unit(longest_s: float) -> tuple[str, float]:
    """The unit that keeps an axis of time readable, and its seconds."""
    if longest_s > 3 * 3600:
        return "h", 3600.0
    if longest_s > 600:
        return "min", 60.0
    return ("s", 1.0) if longest_s >= 0.5 else ("ms", 0.001)


DPI = 140


def png(plot: p9.ggplot | Compose) -> bytes:
    """A figure, or several below each other, as PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A detector's name may have letters that the font lacks: they become boxes, and nobody can act on a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        plot.save(buffer, format="png", dpi=DPI, verbose=False)
    return buffer.getvalue()
