"""Labels of peaks and spots, placed when a figure is drawn: none lies over another, over a spectrum or past the frame.

Only then is it known how large panels and letters are, and whether an axis is linear or logarithmic.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import plotnine as p9
import polars as pl
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox, IdentityTransform
from numpy.typing import NDArray

from gammapolars.figures.theme import FONT, ORANGE

Floats = NDArray[np.float64]

GAP = 2.5
"""Points between a peak and its label, or its tick."""

TICK = 4.0
"""Points that a tick above a peak is long."""

SHIFTS = (0.0, 1.0, -1.0, 2.0, -2.0)
"""How far a label may move aside, in heights of its letters."""


FARTHEST = 4.0
"""How far above its peak a label may be, in heights of its letters, where a neighbour is higher."""


SHOULDERS = (0.0, 1.0, 2.0)
"""How far from the tip a level label may begin next to a broad peak, in heights of its letters."""


class Label(NamedTuple):
    """A text, the place on the screen that it belongs to, its colour, and whether it gives way to others."""

    x: float
    y: float
    text: str
    colour: Any
    is_minor: bool = False


class Place(NamedTuple):
    """The place of a label: its box, whether it reads upwards, and where its tick ends, if it has one."""

    box: Bbox
    upright: bool
    tip: tuple[float, float] | None = None


class geom_places(p9.geom_text):  # type: ignore[misc] # noqa: N801 - as plotnine calls its own
    """Labels that find their places themselves: above `peaks`, or around circles (`peaks=False`).

    Those higher up come first where there is no room for all, and those with a tint of their own last.
    """

    DEFAULT_PARAMS: ClassVar[dict[str, Any]] = p9.geom_text.DEFAULT_PARAMS | {
        "peaks": True,
        "radius": 0.0,
        "tints": None,
    }

    def draw_panel(self, data: Any, panel_params: Any, coord: Any, ax: Any) -> None:
        """Hand the labels of a panel to matplotlib, which draws them last."""
        data = coord.transform(data, panel_params)
        colours: Mapping[str, str] = self.params["tints"] or {}
        labels = [
            Label(x, y, text, colours.get(text, colour), text in colours)
            for x, y, text, colour in data[["x", "y", "label", "color"]].itertuples(index=False)
        ]
        kind = PeakLabels if self.params["peaks"] else SpotLabels
        artist = kind(labels, float(data["size"].iloc[0]), float(self.params["radius"]))
        artist.set_zorder(50)
        ax.add_artist(artist)


def peak_labels(
    marks: pl.DataFrame, x: str, y: str, *, size: float = 7.0, colours: Mapping[str, str] | None = None
) -> p9.geom_text:
    """Labels above peaks.

    Args:
        marks: `x` and `y`, the tip of each peak, `label`, and the facet's column.
        x: the column of x.
        y: the column of y.
        size: of letters, in points.
        colours: of labels that have another colour than lines have, by their text.
    """
    look: dict[str, Any] = {"size": size, "family": FONT, "show_legend": False, "inherit_aes": False}
    return geom_places(p9.aes(x, y, label="label"), data=marks, color=ORANGE, tints=colours or {}, **look)


def spot_labels(spots: pl.DataFrame, *, radius: float, size: float = 7.5) -> p9.geom_text:
    """Labels around circles of a `radius` in points: `x`, `y` and `label`, which is empty where a circle has none."""
    look: dict[str, Any] = {"size": size, "family": FONT, "show_legend": False, "inherit_aes": False, "color": ORANGE}
    return geom_places(p9.aes("x", "y", label="label"), data=spots, peaks=False, radius=radius, **look)


class Labels(Artist):
    """Labels of one panel."""

    def __init__(self, labels: Sequence[Label], size: float, radius: float) -> None:
        """Labels in letters of `size` points at places that are circled with `radius` points."""
        super().__init__()
        self.labels, self.size, self.radius = labels, size, radius
        self.set_in_layout(False)

    @property
    def point(self) -> float:
        """How many dots a point is."""
        return float(self._figure().dpi) / 72

    def places(self, renderer: RendererBase) -> list[tuple[Label, Place | None]]:
        """Each label, on the screen, with its place; none where there is no room."""
        raise NotImplementedError

    def on_screen(self) -> list[Label]:
        """The labels, in dots from the figure's lower left corner; those outside the panel's sides are left out."""
        panel = self._panel()
        spots = self.axes.transData.transform([(label.x, label.y) for label in self.labels])  # type: ignore[union-attr]
        moved = [label._replace(x=x, y=y) for label, (x, y) in zip(self.labels, spots.tolist(), strict=True)]
        return [label for label in moved if panel.x0 <= label.x <= panel.x1]

    def text(self, label: Label, place: Place | None = None) -> Text:
        """A label as matplotlib draws it, at a place or anywhere."""
        x, y = (place.box.x0, place.box.y0) if place else (0.0, 0.0)
        text = Text(x, y, label.text, color=label.colour, family=FONT, size=self.size)
        text.set(ha="left", va="bottom", rotation=90 if place and place.upright else 0, transform=IdentityTransform())
        text.set_figure(self._figure())
        return text

    def veil(self, text: Text) -> Text:
        """A label on a ground that keeps it readable over what lies below."""
        return text

    def extent(self, label: Label, renderer: RendererBase) -> tuple[float, float]:
        """The width and height of a label that reads from left to right."""
        box = self.text(label).get_window_extent(renderer)
        return box.width, box.height

    def draw(self, renderer: RendererBase) -> None:
        """Draw the labels that have a place, with their ticks."""
        if not self.get_visible():
            return
        for label, place in self.places(renderer):
            if place is None:
                continue
            if place.tip:
                foot = label.x, label.y + GAP / 2 * self.point
                tick = Line2D(*zip(foot, place.tip, strict=True), color=label.colour, linewidth=0.07 * self.size)
                tick.set_figure(self._figure())
                tick.draw(renderer)
            if place.box.width > 0:
                self.veil(self.text(label, place)).draw(renderer)

    def _figure(self) -> Any:
        return self.axes.figure  # type: ignore[union-attr]

    def _panel(self) -> Bbox:
        return Bbox(self.axes.bbox.get_points())  # type: ignore[union-attr]


class PeakLabels(Labels):
    """Labels above the peaks of a spectrum, or next to them; a peak without room for its label has only a tick."""

    def places(self, renderer: RendererBase) -> list[tuple[Label, Place | None]]:
        """The highest peaks first, minor ones last: upright above the peak, moved aside, or level next to its tip."""
        panel, skyline, taken = self._panel(), Skyline(self.axes), list[Bbox]()
        placed: list[tuple[Label, Place | None]] = []
        bare: list[Label] = []
        labels = self.on_screen()
        for label in sorted(labels, key=lambda one: (one.is_minor, -one.y)):
            top = skyline.highest(label.x - self.point, label.x + self.point, label.y)
            peak = label._replace(y=min(top, panel.y1))
            width, height = self.extent(peak, renderer)
            for place in self._candidates(peak, width, height, skyline, labels):
                if self._has_room(peak, place, panel, taken):
                    taken.append(place.box)
                    placed.append((peak, place))
                    break
            else:
                bare.append(peak)
        return placed + [(peak, None if peak.is_minor else self._tick(peak, panel, taken)) for peak in bare]

    def _has_room(self, peak: Label, place: Place, panel: Bbox, taken: Sequence[Bbox]) -> bool:
        """Whether a place lies inside the panel and apart from the others, none of which is in front of its peak."""
        box, edge = place.box, GAP / 2 * self.point
        inside = panel.x0 < box.x0 and box.x1 < panel.x1 and panel.y0 < box.y0 and box.y1 < panel.y1 - edge
        near = box.y0 - peak.y < FARTHEST * self.size * self.point
        reach = Bbox.from_extents(min(peak.x, box.x0), box.y0, max(peak.x, box.x1), box.y1)
        return bool(inside and near and not reach.count_overlaps(taken))

    def _candidates(
        self, peak: Label, width: float, height: float, skyline: "Skyline", others: Sequence[Label]
    ) -> Iterator[Place]:
        """Places for a label, the best first; `others` are all peaks with labels."""
        gap, tick = GAP * self.point, TICK * self.point

        def upright(shift: float) -> Place:
            left = peak.x + shift * height - height / 2
            bottom = skyline.highest(left, left + height, peak.y) + gap + tick * (1 + 0.5 * abs(shift))
            return Place(Bbox.from_bounds(left, bottom, height, width), True, (left + height / 2, bottom - 0.4 * gap))

        yield from map(upright, SHIFTS[:3])
        for away in SHOULDERS:
            aside = 1.5 * gap + away * height
            for left in (peak.x + aside, peak.x - aside - width):
                bottom = max(skyline.highest(left, left + width, -np.inf) + gap, peak.y - 1.2 * height)
                end = left if left > peak.x else left + width
                # Higher up, or beyond another peak, it would seem to belong to a neighbour.
                if bottom < peak.y - 0.3 * height and skyline.falls(peak.x, end, bottom):
                    yield Place(Bbox.from_bounds(left, bottom, width, height), False)
        left = peak.x - width / 2
        bottom = skyline.highest(left, left + width, peak.y) + gap + tick
        alone = not any(
            left < other.x < left + width and other.x != peak.x and other.y > peak.y - 3 * height for other in others
        )
        if bottom < peak.y + 2 * height + tick and alone:
            yield Place(Bbox.from_bounds(left, bottom, width, height), False, (peak.x, bottom - 0.4 * gap))
        yield from map(upright, SHIFTS[3:])

    def _tick(self, peak: Label, panel: Bbox, taken: Sequence[Bbox]) -> Place | None:
        tip = peak.y + (GAP / 2 + TICK) * self.point
        room = Bbox.from_extents(peak.x - 1, peak.y, peak.x + 1, tip)
        return None if tip > panel.y1 or room.count_overlaps(taken) else Place(Bbox.null(), False, (peak.x, tip))


class SpotLabels(Labels):
    """Labels around circles: not over another one, and not over another circle."""

    def veil(self, text: Text) -> Text:
        """Filled bins stay visible through it."""
        text.set_bbox({"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.12 * self.size})
        return text

    def places(self, renderer: RendererBase) -> list[tuple[Label, Place | None]]:
        """To the upper right of the circle, else to its other sides."""
        panel, reach = self._panel(), self.radius * self.point
        spots = self.on_screen()
        taken = [Bbox.from_extents(at.x - reach, at.y - reach, at.x + reach, at.y + reach) for at in spots]
        placed: list[tuple[Label, Place | None]] = []
        for spot in (one for one in spots if one.text):
            width, height = self.extent(spot, renderer)
            right, left = spot.x + 1.3 * reach, spot.x - 1.3 * reach - width
            above, below = spot.y + 0.3 * reach, spot.y - 0.3 * reach - height
            middle, far = spot.x - width / 2, reach
            corners = [(right, above), (left, above), (right, below), (left, below)]
            corners += [(middle, above + far), (middle, below - far)]
            own = taken[spots.index(spot)]
            others = [box for box in taken if box is not own]
            boxes = (Bbox.from_bounds(x, y, width, height) for x, y in corners)
            fitting = (box for box in boxes if _contains(panel, box) and not box.count_overlaps(others))
            box = next(fitting, None)
            if box is not None:
                taken.append(box)
            placed.append((spot, Place(box, False) if box is not None else None))
        return placed


def _contains(panel: Bbox, box: Bbox) -> bool:
    return bool(panel.x0 < box.x0 and box.x1 < panel.x1 and panel.y0 < box.y0 and box.y1 < panel.y1)


class Skyline:
    """How high the lines of a panel reach, for each dot of its width."""

    def __init__(self, axes: Any) -> None:
        """Look at the lines that are drawn in `axes`."""
        left, right = (int(end) for end in axes.bbox.intervalx)
        self.left = left - 1
        self.heights = np.full(max(right - left + 3, 1), -np.inf)
        for points in _curves(axes):
            self._add(axes.transData.transform(points))

    def _add(self, points: Floats) -> None:
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) < 2:
            return
        columns = np.clip(np.round(points[:, 0]).astype(np.int64) - self.left, 0, len(self.heights) - 1)
        first, last = np.minimum(columns[:-1], columns[1:]), np.maximum(columns[:-1], columns[1:])
        tops = np.maximum(points[:-1, 1], points[1:, 1])
        widths = last - first + 1
        ends = np.cumsum(widths)
        every = np.arange(ends[-1]) + np.repeat(first - ends + widths, widths)
        np.maximum.at(self.heights, every, np.repeat(tops, widths))

    def highest(self, low: float, high: float, least: float) -> float:
        """The highest point between two places, or `least` where all is lower."""
        begin, end = (int(np.clip(round(at) - self.left, 0, len(self.heights) - 1)) for at in (low, high))
        return max(least, float(self.heights[begin : end + 1].max()))

    def falls(self, begin: float, end: float, level: float) -> bool:
        """Whether the lines, once they have fallen below a level on the way to `end`, stay there."""
        first, last = (int(np.clip(round(at) - self.left, 0, len(self.heights) - 1)) for at in (begin, end))
        way = self.heights[first : last + 1] if first <= last else self.heights[last : first + 1][::-1]
        below = way < level
        return bool(below[int(below.argmax()) :].all()) if below.any() else True


def _curves(axes: Any) -> Iterator[Floats]:
    """The points of all lines but those across the panel."""
    for line in axes.lines:
        if line.get_transform() == axes.transData:
            yield np.asarray(line.get_xydata(), np.float64)
    for collection in axes.collections:
        if isinstance(collection, LineCollection):
            yield from (np.asarray(part, np.float64) for part in collection.get_segments())
