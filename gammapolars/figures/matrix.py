"""Matrices of pairs and hits: of two energies, and of axes that differ."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import plotnine as p9
import polars as pl

from gammapolars.core.digits import rounded
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.quantities import ADC, BY_COLUMN, ENERGY, PULSE_HEIGHTS, Quantity, are_of_pairs, axis_columns
from gammapolars.figures import axes, bins
from gammapolars.figures import theme as house
from gammapolars.figures.finish import finish, is_inside
from gammapolars.figures.geoms import cells
from gammapolars.figures.labels import spot_labels
from gammapolars.figures.style import SCREEN, FigureStyle
from gammapolars.figures.tables import Frame, collected

COLOURS = ("#b5d5ea", "#62abd9", "#1f77b8", "#4b3b94", "#250a3f")
"""From light to dark, so that bins of one pair stay in the background; distinguishable without seeing colours."""

MOST_BINS = 400
"""Bins a side: more than the figure's pixels can show are of no use."""

SHOWN = 0.999
"""The share of counts that the figure reaches to, where the rest would take up much of its room."""


GAMMA_GAMMA = "γγ coincidence matrix"


def matrix(
    frame: Frame,
    *,
    title: str | None = None,
    spots: Mapping[tuple[float, float], str] | None = None,
    symmetric: bool | None = None,
    widths: tuple[float, float] | None = None,
    names: tuple[str, str] | None = None,
    note: str | None = None,
    style: FigureStyle = SCREEN,
) -> p9.ggplot:
    """A matrix on a logarithmic colour scale; bins without counts, or with negative net counts, stay white.

    Args:
        frame: two columns of bin centres, such as `energy_kev_x` and `energy_kev_y` or `dt_ps_x` and `adc_y`, and
            `counts`; filled bins only.
        title: title of the figure; None: from its axes.
        spots: labels of spots to be circled, by their two energies.
        symmetric: whether each pair is entered in both orders; None: as in the table.
        widths: of the bins on x and on y; None: from their distances.
        names: of the detectors on x and on y, if they differ.
        note: text for the subtitle, such as what was subtracted.
        style: style of the figure; `bin` is the width along x, and along y where that is the same quantity.

    Raises:
        TableError: this is no matrix.
        UsageError: a logarithmic axis is asked for.
    """
    table = collected(frame)
    columns = axis_columns(table.columns)
    if columns is None or "counts" not in table.columns:
        raise TableError("a matrix has two columns of bins, such as 'energy_kev_x' and 'energy_kev_y', and 'counts'")
    if style.log_x or style.log_y:
        raise UsageError("the axes of a matrix are linear: leave the logarithmic ones out")
    x, y = quantities = (BY_COLUMN[columns[0][:-2]], BY_COLUMN[columns[1][:-2]])
    title = title or _title(*quantities)
    coordinates = (
        (pl.col(name).cast(pl.Float64) * quantity.drawn_scale).alias(side)
        for side, name, quantity in zip("xy", columns, quantities, strict=True)
    )
    table = table.select(*coordinates, pl.col("counts").cast(pl.Float64)).drop_nulls().filter(pl.col("counts") != 0)
    if symmetric is None:
        symmetric = x == y and _is_symmetric(table)
    ranges = (style.range_x, style.range_y or (style.range_x if symmetric else None))
    table = table.filter(*(is_inside(pl.col(side), of) for side, of in zip("xy", ranges, strict=True)))
    if not (table["counts"] > 0).any():
        return house.no_data(title, _nothing(*quantities), style)
    style = replace(style, range_y=ranges[1])
    if symmetric:
        return _symmetric(table, x, title, spots or {}, note, style)
    return _of_two(table, quantities, title, spots or {}, widths, names, note, style)


def _title(x: Quantity, y: Quantity) -> str:
    if x == y == ENERGY:
        return GAMMA_GAMMA
    if x == y == ADC:
        return "Coincidence matrix (uncalibrated)"
    return "Pairs" if are_of_pairs(x, y) else "Hits"


