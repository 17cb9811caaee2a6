"""Geometries that are cheaper than plotnine's: the same picture to the last dot."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import plotnine as p9
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.transforms import IdentityTransform

from gammapolars.figures.geoms import cells, geom_filled_line
from gammapolars.figures.image import png
from gammapolars.figures.labels import Skyline
from gammapolars.figures.matrix import colour_scale
from gammapolars.figures.style import FigureStyle
from gammapolars.figures.theme import compose, house_theme

SMALL = FigureStyle(size_cm=(6, 5), dpi=40)


def test_cells_bands_and_lines_are_drawn_as_rasters_ribbons_and_paths() -> None:
    side = pl.DataFrame({"n": range(7)})
    counts = np.where(np.arange(35) % 3 == 0, np.nan, np.arange(35) ** 2 % 100 + 0.001)
    grid = side.join(side.head(5), how="cross").select(x=pl.col("n") * 2.0, y=pl.col("n_right") * 3.0 + 1)
    grid = grid.with_columns(counts=pl.Series(counts).fill_nan(None))
    ends = pl.DataFrame({"x": [0.0, 4.0, 12.0], "low": [1.0, 3.0, 2.0], "high": [5.0, 9.0, 4.0]})
    band = p9.aes("x", ymin="low", ymax="high")

    def drawn(*layers: p9.geom_raster | p9.geom_ribbon | p9.geom_path) -> bytes:
        scale = colour_scale(grid["counts"].drop_nulls().sort(), "counts", SMALL, height=5)
        return png(compose(p9.ggplot(grid, p9.aes("x", "y")), *layers, house_theme(SMALL), scale))

    look = {"data": ends, "inherit_aes": False, "fill": "#56b4e9", "alpha": 0.4}
    whole = p9.geom_raster(p9.aes(fill="counts"), interpolation="none")
    line = p9.geom_path(p9.aes("x", "high"), data=ends, inherit_aes=False, color="#0072b2", size=0.6)
    over = p9.aes("x", "high", ymin="low", ymax="high")
    ours = drawn(cells(grid, (2, 3)), geom_filled_line(over, color="#0072b2", size=0.6, **look))
    assert ours == drawn(whole, p9.geom_ribbon(band, **look), line)


@given(st.lists(st.tuples(st.floats(-5, 45), st.floats(-9, 9)), max_size=12))
def test_skyline_is_the_highest_line_over_each_dot(points: list[tuple[float, float]]) -> None:
    bbox = SimpleNamespace(intervalx=(0.0, 40.0))
    transform = IdentityTransform()
    line = SimpleNamespace(get_transform=lambda: transform, get_xydata=lambda: np.reshape(points, (-1, 2)))
    axes = SimpleNamespace(bbox=bbox, lines=[line], collections=[], transData=transform)

    expected = np.full(43, -np.inf)
    for (x0, y0), (x1, y1) in pairwise(points):
        first, last = sorted(min(max(round(x) + 1, 0), 42) for x in (x0, x1))
        expected[first : last + 1] = np.maximum(expected[first : last + 1], max(y0, y1))

    assert Skyline(axes).heights.tolist() == expected.tolist()
