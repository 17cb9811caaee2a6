"""Matrices: pairs, or single hits, by two of their quantities."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, Mergeable, State
from gammapolars.analysis.accumulators.axes import ALL, Axis, Rows, Sides, values_along
from gammapolars.analysis.accumulators.pulse_shapes import PulseShapes
from gammapolars.core.errors import UsageError
from gammapolars.core.flags import has_any
from gammapolars.core.quantities import ADC, ENERGY, PSD, are_of_pairs
from gammapolars.core.types import Integers, Key
from gammapolars.core.units import Window
from gammapolars.detectors import Detectors
from gammapolars.detectors.hits import is_one_of
from gammapolars.gates import PolygonGate
from gammapolars.spectra import fitting_bin_kev
from gammapolars.spectra.tallies import Tally
from gammapolars.spectra.weighted_tallies import WeightedCounts, WeightedTally, count_by_weight

HALF = 2**31
CELL = 2**32
"""Two numbers from -2^31 to 2^31 - 1 are packed into one of 64 bits, by which rows group and sort in half the time."""


class CellTally:
    """Sums of weights, and of their squares, by the numbers `x` and `y` of two bins.

    Args:
        symmetric: whether a count at x and y is also at y and x: it is kept once.
    """

    def __init__(self, *, symmetric: bool) -> None:
        self._symmetric = symmetric
        self._packed, self._wide = WeightedTally("cell"), WeightedTally("x", "y")

    @property
    def rows(self) -> int:
        """About how many cells are filled, and no more than twice as many are kept."""
        return self._packed.rows + self._wide.rows

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows at `x` and `y`, each with its `weight`, or with one of 1."""
        x, y = (rows[name].to_numpy() for name in "xy")
        if self._symmetric:
            x, y = np.minimum(x, y), np.maximum(x, y)
        if _fit(x) and _fit(y):
            cells = rows.drop("x", "y").with_columns(pl.Series("cell", x * CELL + (y + HALF)))
            self._packed.add(_counts(cells, ["cell"]))
            return
        fit = (np.minimum(x, y) >= -HALF) & (np.maximum(x, y) < HALF)
        rows = rows.with_columns(pl.Series("x", x), pl.Series("y", y))
        self._wide.add(_counts(rows.filter(~fit), ["x", "y"]))
        self.add(rows.filter(fit))

    def table(self) -> pl.DataFrame:
        """`x`, `y`, `counts` and `variance` of all filled cells in order."""
        cells = _unpacked(self._packed.summed())
        if self._wide.rows:
            cells = pl.concat([cells, self._wide.summed()])
        if self._symmetric:
            mirrored = cells.filter(pl.col("x") != pl.col("y")).rename({"x": "y", "y": "x"})
            cells = pl.concat([cells, mirrored.select(cells.columns)])
        packed = pl.col("x") * CELL + (pl.col("y") + HALF)
        return cells.sort(["x", "y"] if self._wide.rows else packed)

    def state(self) -> State:
        """The sums so far."""
        return {"packed": self._packed.state(), "wide": self._wide.state()}

    def merge(self, state: State) -> None:
        """Add the sums of another tally."""
        self._packed.merge(state["packed"])
        self._wide.merge(state["wide"])


def _counts(rows: pl.DataFrame, keys: list[str]) -> WeightedCounts:
    """Rows of one weight are left as they are: few of them share a cell, and the tally groups them anyway."""
    if "weight" in rows.columns:
        return count_by_weight(rows, keys, "weight")
    return {1.0: rows.with_columns(counts=pl.lit(1, pl.UInt64))}


def _fit(numbers: Integers) -> bool:
    return not len(numbers) or (int(numbers.min()) >= -HALF and int(numbers.max()) < HALF)


