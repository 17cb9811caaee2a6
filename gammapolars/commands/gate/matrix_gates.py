"""What gates on one axis of a matrix, or on both, take out of its bins, as counted or net of the background."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import polars as pl

from gammapolars.commands.gate.counts import CoincidenceCounts
from gammapolars.commands.net_matrices import MatrixBackground, net_matrix
from gammapolars.gates import Gate
from gammapolars.spectra import coincidence_peak, project
from gammapolars.spectra.matrices import axes_of, is_symmetric

OneGate = TypeVar("OneGate")
OtherGate = TypeVar("OtherGate")


class Gated(NamedTuple):
    """A gated spectrum.

    Attributes:
        net: bin centre, `counts`, `variance`.
        counts: in all of it.
        unc: one standard deviation, with what its bins have in common.
        coincidence: of the gate with the second one, if there is one.
        background: what was subtracted in two dimensions.
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
        net = project(self.table, self.gate, on=self.side, width=self.widths[0 if self.side == "x" else 1]).collect()
        variance = float(net["variance"].sum())
        if is_symmetric(self.table):
            variance += self._twice_counted()
        return Gated(net, float(net["counts"].sum()), math.sqrt(variance), self._coincidence())

    def net_of_background(self, regions: Sequence[str] | None, name: object) -> Gated:
        """The same net of the background that the projections tell.

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

    def _twice_counted(self) -> float:
        """What the variance of all net counts has beyond those of the bins, in a symmetric matrix.

        Pairs with both hits in the gate or its background stand in two bins: (g + h)² v is 2 g h v more than (g² + h²)
        v.
        """
        x, y = axes_of(self.table.schema)
        cells = self.table.filter(pl.col(x) != pl.col(y))
        return float(cells.select((self.gate.weight(x) * self.gate.weight(y) * pl.col("variance")).sum()).item())
