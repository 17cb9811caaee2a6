"""The counts of a coincidence peak: of two lines with each other, net of the background below each of them."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.overview import html_of
from gammapolars.core.quantities import axis_columns
from gammapolars.core.types import Key
from gammapolars.detectors.hits import is_one_of
from gammapolars.gates import Gate
from gammapolars.spectra.matrix_cells import MatrixCells, cells_of
from gammapolars.spectra.weighted_tallies import WeightedTally, count_by_weight
from gammapolars.streaming.slices import batches_of

ORDERS = ("ab", "ba")
"""Which hit of a pair is in the first gate, and which in the second."""


class CoincidencePeak(NamedTuple):
    """The four components of a coincidence peak, each as counts below the peak, and the counts net of the last three.

    A background's component is already scaled by how much wider the gate is than its background, for both lines if it
    is that of both: net = peak_peak - peak_background - background_peak + background_background.

    Attributes:
        peak_peak: in both gates.
        peak_background: in the gate on the first line and in the background of the second.
        background_peak: in the background of the first and in the gate on the second.
        background_background: in both backgrounds.
        net: full-energy coincidences of the two lines.
        net_unc: one standard deviation.
    """

    peak_peak: float
    peak_background: float
    background_peak: float
    background_background: float
    net: float
    net_unc: float

    def _repr_html_(self) -> str:
        return html_of(self)


def coincidence_peak(
    table: AnyFrame,
    first: Gate,
    second: Gate,
    *,
    on: str = "energy_kev",
    width: float | tuple[float, float] | None = None,
) -> CoincidencePeak:
    """The net coincidences of two lines, with the background taken around their peak in the plane of both energies.

    Under a coincidence peak are coincidences of either line with the Compton background under the other, and of both
    backgrounds with each other. Taken from gates next to the lines they are n_pb, n_bp and n_bb, and with the ratios s
    of the widths of gate and background, N = n_pp - s₂ n_pb - s₁ n_bp + s₁ s₂ n_bb (E. R. Gamba, A. M. Bruce and
    M. Rudigier, Nucl. Instrum. Methods A 928 (2019) 93). That is the sum of the products of both gates' weights, and
    the sum of their squares is its variance: a pair that fits in both orders has the sum of both, and half of it
    where the gates are on one line, as for two photons of 511 keV.

    Args:
        table: pairs with energies, which may have weights, or a matrix; of one that is not symmetric the first line is
            on x.
        first: a gate with background on one line.
        second: the same on the other.
        on: the column of pairs that is gated: `energy_kev`, or `adc`.
        width: of the bins of a matrix, on both axes or on each; None: from the distances of bin centres.

    Raises:
        TableError: neither pairs with the column, nor a matrix in equal bins.
        UsageError: a gate that holds no bin.
    """
    table = lazy(table, "matrix")
    columns = table.collect_schema()
    if axis_columns(columns):
        return of_cells(cells_of(table.collect(), width), first, second)
    if missing := [name for name in (f"{on}_a", f"{on}_b") if name not in columns]:
        raise TableError(f"these pairs have no column '{missing[0]}' to gate on: calibrate them first")
    counts = CoincidencePeakTally(first, second, on=on)
    for batch in batches_of(table):
        counts.add(batch)
    return counts.total()


def of_cells(cells: MatrixCells, first: Gate, second: Gate) -> CoincidencePeak:
    """The coincidence peak of a matrix, in whole bins."""
    weights = []
    half = 0.5 if cells.symmetric and on_one_line(first, second) else 1.0
    for side, gate in enumerate((first, second)):
        own = np.zeros(cells.nodes)
        own[cells.part(side)] = cells.sides[side].weights(gate)
        weights.append(own)
    parts = ((np.maximum(own, 0.0), np.maximum(-own, 0.0)) for own in weights)
    # On the diagonal a pair of two gates that overlap fits in both orders too.
    four = [half * float(cells.products(x, y, 2.0) @ cells.counts) for x, y in product(*parts)]
    variance = float((half * cells.products(weights[0], weights[1], 2.0)) ** 2 @ cells.variance)
    return _with_net(four, variance)


def on_one_line(first: Gate, second: Gate) -> bool:
    """Whether two gates are on one line, so that a pair in both fits in either order, and is one coincidence."""
    return (first.low, first.high) == (second.low, second.high)


def _with_net(four: Sequence[float], variance: float) -> CoincidencePeak:
    pp, pb, bp, bb = four
    return CoincidencePeak(pp, pb, bp, bb, pp - pb - bp + bb, math.sqrt(variance))


class CoincidencePeakTally:
    """The components of a coincidence peak, counted of pairs, batch by batch.

    Args:
        first: the gate on one line.
        second: that on the other; where it is on the same line, half of a pair is counted in either order.
        on: the gated quantity.
        of: detectors whose hits may lie in the first gate; None: all.
    """

    def __init__(self, first: Gate, second: Gate, *, on: str = "energy_kev", of: Sequence[Key] | None = None) -> None:
        self._gates, self._on, self._of = (first, second), on, of
        self._half = on_one_line(first, second)
        self._components, self._pairs = WeightedTally("component"), WeightedTally("all")

    def add(self, pairs: pl.DataFrame) -> None:
        """Count the pairs of a batch, by their weights if they have any."""
        own = pl.col("weight").cast(pl.Float64) if "weight" in pairs.columns else pl.lit(1.0)
        values = {}
        if self._half:
            own = own * self._of_each_order()
        for order in ORDERS:
            w, u = (gate.weight(f"{self._on}_{side}") for gate, side in zip(self._gates, order, strict=True))
            if self._of is not None:
                w = pl.when(is_one_of(self._of, f"_{order[0]}")).then(w).otherwise(0.0)
            values[f"w_{order}"] = (w * u * own).fill_null(0.0)
            values[f"c_{order}"] = 2 * (w < 0).cast(pl.Int64) + (u < 0).cast(pl.Int64)
        rows = pairs.lazy().select(**values).collect()
        names = [f"w_{order}" for order in ORDERS]
        rows = rows.filter(pl.any_horizontal(pl.col(name) != 0 for name in names))
        for order in ORDERS:
            part = rows.select(component=f"c_{order}", w=f"w_{order}").filter(pl.col("w") != 0)
            self._components.add(count_by_weight(part, ["component"], "w"))
        whole = rows.select(all=pl.lit(0), w=pl.sum_horizontal(names))
        self._pairs.add(count_by_weight(whole, ["all"], "w"))

    def _of_each_order(self) -> pl.Expr:
        """How much of a pair is counted in either order, of two gates on one line."""
        if self._of is None:
            return pl.lit(0.5)
        return pl.when(is_one_of(self._of, "_a") & is_one_of(self._of, "_b")).then(0.5).otherwise(1.0)

    def state(self) -> dict[str, Any]:
        """The counts so far, as plain data."""
        return {"components": self._components.state(), "pairs": self._pairs.state()}

    def merge(self, state: dict[str, Any]) -> None:
        """Add the counts of other pairs, between the same gates."""
        self._components.merge(state["components"])
        self._pairs.merge(state["pairs"])

    def total(self) -> CoincidencePeak:
        """The counts so far."""
        table, pairs = self._components.total(), self._pairs.total()
        found = dict(zip(table["component"], table["counts"], strict=True)) if table.height else {}
        four = [sign * found.get(number, 0.0) for number, sign in enumerate((1, -1, -1, 1))]
        return _with_net(four, float(pairs["variance"].sum()) if pairs.height else 0.0)
