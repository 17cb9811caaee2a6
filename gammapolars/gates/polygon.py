"""Gates that are polygons in two quantities, such as pulse shape against pulse height."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core import pulse_shape
from gammapolars.core.errors import TableError, UsageError

Vertex = tuple[float, float]

Points = npt.NDArray[np.float64]

MOST_VERTICES = 10_000

ROUNDING = 1e-12
"""Products that differ by less than this part of them are taken for equal."""


@dataclass(frozen=True)
class PolygonGate:
    """A polygon in two columns of a table: of pairs, hits, or any other with both columns.

    A point is inside where a ray to the right crosses an odd number of edges (crossing number; Haines 1994, Graphics
    Gems IV, 24). Edges that bound the polygon on the left and below belong to it, those on the right and above do not:
    adjacent polygons neither share nor miss a point. Edges may touch, and cross nowhere: of vertices that are
    not in order around it, a polygon would leave parts out unseen. Which side a point lies on follows from products of
    its distances, which are exact for adc values and picoseconds, and rounded in the 16th digit otherwise. A point
    without one of its values is outside.

    Attributes:
        x: the column along x, such as `energy_kev_a`, `adc` or `dt_ps`. The pulse shape, `psd` of hits and `psd_a` or
            `psd_b` of pairs, follows from the recorded adc values where a table has no such column.
        y: the column along y.
        vertices: (x, y) in order around the polygon, either way; the last is joined to the first.
        name: its name in summaries.
        detectors: where single hits are selected, the names of the detectors whose hits it judges; none: all.

    Raises:
        UsageError: fewer than three vertices, one that is not a finite number, all of them on one line, or edges that
            cross; or not two columns.
    """

    x: str
    y: str
    vertices: tuple[Vertex, ...]
    name: str = ""
    detectors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        label = f"polygon '{self.name}'" if self.name else "a polygon"
        if not self.x or not self.y or self.x == self.y:
            raise UsageError(f"{label} needs two columns, one for x and one for y, not '{self.x}' and '{self.y}'")
        vertices = _once(_finite(self.vertices, label))
        if len(vertices) < 3:
            raise UsageError(f"{label} needs 3 or more vertices, but has {len(vertices)}")
        if len(vertices) > MOST_VERTICES:
            raise UsageError(f"{label} has {len(vertices):,} vertices; the limit is {MOST_VERTICES:,}")
        (x, y), *others = vertices
        if all((others[0][0] - x) * (py - y) == (px - x) * (others[0][1] - y) for px, py in others):
            raise UsageError(f"{label} encloses no area: its vertices are collinear")
        if crossing := _crossing(vertices):
            one, other = ("({:g}, {:g}) to ({:g}, {:g})".format(*edge[0], *edge[1]) for edge in crossing)
            raise UsageError(
                f"{label} crosses itself: its edge from {one} crosses that from {other}: "
                f"list the vertices in order around it"
            )
        object.__setattr__(self, "vertices", vertices)

    def inside(self, columns: Collection[str] = ()) -> pl.Expr:
        """Whether a row's point lies in the polygon: a Boolean expression, false where a value is missing.

        Args:
            columns: of the table: a pulse shape that is not among them is calculated from the adc values.
        """
        x, y = (pulse_shape.column(name, columns).cast(pl.Float64) for name in (self.x, self.y))
        edges = pairwise((*self.vertices, self.vertices[0]))
        crossings = [
            _crosses(x, y, *sorted(edge, key=lambda end: end[1])) for edge in edges if edge[0][1] != edge[1][1]
        ]
        return _odd(crossings).fill_null(value=False).alias("inside")

    def select(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of a table that lie in the polygon.

        Raises:
            TableError: the table lacks one of the columns.
        """
        columns = frame.collect_schema()
        self.check(columns)
        return frame.filter(self.inside(columns))

    @property
    def needs_further(self) -> bool:
        """Whether it needs columns that pairs have only if they are asked for."""
        return any(name.startswith(pulse_shape.SHORT) or pulse_shape.charges(name) for name in (self.x, self.y))

    def check(self, columns: pl.Schema) -> None:
        """Raise unless a table has both columns, and they hold numbers; or has those from which they follow.

        Raises:
            TableError: it has not.
        """
        label = f"polygon '{self.name}'" if self.name else "the polygon"
        for asked in (self.x, self.y):
            charges = () if asked in columns else pulse_shape.charges(asked)
            if missing := [name for name in charges if name not in columns]:
                raise TableError(f"{label} uses the pulse shape '{asked}': {pulse_shape.without(missing[0])}")
        names = (name for asked in (self.x, self.y) for name in pulse_shape.sources(asked, columns))
        for name in names:
            if name not in columns:
                raise TableError(
                    f"{label} uses the column '{name}', which does not exist: choose from {', '.join(columns)}"
                )
            if not (columns[name].is_numeric() or columns[name] == pl.Null):
                raise TableError(f"{label} uses the column '{name}', which contains {columns[name]} instead of numbers")


