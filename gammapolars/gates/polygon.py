"""Gates that are polygons in two quantities, such as pulse shape against pulse height."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from gammapolars.errors import TableError, UsageError

Vertex = tuple[float, float]

MOST_VERTICES = 10_000


@dataclass(frozen=True)
class PolygonGate:
    """A polygon in two columns of a table: of pairs, hits, or whatever has both.

    A point is inside where a ray to the right crosses an odd number of edges (crossing number; Haines 1994, Graphics
    Gems IV, 24). Edges that bound the polygon on the left and below belong to it, those on the right and above do not:
    polygons that share an edge share no point, and miss none. What the edges of a polygon that crosses itself go around
    twice is outside. Which side a point lies on is told from products of its distances, which are exact for adc values
    and picoseconds, and rounded in the 16th digit otherwise. A point without one of its values is outside.

    Attributes:
        x: the column along x, such as `energy_kev_a`, `adc` or `dt_ps`.
        y: the column along y.
        vertices: (x, y) in order around the polygon, either way; the last is joined to the first.
        name: how summaries call it.

    Raises:
        UsageError: fewer than three vertices, one that is no finite number, or all of them on one line.
    """

    x: str
    y: str
    vertices: tuple[Vertex, ...]
    name: str = ""

    def __post_init__(self) -> None:
        told = f"polygon '{self.name}'" if self.name else "a polygon"
        vertices = _once(tuple((float(x), float(y)) for x, y in self.vertices))
        if not all(math.isfinite(value) for vertex in vertices for value in vertex):
            raise UsageError(f"{told} has a vertex that is no finite number")
        if len(vertices) < 3:
            raise UsageError(f"{told} needs 3 or more vertices, and has {len(vertices)}")
        if len(vertices) > MOST_VERTICES:
            raise UsageError(f"{told} has {len(vertices):,} vertices, and may have {MOST_VERTICES:,}")
        (x, y), *others = vertices
        if all((others[0][0] - x) * (py - y) == (px - x) * (others[0][1] - y) for px, py in others):
            raise UsageError(f"{told} encloses nothing: its vertices lie on one line")
        object.__setattr__(self, "vertices", vertices)

    def inside(self) -> pl.Expr:
        """Whether a row's point lies in the polygon: a Boolean expression, false where a value is missing."""
        x, y = (pl.col(name).cast(pl.Float64) for name in (self.x, self.y))
        closed = pairwise((*self.vertices, self.vertices[0]))
        crossed = [_crossed(x, y, *sorted(edge, key=lambda end: end[1])) for edge in closed if edge[0][1] != edge[1][1]]
        return _odd(crossed).fill_null(value=False).alias("inside")

    def select(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of a table that lie in the polygon.

        Raises:
            TableError: the table has not both columns.
        """
        self.check(frame.collect_schema())
        return frame.filter(self.inside())

    def check(self, columns: pl.Schema) -> None:
        """Raise unless a table has both columns, and they hold numbers.

        Raises:
            TableError: it has not.
        """
        told = f"polygon '{self.name}'" if self.name else "the polygon"
        for name in (self.x, self.y):
            if name not in columns:
                raise TableError(
                    f"{told} is one in '{name}', and there is no such column: there is {', '.join(columns)}"
                )
            if not (columns[name].is_numeric() or columns[name] == pl.Null):
                raise TableError(f"{told} is one in '{name}', which holds {columns[name]} instead of numbers")


def _once(vertices: tuple[Vertex, ...]) -> tuple[Vertex, ...]:
    """Without vertices that repeat the one before, and without the first one again at the end."""
    kept = [vertex for place, vertex in enumerate(vertices) if vertex != vertices[place - 1] or place == 0]
    return tuple(kept[:-1] if len(kept) > 1 and kept[0] == kept[-1] else kept)


def _crossed(x: pl.Expr, y: pl.Expr, low: Vertex, high: Vertex) -> pl.Expr:
    """Whether a ray from a point to the right crosses an edge that rises from `low` to `high`."""
    left_of_it = (x - low[0]) * (high[1] - low[1]) < (y - low[1]) * (high[0] - low[0])
    return (y >= low[1]) & (y < high[1]) & left_of_it


def _odd(parts: Sequence[pl.Expr]) -> pl.Expr:
    """Whether an odd number of parts is true; in halves, so that expressions stay shallow."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return _odd(parts[:middle]) ^ _odd(parts[middle:])
