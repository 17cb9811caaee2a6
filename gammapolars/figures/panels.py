"""Facets whose minor ticks and grid lines are drawn together, where matplotlib makes five objects for each of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import plotnine as p9
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from numpy.typing import NDArray
from plotnine.facets.facet import facet


class MinorTicks(Artist):
    """The minor ticks of an axis at `places`, and their grid lines, as its first minor tick is made and themed."""

    def __init__(self, axis: Axis, side: str, places: NDArray[np.float64]) -> None:
        """Ticks of the axis along `side`, `x` or `y`, below everything else but the background."""
        super().__init__()
        self.axis, self.side, self.places = axis, side, places
        self.set_zorder(0.5)
        self.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:
        """Draw the lines of the first tick at all places."""
        first, count = self.axis.get_minor_ticks()[0], len(self.places)
        # Nothing connects the lines and marks across a place that is not a number.
        for line, ends in ((first.gridline, [0.0, 1.0, np.nan]), (first.tick1line, [0.0, np.nan])):
            if line.get_visible():
                own = line.get_data(orig=True)
                at = np.repeat(self.places, len(ends)), np.tile(ends, count)
                line.set_data(*(at if self.side == "x" else at[::-1]))
                line.draw(renderer)
                line.set_data(*own)


class _WithMinorTicks(facet):  # type: ignore[misc]
    """A facet of which matplotlib knows one minor tick of each axis."""

    def set_limits_breaks_and_labels(self, panel_params: Any, ax: Any) -> None:
        """Prepare the axes of a panel."""
        first, further = {}, {}
        for side in "xy":
            view = getattr(panel_params, side)
            places = np.asarray(view.minor_breaks, np.float64)
            low, high = sorted(view.range)
            off = 1e-10 * (high - low)
            inside = places[(places >= low - off) & (places <= high + off)]
            first[side], further[side] = replace(view, minor_breaks=inside[:1]), inside[1:]
        super().set_limits_breaks_and_labels(replace(panel_params, **first), ax)
        for side, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
            if len(further[side]):
                ax.add_artist(MinorTicks(axis, side, further[side]))


class panels(_WithMinorTicks, p9.facet_wrap):  # type: ignore[misc] # noqa: N801 - as plotnine calls its own
    """A panel for each value of a column."""


class one_panel(_WithMinorTicks, p9.facet_null):  # type: ignore[misc] # noqa: N801 - as plotnine calls its own
    """A single panel."""