def _nothing(x: Quantity, y: Quantity) -> str:
    if x == y and x in PULSE_HEIGHTS:
        return "no data: no pair has two energies, or no bin has positive net counts"
    return "no data: no bin has positive net counts"


def _is_symmetric(table: pl.DataFrame) -> bool:
    """Whether each bin holds the same as the one with x and y exchanged."""
    mirror = table.select(x="y", y="x", mirrored="counts")
    both = table.join(mirror, on=["x", "y"], how="left")
    off = (pl.col("counts") - pl.col("mirrored")).abs() > 1e-9 * pl.col("counts").abs()
    return not bool(both.select((pl.col("mirrored").is_null() | off).any()).item())


def _axis_label(quantity: Quantity, number: int | None, name: str | None) -> str:
    """Such as E_γ1 (keV), with the detectors where the axes are those of different ones; without number, Energy."""
    of = f", {house.plain(name)}" if name else ""
    if quantity == ENERGY and number:
        return f"$E_{{\\gamma {number}}}${of} ({quantity.drawn_unit})"
    return quantity.axis_title(of)


def _symmetric(
    table: pl.DataFrame,
    quantity: Quantity,
    title: str,
    spots: Mapping[tuple[float, float], str],
    note: str | None,
    style: FigureStyle,
) -> p9.ggplot:
    """A square matrix, with the same bins on both axes."""
    width = bins.bin_width(pl.concat([table["x"], table["y"]]))
    hidden = 0.0
    if style.range_x is None and quantity in PULSE_HEIGHTS:
        table, hidden = _crop(table, max((max(place) for place in spots), default=0.0))
    grid, width = _grid(table, width, style.bin)
    # Net counts can lie below 0: they are added up as they are, and only what is drawn on a logarithm must be positive.
    negative = -float(grid.filter(pl.col("counts") < 0)["counts"].sum())
    grid = grid.with_columns(counts=pl.when(pl.col("counts") > 0).then("counts"))
    positive = grid["counts"].drop_nulls().sort()
    if positive.is_empty():
        return house.no_data(title, _nothing(quantity, quantity), style)
    plot = house.compose(
        p9.ggplot(grid, p9.aes("x", "y")),
        cells(grid, (width, width)),
        _spot_marks(spots, float(grid["x"][-1])),
        p9.coord_fixed(expand=False),
        axes.number_axis(style.letters),
        p9.scale_y_continuous(breaks=axes.even_breaks, labels=axes.number_labels),
        p9.labs(
            title=title,
            subtitle=_subtitle(note, hidden, negative),
            x=_axis_label(quantity, 1, None) if quantity == ENERGY else quantity.axis_title(" of one detector"),
            y=_axis_label(quantity, 2, None) if quantity == ENERGY else quantity.axis_title(" of the other"),
        ),
        house.house_theme(style, height=6.4, wide=WIDE),
        colour_scale(positive, f"Pairs per bin\n({width:.4g} × {quantity.drawn(width)})", style, height=6.4),
    )
    return finish(plot, style)


WIDE = 7.8 / 9
"""Part of the width of other figures: a square needs no more."""


def _subtitle(note: str | None, hidden: float, negative: float) -> str | None:
    parts = [
        note,
        f"{rounded(hidden, 2)} % of the pairs are at higher energies, not shown" if hidden else None,
        f"bins with negative net counts (total −{negative:,.4g}) are white" if negative else None,
    ]
    if hidden:
        parts = [parts[1], parts[0], parts[2]]
    return "; ".join(part for part in parts if part) or None


