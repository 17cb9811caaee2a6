"""Matrices whose axes differ: chosen detectors, time differences or time against energy."""

import plotnine as p9
import polars as pl

from gammapolars.core.quantities import BY_COLUMN, axis_columns
from gammapolars.figures import bins
from gammapolars.figures import theme as house
from gammapolars.figures.matrix import MOST_BINS, colour_scale


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
