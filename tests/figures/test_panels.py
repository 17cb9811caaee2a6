"""Panels with minor ticks that are drawn together: the same picture but for the crossings of grid lines."""

import io

import numpy as np
import plotnine as p9
import polars as pl
from PIL import Image

from gammapolars.figures import axes
from gammapolars.figures.image import png
from gammapolars.figures.panels import panels
from gammapolars.figures.style import FigureStyle
from gammapolars.figures.theme import compose, house_theme

SMALL = FigureStyle(size_cm=(8, 7), dpi=60)
POINTS = pl.DataFrame({"x": [0.0, 9.0] * 3, "y": [0.7, 900.0, 1.0, 30.0, 2.0, 80.0], "facet": [*"aabbcc"]})


def test_minor_ticks_and_grids_are_those_of_matplotlib() -> None:
    def drawn(facet: p9.facet_wrap, *more: p9.theme) -> bytes:
        parts = p9.geom_path(), axes.log_axis(0.5), axes.number_axis(30), facet, house_theme(SMALL), *more
        return png(compose(p9.ggplot(POINTS, p9.aes("x", "y")), *parts))

    ours, theirs = (kind("facet", ncol=2, scales="free_y") for kind in (panels, p9.facet_wrap))
    bare = drawn(ours, p9.theme(panel_grid_minor=p9.element_blank()))
    assert bare == drawn(theirs, p9.theme(panel_grid_minor=p9.element_blank()))
    one, other, without = (
        np.asarray(Image.open(io.BytesIO(data)), np.int64) for data in (drawn(ours), drawn(theirs), bare)
    )
    assert np.abs(one - other).max() < 16
    assert (one != other).sum() < 0.1 * (one != without).sum()