def colour_scale(counts: pl.Series, name: str, style: FigureStyle, *, height: float) -> list[Any]:
    """A logarithmic scale of colours for the sorted counts of bins above 0, with its legend, to be added after the
    theme.

    It spans three powers of ten at most; what is null stays white. The legend is half as high as the figure, which is
    `height` inches high in a window.
    """
    high = float(counts[-1])
    low = max(float(counts[0]), 1e-3 * high)
    scale = p9.scale_fill_gradientn(
        colors=COLOURS,
        trans="log10",
        limits=(low, max(high, low * 10)),
        breaks=axes.power_breaks,
        labels=axes.power_labels,
        na_value="#ffffff00",
        name=name,
    )
    title = p9.element_text(size=0.85 * style.points, margin={"b": 0.8 * style.points})
    long = 72 * style.height(height) * LEGEND_SHARE
    legend = p9.theme(legend_key_height=long, legend_key_width=1.4 * style.points, legend_title=title)
    if style.theme == "print":  # a column has no room next to a square
        legend += p9.theme(legend_position="bottom", legend_key_height=style.points, legend_key_width=36 * style.width)
    return [scale, p9.guides(fill=p9.guide_colorbar(nbin=100, display="rectangles")), legend]


LEGEND_SHARE = 0.48


def _crop(table: pl.DataFrame, furthest: float) -> tuple[pl.DataFrame, float]:
    """Without the few pairs of highest energy, where the figure would mostly be empty for their sake; and their
    percentage.

    The energies up to the `furthest` are kept. Net counts may sum to nothing, or less: bins count by their size.
    """
    by_energy = table.group_by("x").agg(pl.col("counts").abs().sum()).sort("x")
    total = float(by_energy["counts"].sum())
    energies = by_energy["x"].to_numpy()
    place = int(np.searchsorted(np.cumsum(by_energy["counts"].to_numpy()), SHOWN * total))
    start = min(energies[0], 0.0)
    end = start + 1.15 * (max(energies[min(place, len(energies) - 1)], furthest) - start)
    if end - start > 0.85 * (energies[-1] - start):
        return table, 0.0
    inside = table.filter((pl.col("x") <= end) & (pl.col("y") <= end))
    return inside, 100 * (1 - float(inside["counts"].abs().sum()) / total)


