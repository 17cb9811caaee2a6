"""Geometries that draw as plotnine's own of the same kind, at a fraction of their time."""

import math
from typing import Any, ClassVar

import numpy as np
import plotnine as p9
import polars as pl
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

POINTS = math.sqrt(math.pi)
"""Points in the unit in which plotnine gives the width of lines."""


class geom_band(p9.geom_ribbon):  # type: ignore[misc] # noqa: N801 - as plotnine calls its own
    """A ribbon of one colour without outlines: plotnine draws both of these, and a colour for each row, unseen."""

    @staticmethod
    def draw_group(data: Any, panel_params: Any, coord: Any, ax: Any, params: Any) -> None:
        """Fill the area between `ymin` and `ymax` of one group."""
        data = coord.transform(data, panel_params).sort_values("x", kind="mergesort")
        first = data.iloc[0]
        ax.fill_between(
            data["x"].to_numpy(),
            data["ymin"].to_numpy(),
            data["ymax"].to_numpy(),
            facecolor=to_rgba(first["fill"], float(first["alpha"])),
            edgecolor="none",
            linewidth=0,
            zorder=params["zorder"],
            rasterized=params["raster"],
        )


class geom_filled_line(geom_band):  # noqa: N801 - as plotnine calls its own
    """A band with a line at `y` over it, in one layer: half the work of a ribbon and a path."""

    REQUIRED_AES: ClassVar[set[str]] = {"x", "y", "ymin", "ymax"}

    @staticmethod
    def draw_group(data: Any, panel_params: Any, coord: Any, ax: Any, params: Any) -> None:
        """Draw band and line of one group; `alpha` is that of the band."""
        geom_band.draw_group(data, panel_params, coord, ax, params)
        data, first = coord.transform(data, panel_params), data.iloc[0]
        line = Line2D(
            data["x"].to_numpy(),
            data["y"].to_numpy(),
            color=first["color"],
            linewidth=first["size"] * POINTS,
            zorder=params["zorder"],
            solid_joinstyle="round",
            solid_capstyle="butt",
        )
        line.set_rasterized(params["raster"])
        ax.add_artist(line)


class geom_cells(p9.geom_raster):  # type: ignore[misc] # noqa: N801 - as plotnine calls its own
    """A raster of which each distinct value, not each cell, is a row; see `cells`."""

    DEFAULT_PARAMS: ClassVar[dict[str, Any]] = p9.geom_raster.DEFAULT_PARAMS | {"levels": None}
    REQUIRED_AES: ClassVar[set[str]] = {"fill", "xmin", "xmax", "ymin", "ymax"}

    def setup_data(self, data: Any) -> Any:
        """The rows have the edges of the raster already."""
        return data

    def handle_na(self, data: Any) -> Any:
        """No row is left out: the raster's cells know them by their numbers."""
        return data

    def draw_panel(self, data: Any, panel_params: Any, coord: Any, ax: Any) -> None:
        """Draw the raster in the colours of its values."""
        data, levels = coord.transform(data, panel_params), self.params["levels"]
        colours = np.ones((len(data) + 1, 4))  # the last one is of cells without a value
        colours[:-1] = to_rgba_array(data["fill"].to_numpy())
        colours[:, 3] = float(data["alpha"].iloc[0])
        first = data.iloc[0]
        raster = AxesImage(
            ax,
            interpolation="none",
            origin="lower",
            extent=(first["xmin"], first["xmax"], first["ymin"], first["ymax"]),
            data=colours[levels],
            zorder=self.params["zorder"],
        )
        raster.set_rasterized(self.params["raster"])
        ax.add_image(raster)


def cells(grid: pl.DataFrame, widths: tuple[float, float]) -> geom_cells:
    """A raster of `counts` on a linear grid.

    Args:
        grid: all bins with their centres `x` and `y`, sorted by both; `counts` is null where a bin stays white.
        widths: of the bins along x and y.
    """
    sides = [grid[side] for side in "xy"]
    counts = grid["counts"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    values, numbers = np.unique(counts[~np.isnan(counts)], return_inverse=True)
    levels = np.full(len(counts), len(values))
    levels[~np.isnan(counts)] = numbers
    edges = {
        f"{side}{end}": float(of[place]) + sign * width / 2  # sorted: the ends come first and last
        for side, of, width in zip("xy", sides, widths, strict=True)
        for end, place, sign in (("min", 0, -1), ("max", -1, 1))
    }
    rows = pl.DataFrame({"counts": values}).with_columns(**{name: pl.lit(at) for name, at in edges.items()})
    mapping = p9.aes(fill="counts", **{name: name for name in edges})
    shape = (-1, sides[1].n_unique())
    return geom_cells(mapping, data=rows, inherit_aes=False, levels=levels.reshape(shape).T)
