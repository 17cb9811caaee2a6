"""Matrices net of their background in two dimensions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from scipy.sparse import block_diag, csr_array

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.overview import Overview, Section
from gammapolars.core.types import Floats, Range
from gammapolars.core.wording import setting
from gammapolars.gates import Gate
from gammapolars.spectra.coincidence_peaks import on_one_line
from gammapolars.spectra.factorised_background import FactorisedBackground
from gammapolars.spectra.matrix_cells import cells_of
from gammapolars.spectra.peak_regions import background_operator, found_regions, given_regions, ranges_of

SIDES = {"x": 0, "y": 1}


class NetSum(NamedTuple):
    """A weighted sum over a net matrix.

    Attributes:
        counts: net ones.
        unc: their standard deviation, with the part that all cells share.
        background: the background subtracted.
    """

    counts: float
    unc: float
    background: float


class NetMatrix(Overview):
    """A matrix minus the background given by its projections, after Palameta and Waddington, with its covariance.

    With the projections P_i, the background b_i under their peaks and the sum T, B_ij = (P_i b_j + b_i P_j - b_i b_j)/T
    is subtracted from each cell. `factorised_background` derives it, also for axes of different detectors, and the
    variances.

    That is right where everything but the coincidences of two peaks factorises: random coincidences, and many cascades
    together. Where cascades are few, the Compton background of a line is in coincidence only with its own cascade,
    and net counts are biased; `gp.coincidence_peak` takes the background from the matrix around a peak instead.

    Args:
        matrix: from `gp.matrix` or `gp.scan_matrix`, of two energies or two adc values, also with random coincidences
            subtracted.
        regions: stretches with peaks, in the axes' unit; None: they are searched in the projections.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²), for that search; None: measured at the clearest peaks.
        width: of the bins, on both axes or on each; None: from the distances of bin centres.

    Attributes:
        regions: the stretches of x, and of y, in which peaks lie.
        symmetric: whether each pair is counted at (x, y) and at (y, x).
        total: T, the sum of the matrix; for a symmetric one, with twice its diagonal.

    Raises:
        TableError: it is not a matrix of two energies or of two adc values, or its sum is not above 0.
        UsageError: no peaks are found, one holds no bin, or they leave none.
    """

    def _sections(self) -> Iterator[Section]:
        """Its sum, and the stretches with peaks on each axis."""
        rows = [("sum", f"{self.total:,.6g}"), ("symmetric", "yes" if self.symmetric else "no")]
        axes = zip(("x", "y"), self.regions, strict=True)
        rows += [(f"peak regions of {axis}", f"{len(regions):,}") for axis, regions in axes]
        yield Section((), tuple(rows))

    def __init__(
        self,
        matrix: AnyFrame,
        *,
        regions: Sequence[Range] | None = None,
        fwhm: Sequence[float] | None = None,
        width: float | tuple[float, float] | None = None,
    ) -> None:
        self._cells = cells = cells_of(eager(matrix, "matrix"), width)
        self.symmetric = cells.symmetric
        projection, variance = cells.sums(cells.counts), cells.sums(cells.variance)
        found, operators = [], []
        for number in (1,) if self.symmetric else (0, 1):
            side, part = cells.sides[number], cells.part(number)
            if regions is None:
                found.append(found_regions(side, projection[part], variance[part], fwhm))
                if not found[-1]:
                    raise UsageError(
                        f"no peaks were found in the projection on {side.column}: give their positions with "
                        f"{setting('--peak-region LOW:HIGH', 'regions')}"
                    )
            else:
                found.append(given_regions(side, regions))
            operators.append(background_operator(side, found[-1]))
        self.regions = ranges_of(cells.sides[0], found[0]), ranges_of(cells.sides[1], found[-1])
        self._background = FactorisedBackground(cells, csr_array(block_diag(operators, format="csr")))
        self.total = self._background.total
        if not self.total > 0:
            raise TableError(f"the counts of the matrix add up to {self.total:g}, which does not give a background")

    def projections(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """For x and for y: `energy_kev` or `adc` (bin centre), `counts`, and the `background` under their peaks."""
        values = {"counts": self._background.projection, "background": self._background.below}
        return self._along(0, values), self._along(1, values)

    def _along(self, side: int, values: Mapping[str, Floats]) -> pl.DataFrame:
        """Values of all bins as a spectrum along one axis, without bins in which none is other than 0."""
        axis, part = self._cells.sides[side], self._cells.part(side)
        spectrum = pl.DataFrame({axis.column[:-2]: axis.centres} | {name: one[part] for name, one in values.items()})
        return spectrum.filter(pl.any_horizontal(pl.col(list(values)) != 0))

    def sum(self, x: Gate | None = None, y: Gate | None = None) -> NetSum:
        """The net counts of a rectangle, or of two gates with background: Σ w_i u_j N_ij.

        Args:
            x: on the x axis; None: all of it.
            y: on the y axis.

        Raises:
            UsageError: a gate without a bin.
        """
        net = self._background.net_sum(self._weights(0, x), self._weights(1, y))
        return NetSum(float(net.counts), float(np.sqrt(net.variance)), float(net.background))

    def coincidences(self, first: Gate, second: Gate) -> NetSum:
        """The net coincidences of two lines: their sum, or, where both gates are on one line, the pairs that are in it.

        A symmetric matrix has these in both orders, those on the diagonal once. With two gates that overlap a pair that
        fits in both orders is counted in both, as `gp.coincidence_peak` does.

        Args:
            first: on the x axis.
            second: on the y axis.

        Raises:
            UsageError: a gate without a bin.
        """
        if not self.symmetric:
            return self.sum(first, second)
        net = self._background.net_sum(self._weights(0, first), self._weights(1, second), diagonal=2.0)
        half = 0.5 if on_one_line(first, second) else 1.0
        return NetSum(*(half * float(one) for one in (net.counts, np.sqrt(net.variance), net.background)))

    def project(self, gate: Gate, *, on: Literal["x", "y"] = "x") -> pl.DataFrame:
        """The net spectrum along one axis for a gate on the other.

        Its bins are correlated: for a sum of several, `sum` gives the uncertainty.

        Args:
            gate: in the unit of the gated axis.
            on: the axis that is gated.

        Returns:
            `energy_kev` or `adc` (bin centre), net `counts`, `variance`, and the `background` that was subtracted.

        Raises:
            UsageError: a gate without a bin.
        """
        net = self._background.projected(self._weights(SIDES[on], gate))
        return self._along(1 - SIDES[on], net._asdict())

    def table(self) -> pl.DataFrame:
        """All cells with counts, or with an expected background.

        Cells have their projections in common, so that variances do not add up to that of a sum. `gp.project` refuses
        this table therefore, which it knows by the column `background`: take `project` and `sum`.

        Returns:
            The columns of the matrix, net `counts`, `variance`, and the `background` that was subtracted.
        """
        x, y = self._cells.sides
        parts = []
        for rows, net in self._background.blocks():
            centres = x.centres[rows]
            grid = {x.column: np.repeat(centres, y.bins), y.column: np.tile(y.centres, len(centres))}
            parts.append(pl.DataFrame(grid | {name: values.ravel() for name, values in net._asdict().items()}))
        return pl.concat(parts).filter(pl.any_horizontal(pl.col("counts", "variance", "background") != 0))

    def _weights(self, side: int, gate: Gate | None) -> Floats:
        """(nodes,) a gate's weights on its own axis."""
        weights = np.zeros(self._cells.nodes)
        weights[self._cells.part(side)] = 1.0 if gate is None else self._cells.sides[side].weights(gate)
        return weights