def _grid(table: pl.DataFrame, width: float, bin: float | None = None) -> tuple[pl.DataFrame, float]:
    """Joined bins, the same on both axes, from 0 on where that is near; all of them, those without counts as null."""
    low, high = (float(pl.concat([table["x"], table["y"]]).sort()[place]) for place in (0, -1))
    if 0 < low < 0.25 * high:
        low -= width * round((low - width / 2) / width)
    number = round((high - low) / width) + 1
    factor = bins.nice_factor(number, MOST_BINS) if bin is None else bins.whole_factor(bin, width)
    index = {axis: (((pl.col(axis) - low) / width).round().cast(pl.Int64) // factor).alias(axis) for axis in ("x", "y")}
    sums = table.group_by(index["x"], index["y"]).agg(pl.col("counts").sum())
    side = range(1 + max(int(pl.concat([sums["x"], sums["y"]]).sort()[-1]), 0))
    grid = pl.DataFrame({"x": side}, {"x": pl.Int64}).join(pl.DataFrame({"y": side}, {"y": pl.Int64}), how="cross")
    centre = [(low + ((pl.col(axis) + 0.5) * factor - 0.5) * width).alias(axis) for axis in ("x", "y")]
    histogram = grid.join(sums, on=["x", "y"], how="left", maintain_order="left")
    return histogram.with_columns(centre), width * factor


def _spot_marks(spots: Mapping[tuple[float, float], str], end: float, *, mirrored: bool = True) -> list[object]:
    """A circle around each spot, and its mirror image in a symmetric matrix, with a label at the upper of the two."""
    inside = {place: text for place, text in spots.items() if max(place) <= end}
    if not inside:
        return []
    places = pl.DataFrame(
        [
            (x, y, house.plain(text) if y >= x or not mirrored else "")
            for (a, b), text in inside.items()
            for x, y in ({(a, b), (b, a)} if mirrored else {(a, b)})
        ],
        schema={"x": pl.Float64, "y": pl.Float64, "label": pl.String},
        orient="row",
    )
    circles = p9.geom_point(data=places, shape="o", size=8, fill="none", color=house.ORANGE, stroke=0.7)
    return [circles, spot_labels(places, radius=RADIUS)]


RADIUS = 5.0
"""Radius of circles, in points."""


def _of_two(
    table: pl.DataFrame,
    quantities: tuple[Quantity, Quantity],
    title: str,
    spots: Mapping[tuple[float, float], str],
    widths: tuple[float, float] | None,
    names: tuple[str, str] | None,
    note: str | None,
    style: FigureStyle,
) -> p9.ggplot:
    """A matrix of which each axis has its own quantity, detectors and bins."""
    x, y = quantities
    steps = [
        bins.bin_width(table[side]) if widths is None else widths[place] * quantities[place].drawn_scale
        for place, side in enumerate("xy")
    ]
    wanted = (style.bin, style.bin if x == y else None)
    (x_bins, x_width), (y_bins, y_width) = [
        _coarse_bins(table, *axis) for axis in zip("xy", steps, wanted, strict=True)
    ]
    sums = table.group_by(x_bins.alias("x"), y_bins.alias("y")).agg(pl.col("counts").sum())
    negative = -float(sums.filter(pl.col("counts") < 0)["counts"].sum())
    grid = _full_grid(sums.with_columns(counts=pl.when(pl.col("counts") > 0).then("counts")))
    positive = grid["counts"].drop_nulls().sort()
    if positive.is_empty():
        return house.no_data(title, _nothing(x, y), style)
    firsts = [float(table.select(pl.col(side).min()).item()) - step / 2 for side, step in zip("xy", steps, strict=True)]
    sides = zip("xy", firsts, (x_width, y_width), strict=True)
    grid = grid.with_columns((first + (pl.col(side) + 0.5) * width).alias(side) for side, first, width in sides)
    size = f"{x.drawn(x_width)} × {y.drawn(y_width)}"
    of = names or (("detectors of x", "detectors of y") if x == y else (None, None))
    plot = house.compose(
        p9.ggplot(grid, p9.aes("x", "y")),
        cells(grid, (x_width, y_width)),
        _spot_marks(spots, max(float(grid["x"].max()), float(grid["y"].max())), mirrored=False),  # type: ignore[arg-type]
        p9.coord_fixed(expand=False) if x == y == ENERGY else [],
        axes.number_axis(style.letters, expand=(0, 0)),
        p9.scale_y_continuous(expand=(0, 0), breaks=axes.even_breaks, labels=axes.number_labels),
        p9.labs(
            title=title,
            subtitle=_subtitle(note, 0.0, negative),
            x=_axis_label(x, 1 if x == y else None, of[0]),
            y=_axis_label(y, 2 if x == y else None, of[1]),
        ),
        house.house_theme(style, height=5.6, wide=WIDE),
        colour_scale(positive, f"{'Pairs' if are_of_pairs(x, y) else 'Hits'} per bin\n({size})", style, height=5.6),
    )
    return finish(plot, style)


def _coarse_bins(table: pl.DataFrame, side: str, width: float, bin: float | None) -> tuple[pl.Expr, float]:
    """The numbers of no more bins than the eye resolves, and their width."""
    low, high = (float(edge) for edge in table.select(low=pl.col(side).min(), high=pl.col(side).max()).row(0))
    number = round((high - low) / width) + 1
    factor = bins.nice_factor(number, MOST_BINS) if bin is None else bins.whole_factor(bin, width)
    return ((pl.col(side) - low) / width).round().cast(pl.Int64) // factor, width * factor


def _full_grid(sums: pl.DataFrame) -> pl.DataFrame:
    """All bins, those without counts as null."""
    every = [pl.DataFrame({side: range(int(sums[side].max()) + 1)}, {side: pl.Int64}) for side in "xy"]  # type: ignore[arg-type]
    return every[0].join(every[1], how="cross").join(sums, on=["x", "y"], how="left", maintain_order="left")