def _finite(vertices: Sequence[tuple[float, float]], label: str) -> tuple[Vertex, ...]:
    """Vertices as numbers that can be reckoned with."""
    points = []
    for number, (x, y) in enumerate(vertices, 1):
        try:
            vertex = float(x), float(y)
        except OverflowError:
            vertex = math.inf, math.inf
        if not (math.isfinite(vertex[0]) and math.isfinite(vertex[1])):
            raise UsageError(f"{label} has a vertex that is not a pair of finite numbers: number {number}")
        points.append(vertex)
    return tuple(points)


def _crossing(vertices: tuple[Vertex, ...]) -> tuple[tuple[Vertex, Vertex], tuple[Vertex, Vertex]] | None:
    """Two edges that cross, each from one side of the other to its other side; None where none do."""
    points = np.array(vertices)
    begins, ends = points, np.roll(points, -1, axis=0)
    for place in range(len(points) - 2):
        begin, end = begins[place], ends[place]
        others = slice(place + 2, len(points) - (place == 0))  # neighbours share a vertex
        separate = _side(begin, end, begins[others]) * _side(begin, end, ends[others]) < 0
        around = _side(begins[others], ends[others], begin) * _side(begins[others], ends[others], end) < 0
        if (places := np.flatnonzero(separate & around)).size:
            other = place + 2 + int(places[0])
            ring = (*vertices, vertices[0])
            return (ring[place], ring[place + 1]), (ring[other], ring[other + 1])
    return None


def _side(begin: Points, end: Points, point: Points) -> Points:
    """On which side of a line points lie: -1, 1, or 0 on it, where rounding in the 16th digit may put a point."""
    along, to = np.moveaxis(end - begin, -1, 0), np.moveaxis(point - begin, -1, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        left, right = along[0] * to[1], along[1] * to[0]
        near = np.abs(left - right) <= ROUNDING * (np.abs(left) + np.abs(right))
        return np.where(near, 0.0, np.sign(left - right))


def _once(vertices: tuple[Vertex, ...]) -> tuple[Vertex, ...]:
    """Without vertices that repeat the one before, and without the first one again at the end."""
    result = [vertex for place, vertex in enumerate(vertices) if vertex != vertices[place - 1] or place == 0]
    return tuple(result[:-1] if len(result) > 1 and result[0] == result[-1] else result)


def _crosses(x: pl.Expr, y: pl.Expr, low: Vertex, high: Vertex) -> pl.Expr:
    """Whether a ray from a point to the right crosses an edge that rises from `low` to `high`."""
    left_of_it = (x - low[0]) * (high[1] - low[1]) < (y - low[1]) * (high[0] - low[0])
    return (y >= low[1]) & (y < high[1]) & left_of_it


def _odd(parts: Sequence[pl.Expr]) -> pl.Expr:
    """Whether an odd number of parts is true; in halves, so that expressions stay shallow."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return _odd(parts[:middle]) ^ _odd(parts[middle:])
