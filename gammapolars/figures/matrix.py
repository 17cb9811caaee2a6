"""Matrices of pairs and hits: of two energies, and of axes that differ."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotnine as p9
import polars as pl

from gammapolars.core.digits import rounded
from gammapolars.core.quantities import ADC, BY_COLUMN, ENERGY, axis_columns
from gammapolars.figures import bins
from gammapolars.figures import theme as house

COLOURS = ("#b5d5ea", "#62abd9", "#1f77b8", "#4b3b94", "#250a3f")
"""From light to dark, so that bins of one pair stay in the background; distinguishable without seeing colours."""

MOST_BINS = 400
"""Bins a side: more than the figure's pixels can show are of no use."""

SHOWN = 0.999
"""The share of counts that the figure reaches to, where the rest would take up much of its room."""


def matrix(pairs: pl.DataFrame, *, spots: Mapping[tuple[float, float], str] | None = None) -> p9.ggplot:
    """The symmetric matrix of two energies on a logarithmic colour scale; bins with no more than chance stay white.

    Args:
        pairs: `energy_kev_x` and `energy_kev_y`, or `adc_x` and `adc_y` (bin centres), `counts`; filled bins only.
        spots: labels of places to be circled, by their two energies.
    """
    title = "Energies of pairs"
    quantity = ENERGY if "energy_kev_x" in pairs.columns else ADC
    unit = quantity.drawn_unit
    x, y = (pl.col(f"{quantity.column}_{axis}").cast(pl.Float64).alias(axis) for axis in ("x", "y"))
    table = pairs.select(x, y, pl.col("counts").cast(pl.Float64)).drop_nulls().filter(pl.col("counts") != 0)
    if not (table["counts"] > 0).any():
        return house.no_data(title, "no data: there is no pair with two energies")
    width = bins.bin_width(pl.concat([table["x"], table["y"]]))
    table, hidden = _crop(table, max((max(place) for place in spots or {}), default=0.0))
    grid, width = _grid(table, width)
    # Net counts can lie below 0: they are added up as they are, and only what is drawn on a logarithm must be positive.
    grid = grid.with_columns(counts=pl.when(pl.col("counts") > 0).then("counts"))
    positive = grid["counts"].drop_nulls().sort()
    if positive.is_empty():
        return house.no_data(title, "no data: no bin holds more pairs than chance makes")
    return house.compose(
        p9.ggplot(grid, p9.aes("x", "y")),
        p9.geom_raster(p9.aes(fill="counts")),
        _spot_marks(spots or {}, float(grid["x"][-1])),
        p9.coord_fixed(expand=False),
        house.number_axis(),
        p9.scale_y_continuous(breaks=house.even_breaks, labels=house.number_labels),
        p9.labs(
            title=title,
            subtitle=f"{rounded(hidden, 2)} % of the pairs lie at higher energies, outside" if hidden else None,
            x=f"{quantity.label} of one detector ({unit})",
            y=f"{quantity.label} of the other detector ({unit})",
        ),
        house.house_theme(width=7.8, height=6.4),
        colour_scale(positive, f"pairs per bin\n({width:.4g} × {width:.4g} {unit})", height=220),
    )


def colour_scale(counts: pl.Series, name: str, *, height: float) -> list[Any]:
    """A logarithmic scale of colours for the sorted counts of bins above 0, with its legend, to be added behind the
    theme.

    It spans three powers of ten at most; what is null stays white. The legend's height is in pixels.
    """
    high = float(counts[-1])
    low = max(float(counts[0]), 1e-3 * high)
    scale = p9.scale_fill_gradientn(
        colors=COLOURS,
        trans="log10",
        limits=(low, max(high, low * 10)),
        breaks=house.power_breaks,
        labels=house.power_labels,
        na_value="#ffffff00",
        name=name,
    )
    title = p9.element_text(size=8.5, margin={"b": 8})
    legend = p9.theme(legend_key_height=height, legend_key_width=14, legend_title=title)
    return [scale, p9.guides(fill=p9.guide_colorbar(nbin=256)), legend]


def _crop(table: pl.DataFrame, furthest: float) -> tuple[pl.DataFrame, float]:
    """Without the few pairs of highest energy, where the figure would mostly be empty for their sake; and their
    percentage.

    The energies up to the `furthest` are kept.
    """
    by_energy = table.group_by("x").agg(pl.col("counts").sum()).sort("x")
    total = float(by_energy["counts"].sum())
    energies = by_energy["x"].to_numpy()
    place = int(np.searchsorted(np.cumsum(by_energy["counts"].to_numpy()), SHOWN * total))
    start = min(energies[0], 0.0)
    end = start + 1.15 * (max(energies[min(place, len(energies) - 1)], furthest) - start)
    if end - start > 0.85 * (energies[-1] - start):
        return table, 0.0
    inside = table.filter((pl.col("x") <= end) & (pl.col("y") <= end))
    return inside, 100 * (1 - float(inside["counts"].sum()) / total)