def _unpacked(cells: pl.DataFrame) -> pl.DataFrame:
    packed = cells["cell"].to_numpy() if cells.height else np.empty(0, np.int64)
    return cells.select(pl.Series("x", packed // CELL), pl.Series("y", packed % CELL - HALF), "counts", "variance")


BATCH_ROWS = 1_000_000
"""This many pairs are counted at once, in 0.4 of the time per pair that a tenth of them needs."""

MAX_CELLS = 20_000_000
"""A matrix of more filled bins than this, about half a gigabyte, is not counted on; of a symmetric one, those above the
diagonal are counted."""


class Matrix(Accumulator):
    """Pairs by two quantities of their hits, less random ones where they have weights; or hits by two of their own.

    It is one of hits where an axis is a quantity that pairs do not have, such as the time, or that belongs to the same
    hit as the other, such as the pulse shape against the energy.

    Args:
        x: the bins along x.
        y: the bins along y.
        detectors: energy calibrations.
        window: pairs outside are left out; None, and where their `region` says that they count: none are.
        sides: which detectors' hits are x, and which y; of single hits, those of x count.
        symmetric: whether each pair also counts with x and y swapped; on the diagonal it counts once.
        polygons: pairs outside any of them are left out. They are in columns of pairs, such as `adc_a`, where a is the
            earlier hit, or in the columns of the matrix, such as `adc_x`.
        mask: flags that reject a single hit.
        sums: whether energies are of several hits each, as add-back makes them.
        unlike: whether detectors may differ in their scale, as those without a calibration do in their gain: a
            symmetric matrix of only two detectors is then one of the first against the second.

    Attributes:
        shapes: of the hits that it is made of, where an axis is the pulse shape.
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
        mask: int = 0,
        sums: bool = False,
        unlike: bool = False,
    ) -> None:
        self.axes = (x, y)
        self._symmetric, self._unlike = symmetric, unlike and symmetric
        self._ends = Tally(*ENDS)
        self._detectors, self._sums, self._mask = detectors, sums, mask
        self._window, self._sides, self.polygons = window, sides, polygons
        self.shapes = _shapes((x, y), mask, sides)
        self._waiting: list[pl.DataFrame] = []
        self._cells = CellTally(symmetric=symmetric and not unlike)

    @classmethod
    def of_energies(
        cls,
        window: Window,
        detectors: Detectors,
        *,
        calibrated: bool | None = None,
        bin_kev: float | None = None,
        sums: bool = False,
        unlike: bool = False,
    ) -> "Matrix":
        """The symmetric matrix of the energies of all pairs; of their adc values where nothing is calibrated.

        With `unlike`, adc values of only two detectors are those of the first against those of the second.
        """
        axis = energy_axis(detectors, bin_kev, calibrated=calibrated)
        unlike = unlike and axis.quantity == ADC
        return cls(axis, axis, detectors, window=window, symmetric=True, sums=sums, unlike=unlike)

    @property
    def symmetric(self) -> bool:
        """Whether each pair counts in both orders."""
        return self._symmetric and self.against is None

    @property
    def against(self) -> tuple[Key, Key] | None:
        """The two detectors, of x and of y, of a matrix that would be symmetric if they were not unlike."""
        self._count()
        table = self._ends.total() if self._unlike else pl.DataFrame()
        if table.height != 1:
            return None
        a, b, c, d = table.select(ENDS).row(0)
        return (a, b), (c, d)

    @property
    def columns(self) -> tuple[str, str]:
        """The names of the axes in the matrix."""
        x, y = self.axes
        return f"{x.quantity.column}_x", f"{y.quantity.column}_y"

    @property
    def is_of_pairs(self) -> bool:
        """Whether pairs count, and not single hits."""
        x, y = self.axes
        return are_of_pairs(x.quantity, y.quantity)

    @property
    def polygon_columns(self) -> tuple[str, ...]:
        """Columns for polygons, besides those of pairs: both axes, unless each pair counts in both orders."""
        return () if self.symmetric else self.columns

    def add_hits(self, hits: pl.DataFrame) -> None:
        if self.shapes:
            self.shapes.add_hits(hits)
        if not self.is_of_pairs:
            self._add(hits)

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        if self.is_of_pairs:
            self._add(pairs)

    def parts(self) -> Mapping[str, Mergeable]:
        self._count()
        parts: dict[str, Mergeable] = {"cells": self._cells}
        if self._unlike:
            parts["ends"] = self._ends
        return parts | {"shapes": self.shapes} if self.shapes else parts

    def merge(self, state: State) -> None:
        super().merge(state)
        self._check()

    def table(self) -> pl.DataFrame:
        """Bin centres of both axes, `counts`, `variance`; filled bins only, in order."""
        self._count()
        centres = {
            name: axis.centre(pl.col(side)) for name, axis, side in zip(self.columns, self.axes, "xy", strict=True)
        }
        cells = self._cells.table()
        if self._unlike and self.symmetric:
            swapped = cells.filter(pl.col("x") != pl.col("y")).rename({"x": "y", "y": "x"}).select(cells.columns)
            cells = pl.concat([cells, swapped]).group_by("x", "y").agg(pl.all().sum()).sort("x", "y")
        return cells.select(**centres, counts="counts", variance="variance")

    def _add(self, rows: pl.DataFrame) -> None:
        self._waiting.append(rows)
        if sum(part.height for part in self._waiting) >= BATCH_ROWS:
            self._count()

    def _count(self) -> None:
        """Count the rows that wait: a single slice has so few that most of the time would go into queries."""
        if not self._waiting:
            return
        rows = pl.concat(self._waiting)
        self._waiting = []
        values = self._pairs(rows) if self.is_of_pairs else self._hits(rows)
        numbers = {
            side: axis.number(pl.col(name)) for side, axis, name in zip("xy", self.axes, self.columns, strict=True)
        }
        weight = ["weight"] if "weight" in rows.columns else []
        cells = values.select(*weight, *(ENDS if self._unlike else ()), **numbers).drop_nulls()
        numbered = (cells.filter(pl.col("weight") != 0) if weight else cells).collect()
        if numbered.height < rows.height:
            self._check_numbers(values)
        if self._unlike:
            self._ends.add(_detector_pairs(numbered))
            numbered = numbered.drop(ENDS)
        self._cells.add(numbered)
        self._check()

    def _check(self) -> None:
        if self._cells.rows > MAX_CELLS:
            raise UsageError(
                f"bins of {self._widths} make a matrix of more than {MAX_CELLS // 10**6} million filled "
                "bins: use wider bins"
            )

    def _check_numbers(self, values: pl.LazyFrame) -> None:
        """Raise where values lie too many bins from 0 to be counted: they would be left out without a word."""
        outside = (
            axis.has_no_number(pl.col(name).cast(pl.Float64))
            for axis, name in zip(self.axes, self.columns, strict=True)
        )
        if values.select(pl.any_horizontal(outside).any()).collect().item():
            raise UsageError(f"bins of {self._widths} are too narrow for the values of these hits: use wider bins")

    @property
    def _widths(self) -> str:
        return " × ".join(f"{axis.width:g} {axis.quantity.unit}" for axis in self.axes)

    def _pairs(self, pairs: pl.DataFrame) -> pl.LazyFrame:
        """Those that count, with their values along both axes."""
        rows = pairs.lazy()
        if self._window and "region" not in pairs.columns and not pairs["dt_ps"].is_between(*self._window).all():
            rows = rows.filter(pl.col("dt_ps").is_between(*self._window))
        values = self._values(pairs, "_a", "_b")
        if self._sides != ALL:
            rows = rows.filter(self._sides.admitted)
        if not self._symmetric or self._unlike:
            swapped = self._values(pairs, "_b", "_a")
            is_swapped = pl.when(self._sides.is_swapped)
            values = [is_swapped.then(other).otherwise(own) for own, other in zip(values, swapped, strict=True)]
        rows = rows.with_columns(values)
        return rows.filter([polygon.inside() for polygon in self.polygons]) if self.polygons else rows

    def _hits(self, hits: pl.DataFrame) -> pl.LazyFrame:
        """The same of single hits."""
        rows = hits.lazy().filter(~has_any(self._mask)) if self._mask else hits.lazy()
        if self._sides.x is not None:
            rows = rows.filter(is_one_of(sorted(self._sides.x)))
        return rows.with_columns(self._values(hits))

    def _values(self, rows: pl.DataFrame, of_x: str = "", of_y: str = "") -> list[pl.Expr]:
        of_rows = Rows(rows.columns, self._detectors, self._sums)
        values = values_along(self.axes, of_rows, of_x, of_y)
        return [value.alias(name) for value, name in zip(values, self.columns, strict=True)]


def _shapes(axes: tuple[Axis, Axis], mask: int, sides: Sides) -> PulseShapes | None:
    """A counter of the hits that a matrix of pulse shapes is made of, and of those that it does not show."""
    axis = next((axis for axis in axes if axis.quantity == PSD and axis.low is not None), None)
    if axis is None:
        return None
    is_of_pairs = are_of_pairs(axes[0].quantity, axes[1].quantity)
    keys = sides.x if not is_of_pairs or sides.x is None or sides.y is None else sides.x | sides.y
    return PulseShapes(axis, mask, None if is_of_pairs and sides.y is None else keys)


ENDS = ["board_a", "channel_a", "board_b", "channel_b"]


def _detector_pairs(pairs: pl.DataFrame) -> pl.DataFrame:
    """How many pairs there are of each two detectors, whichever of them had the earlier hit."""
    counted = pairs.group_by(ENDS).agg(counts=pl.len())
    rows = [(*sorted([(a, b), (c, d)]), counts) for a, b, c, d, counts in counted.select(*ENDS, "counts").iter_rows()]
    flat = [(*first, *second, counts) for first, second, counts in rows]
    return pl.DataFrame(flat, dict.fromkeys((*ENDS, "counts"), pl.UInt64), orient="row")


def energy_axis(detectors: Detectors, bin_kev: float | None = None, *, calibrated: bool | None = None) -> Axis:
    """Bins of energy as wide as asked for, or as the detectors need; bins of adc where hits have no energies.

    `calibrated` says whether they have some; None: where a detector is calibrated.
    """
    if not (any(detector.energy for detector in detectors) if calibrated is None else calibrated):
        return Axis(ADC, ADC.bin)
    return Axis(ENERGY, fitting_bin_kev(detectors, least_kev=ENERGY.bin) if bin_kev is None else bin_kev)
