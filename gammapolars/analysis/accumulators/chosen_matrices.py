"""Matrices of chosen detectors and quantities: of pairs, and of hits against time."""

from collections.abc import Sequence

import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator
from gammapolars.analysis.accumulators.axes import ALL, UNITS, Axis, Quantity, Sides, counted_within, of_hits, of_pairs
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import has_any
from gammapolars.core.types import Key
from gammapolars.core.units import Window
from gammapolars.detectors import Detectors
from gammapolars.detectors.hits import is_one_of
from gammapolars.gates import PolygonGate
from gammapolars.spectra import mirrored
from gammapolars.spectra.tallies import WEIGHTED, Tally
from gammapolars.spectra.weights import sums

MAX_BINS = 20_000_000
"""A matrix with more filled bins than this, more than half a gigabyte, is not counted on."""


class _Binned(Accumulator):
    """Weights by the numbers of two bins."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self.axes = (x, y)
        self._tally = Tally("x", "y", sums=WEIGHTED)

    @property
    def columns(self) -> tuple[str, str]:
        """What the axes are called in the matrix."""
        x, y = self.axes
        return f"{x.quantity}_x", f"{y.quantity}_y"

    def _count(self, rows: pl.LazyFrame, x: pl.Expr, y: pl.Expr) -> None:
        weight = ["weight"] if "weight" in rows.collect_schema() else []
        counted = (
            rows.select(*weight, x=self.axes[0].number(x), y=self.axes[1].number(y))
            .drop_nulls()
            .filter(pl.col("weight") != 0 if weight else pl.lit(value=True))
            .group_by("x", "y")
            .agg(**sums("weight" if weight else None))
        )
        self._tally.add(counted.collect())
        if self._tally.rows > MAX_BINS:
            widths = " × ".join(f"{axis.width:g} {UNITS[axis.quantity]}" for axis in self.axes)
            raise UsageError(
                f"bins of {widths} make a matrix of more than {MAX_BINS // 10**6} million filled bins: take wider bins"
            )

    def _table(self, *, symmetric: bool) -> pl.DataFrame:
        names, counted = self.columns, self._tally.total()
        if counted.is_empty():
            return pl.DataFrame(schema=dict.fromkeys((*names, "counts", "variance"), pl.Float64))
        centres = {name: axis.centre(pl.col(number)) for name, axis, number in zip(names, self.axes, "xy", strict=True)}
        table = counted.lazy().select(**centres, counts="counts", variance="variance")
        return (mirrored(table, *names) if symmetric else table).sort(names).collect()


class PairMatrix(_Binned):
    """Pairs by two quantities of their two hits; net of chance, where pairs carry weights.

    The hit of x gives its energy or adc along x, that of y along y; a time difference is the time of y less that of x.

    Args:
        x: the bins along x.
        y: the bins along y.
        detectors: energy calibrations.
        window: pairs outside are left out; None: all count.
        sides: which detectors' hits are x, and which y.
        symmetric: whether each pair also stands with x and y swapped; on the diagonal it counts once.
        polygons: pairs outside any of them are left out. They are in columns of pairs, such as `adc_a`, where a is the
            earlier hit, or in the columns of the matrix, such as `adc_x`.
    """

    def __init__(
        self,
        x: Axis,
        y: Axis,
        detectors: Detectors,
        *,
        window: Window | None = None,
        sides: Sides = ALL,
        symmetric: bool = False,
        polygons: Sequence[PolygonGate] = (),
    ) -> None:
        super().__init__(x, y)
        self._detectors, self._window, self._sides = detectors, window, sides
        self._symmetric, self._polygons = symmetric, polygons

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Take a part of a run's pairs."""
        x, y = (
            self._value(pairs.columns, axis.quantity, *ends) for axis, ends in zip(self.axes, ("ab", "ba"), strict=True)
        )
        rows = pairs.lazy().filter(counted_within(pairs.columns, self._window), self._sides.admitted)
        if self._polygons:
            rows = rows.with_columns(x.alias("_x"), y.alias("_y"))
            rows = rows.with_columns(pl.col(f"_{name[-1]}").alias(name) for name in self.axis_columns)
            rows = rows.filter([polygon.inside() for polygon in self._polygons])
            x, y = pl.col("_x"), pl.col("_y")
        self._count(rows, x, y)

    @property
    def axis_columns(self) -> tuple[str, ...]:
        """What polygons may be in, beside the columns of pairs: both axes, unless each pair stands in both orders."""
        return () if self._symmetric else self.columns

    def _value(self, columns: list[str], quantity: Quantity, own: str, other: str) -> pl.Expr:
        """A quantity of one axis, from side `own` of a pair, or from the other one where the pair is swapped."""
        if quantity == "dt_ps":
            here, there = pl.col("dt_ps"), -pl.col("dt_ps")
        else:
            here, there = (of_pairs(columns, quantity, self._detectors, side) for side in (own, other))
        # Of a symmetric matrix all of the same detectors, it does not matter which is x.
        plain = self._symmetric and quantity != "dt_ps"
        return here if plain else pl.when(self._sides.is_swapped).then(there).otherwise(here)

    def table(self) -> pl.DataFrame:
        """Bin centres of both axes, `counts`, `variance`; filled bins only."""
        return self._table(symmetric=self._symmetric)


class HitMatrix(_Binned):
    """Used hits by two of their quantities, such as adc and time.

    Args:
        x: the bins along x.
        y: the bins along y.
        detectors: energy calibrations.
        mask: flags that reject a hit.
        of: detectors that count, as (board, channel); None: all.
    """

    def __init__(
        self, x: Axis, y: Axis, detectors: Detectors, *, mask: int = 0, of: frozenset[Key] | None = None
    ) -> None:
        super().__init__(x, y)
        self._detectors, self._mask, self._of = detectors, mask, of

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take a part of a run's hits."""
        kept = pl.lit(value=True) if self._of is None else is_one_of(sorted(self._of))
        used = hits.lazy().filter(kept & ~has_any(self._mask) if self._mask else kept)
        x, y = (of_hits(hits.columns, axis.quantity, self._detectors) for axis in self.axes)
        self._count(used, x, y)

    def table(self) -> pl.DataFrame:
        """Bin centres of both axes, `counts`, `variance`; filled bins only."""
        return self._table(symmetric=False)