def _grid(table: pl.DataFrame, width: float) -> tuple[pl.DataFrame, float]:
    """Joined bins, the same on both axes, from 0 on where that is near; all of them, those without counts as null."""
    low, high = (float(pl.concat([table["x"], table["y"]]).sort()[place]) for place in (0, -1))
    if 0 < low < 0.25 * high:
        low -= width * round((low - width / 2) / width)
    factor = bins.nice_factor(round((high - low) / width) + 1, MOST_BINS)
    index = {axis: (((pl.col(axis) - low) / width).round().cast(pl.Int64) // factor).alias(axis) for axis in ("x", "y")}
    sums = table.group_by(index["x"], index["y"]).agg(pl.col("counts").sum())
    side = range(1 + max(int(pl.concat([sums["x"], sums["y"]]).sort()[-1]), 0))
    grid = pl.DataFrame({"x": side}, {"x": pl.Int64}).join(pl.DataFrame({"y": side}, {"y": pl.Int64}), how="cross")
    centre = [(low + ((pl.col(axis) + 0.5) * factor - 0.5) * width).alias(axis) for axis in ("x", "y")]
    histogram = grid.join(sums, on=["x", "y"], how="left", maintain_order="left")
    return histogram.with_columns(centre), width * factor


def _spot_marks(spots: Mapping[tuple[float, float], str], end: float) -> list[object]:
    """A circle around each spot and its mirror image, with a label at the upper of the two."""
    inside = {place: text for place, text in spots.items() if max(place) <= end}
    if not inside:
        return []
    places = pl.DataFrame(
        [(x, y, house.plain(text) if y >= x else "") for (a, b), text in inside.items() for x, y in {(a, b), (b, a)}],
        schema={"x": pl.Float64, "y": pl.Float64, "label": pl.String},
        orient="row",
    )
    circles = p9.geom_point(data=places, shape="o", size=8, fill="none", color=house.ORANGE, stroke=0.7)
    look = {"size": 7.5, "color": house.ORANGE, "ha": "left", "va": "bottom"}
    return [circles, house.text(places, p9.aes(label="label"), nudge_x=0.022 * end, nudge_y=0.022 * end, **look)]


def map_of(matrix: pl.DataFrame, *, title: str = "", widths: tuple[float, float] | None = None) -> p9.ggplot:
    """A matrix on a logarithmic colour scale, each axis with its own quantity and bins; net counts below 0 stay white.

    Args:
        matrix: two columns of bin centres, such as `dt_ps_x` and `energy_kev_y`, and `counts`; filled bins only.
        title: what the figure shows; as its axes say, if it is not given.
        widths: of the bins on x and on y; None: from their distances.
    """
    columns = axis_columns(matrix.columns)
    assert columns, "no matrix"
    x, y = quantities = [BY_COLUMN[name[:-2]] for name in columns]
    of_pairs = x.of_pairs and y.of_pairs
    title = title or ("Pairs" if of_pairs else "Hits")
    coordinates = {
        side: (pl.col(name).cast(pl.Float64) * quantity.drawn_scale).alias(side)
        for side, name, quantity in zip("xy", columns, quantities, strict=True)
    }
    table = matrix.select(*coordinates.values(), pl.col("counts").cast(pl.Float64)).drop_nulls()
    if not (table["counts"] > 0).any():
        return house.no_data(title, "no data: no bin holds more than chance makes")
    steps = [
        bins.bin_width(table[side]) if widths is None else widths[place] * quantities[place].drawn_scale
        for place, side in enumerate("xy")
    ]
    (x_bins, x_width), (y_bins, y_width) = [_coarse_bins(table, *axis) for axis in zip("xy", steps, strict=True)]
    sums = table.group_by(x_bins.alias("x"), y_bins.alias("y")).agg(pl.col("counts").sum())
    negative = -float(sums.filter(pl.col("counts") < 0)["counts"].sum())
    grid = _full_grid(sums.with_columns(counts=pl.when(pl.col("counts") > 0).then("counts")))
    positive = grid["counts"].drop_nulls().sort()
    if positive.is_empty():
        return house.no_data(title, "no data: no bin holds more than chance makes")
    firsts = [float(table.select(pl.col(side).min()).item()) - step / 2 for side, step in zip("xy", steps, strict=True)]
    axes = zip("xy", firsts, (x_width, y_width), strict=True)
    middles = [(first + (pl.col(side) + 0.5) * width).alias(side) for side, first, width in axes]
    grid = grid.with_columns(middles)
    size = f"{x_width:.4g} {x.drawn_unit} × {y_width:.4g} {y.drawn_unit}"
    return house.compose(
        p9.ggplot(grid, p9.aes("x", "y")),
        p9.geom_raster(p9.aes(fill="counts")),
        house.number_axis(expand=(0, 0)),
        p9.scale_y_continuous(expand=(0, 0), breaks=house.even_breaks, labels=house.number_labels),
        p9.labs(
            title=title,
            subtitle=f"bins with net counts below 0, {negative:,.4g} together, are white" if negative else None,
            x=x.drawn_label + (", detectors of x" if x == y else ""),
            y=y.drawn_label + (", detectors of y" if x == y else ""),
        ),
        house.house_theme(width=7.8, height=5.6),
        colour_scale(positive, f"{'pairs' if of_pairs else 'hits'} per bin\n({size})", height=180),
    )


def _coarse_bins(table: pl.DataFrame, side: str, width: float) -> tuple[pl.Expr, float]:
    """The numbers of no more bins than the eye resolves, and their width."""
    low, high = (float(edge) for edge in table.select(low=pl.col(side).min(), high=pl.col(side).max()).row(0))
    factor = bins.nice_factor(round((high - low) / width) + 1, MOST_BINS)
    return ((pl.col(side) - low) / width).round().cast(pl.Int64) // factor, width * factor


def _full_grid(sums: pl.DataFrame) -> pl.DataFrame:
    """All bins, those without counts as null."""
    every = [pl.DataFrame({side: range(int(sums[side].max()) + 1)}, {side: pl.Int64}) for side in "xy"]  # type: ignore[arg-type]
    return every[0].join(every[1], how="cross").join(sums, on=["x", "y"], how="left", maintain_order="left")
