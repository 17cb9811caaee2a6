"""Projections of a matrix by gates on one axis, or on both, as counted or with the background subtracted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import polars as pl

from gammapolars.commands.gate.counts import CoincidenceCounts
from gammapolars.commands.net_matrices import MatrixBackground, net_matrix
from gammapolars.gates import Gate
from gammapolars.spectra import coincidence_peak
from gammapolars.spectra.matrices import axes_of, gate_weight, in_order, is_symmetric, projection

OneGate = TypeVar("OneGate")
OtherGate = TypeVar("OtherGate")


class Gated(NamedTuple):
    """A gated spectrum.

    Attributes:
        net: bin centre, `counts`, `variance`.
        counts: in all of it.
        unc: one standard deviation, with what its bins have in common.
        coincidence: of the gate with the second one, if there is one.
        background: the background subtracted in two dimensions.
    """

    net: pl.DataFrame
    counts: float
    unc: float
    coincidence: CoincidenceCounts | None
    background: MatrixBackground | None = None


@dataclass(frozen=True)
class MatrixGates:
    """Gates on a matrix, with ends on the edges of its bins.

    Attributes:
        table: the matrix, as counted.
        gate: on one axis.
        partner: on the other.
        side: which axis `gate` is on.
        widths: of the bins on x and on y.
    """

    table: pl.DataFrame
    gate: Gate
    partner: Gate | None
    side: Literal["x", "y"]
    widths: tuple[float, float]

    def as_counted(self) -> Gated:
        """The sum of the gate's rows, net of the background next to the line."""
        width = self.widths[0 if self.side == "x" else 1]
        net, counts, variance = projection(self.table, self.gate, self.side, width)
        if is_symmetric(self.table):
            variance += self._twice_counted(width)
        return Gated(net, counts, math.sqrt(variance), self._coincidence())

    def net_of_background(self, regions: Sequence[str] | None, name: object) -> Gated:
        """The same minus the background given by the projections.

        Args:
            regions: where these have peaks, as texts; None: they are searched.
            name: of the matrix, for errors.
        """
        matrix = net_matrix(self.table, regions, self.widths, name)
        whole = matrix.sum(*self._on_axes(self.gate, None))
        coincidence = self._coincidence()
        if coincidence and self.partner:
            first, second = (Gate(one.low, one.high) for one in self._on_axes(self.gate, self.partner))
            of_peak = matrix.coincidences(first, second)
            coincidence = coincidence.beside(of_peak.counts, of_peak.unc)
        background = MatrixBackground(*matrix.regions, whole.background)
        net = matrix.project(self.gate, on=self.side).drop("background")
        return Gated(net, whole.counts, whole.unc, coincidence, background)

    def _on_axes(self, gate: OneGate, other: OtherGate) -> tuple[OneGate | OtherGate, OneGate | OtherGate]:
        return (gate, other) if self.side == "x" else (other, gate)

    def _coincidence(self) -> CoincidenceCounts | None:
        """The coincidence peak of both gates, by the four gates around it."""
        if self.partner is None:
            return None
        peak = coincidence_peak(self.table, *self._on_axes(self.gate, self.partner), width=self.widths)
        if self.side == "y":
            peak = peak._replace(peak_background=peak.background_peak, background_peak=peak.peak_background)
        return CoincidenceCounts(self.partner, *peak)

    def _twice_counted(self, width: float) -> float:
        """The variance of all net counts in a symmetric matrix beyond those of the bins.

        Pairs with both hits in the gate or its background are in two bins: (g + h)² v is 2 g h v more than (g² + h²)
        v. With β = g / b: the variances where both hits are in the gate, less β times those of one in the gate and one
        in the background, and β β times those of both in the background, each summed in the order of the bins.
        """
        x, y = axes_of(self.table.schema)
        ends = [
            gate_weight(self.table[name], self.gate, width).alias(f"_{side}") for name, side in ((x, "x"), (y, "y"))
        ]
        cells = self.table.with_columns(ends).filter((pl.col("_x") * pl.col("_y") != 0) & (pl.col(x) != pl.col(y)))
        cells = cells.sort(x, y)
        one, other, variance = (cells[name].cast(pl.Float64).to_numpy() for name in ("_x", "_y", "variance"))
        beta = -min(one.min(initial=0.0), other.min(initial=0.0))
        gate, beside = (one > 0) & (other > 0), (one < 0) & (other < 0)
        parts = [in_order(variance[part]) for part in (gate, ~gate & ~beside, beside)]
        return float(parts[0] - beta * parts[1] + (beta * beta) * parts[2])
