"""The part of a matrix given by its projections, the rest without it, and the correlations of that rest.

For a matrix M with the projections P_i = Σ_j M_ij and the sum T, the background that factorises follows only from the
projections and the background b below their peaks (G. Palameta and J. C. Waddington, Nucl. Instrum. Methods A
234 (1985) 476). With the peaks p = P - b, all coincidences but those of two peaks are taken to be as frequent as the
projections let expect:

    B_ij = (P_i P_j - p_i p_j) / T = (P_i b_j + b_i P_j - b_i b_j) / T.

Where x and y are of different detectors, the same argument gives B_ij = (X_i b_j + a_i Y_j - a_i b_j) / T with the
projections X and Y and their backgrounds a and b. A symmetric matrix has each pair in both orders; on the diagonal,
where it counts once, it is taken twice for P and T, and half of B is subtracted.

All of these are functions of the same counts, so that net cells are correlated. With b = A P (`background_operator`),
a weighted sum S = Σ U_ij (M_ij - B_ij) changes with a count in the bins k and l by G_kl = U_kl - φ_k - φ_l, where φ is
the derivative of Σ U B with respect to P, T being the sum of P. Counts in different cells are independent, so that to
first order var S = Σ G² v = var ΣUM - 2 φ·k + φ·Sφ, with the variance v of each cell, the covariance k of ΣUM with P,
and that of P itself, S. Cells with few counts or none are given up to the variance of one count more, as far as their
background lets expect some.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array

from gammapolars.core.types import Floats
from gammapolars.spectra.matrix_cells import MatrixCells

BLOCK = 256
"""This many rows of a matrix are filled at once."""


class Net(NamedTuple):
    """Net counts, their variances, and the background that was subtracted; each an array, or a number."""

    counts: Floats
    variance: Floats
    background: Floats


class FactorisedBackground:
    """A matrix and its background.

    Args:
        cells: of the matrix.
        operator: (nodes, nodes) A, that turns its projections into the background under their peaks.

    Attributes:
        projection: (nodes,) P of both axes, or of the one of a symmetric matrix.
        below: (nodes,) b.
        total: T.
    """

    def __init__(self, cells: MatrixCells, operator: csr_array) -> None:
        self._cells, self._operator = cells, operator
        self._part = 1.0 if cells.symmetric else 0.5  # T is so much of the sum of all projections
        self.projection = cells.sums(cells.counts)
        self.below = np.asarray(operator @ self.projection, np.float64)
        self._peaks = self.projection - self.below
        self.total = self._part * float(self.projection.sum())

    def net_sum(self, x: Floats, y: Floats, *, diagonal: float = 1.0) -> Net:
        """Σ x_i y_j (M_ij - B_ij), exactly.

        Args:
            x: (nodes,) weights, those of x; 0 elsewhere.
            y: (nodes,) weights, those of y.
            diagonal: how often that of a symmetric matrix is summed; 2: as often as pairs elsewhere.
        """
        cells, b, p = self._cells, self.below, self._peaks
        direct, indirect = y * (x @ b) + x * (y @ b), y * (x @ p) + x * (y @ p)
        background = self._expected(x, y)
        if cells.symmetric:  # the diagonal is in the matrix once, and is half of the product of projections
            direct, indirect = direct - (2 - diagonal) * x * y * b, indirect - (2 - diagonal) * x * y * p
            background = background + (diagonal - 1) * self._on_diagonal(x * y)
        derivative = (direct + self._operator.T @ indirect - background * self._part) / self.total
        weights = cells.products(x, y, diagonal)
        change = weights - derivative[cells.one] - derivative[cells.other]
        variance, own, expected = change**2 @ cells.variance, weights**2 @ cells.variance, self._expected(x**2, y**2)
        if cells.symmetric:
            expected += self._expected(x * y, x * y) + (diagonal**2 - 2) * self._on_diagonal((x * y) ** 2)
        variance += _missing(own, expected, float((x**2).max() * (y**2).max()))
        return Net(weights @ cells.counts - background, variance, background)

    def _expected(self, x: Floats, y: Floats) -> Floats:
        """Σ x_i y_j B_ij."""
        every = (x @ self.projection) * (y @ self.below) + (x @ self.below) * (y @ self._peaks)
        return np.asarray(every / self.total - self._on_diagonal(x * y), np.float64)

    def _on_diagonal(self, weights: Floats) -> Floats:
        """Σ w_i B_ii of a symmetric matrix."""
        b = self.below
        doubled = weights @ (2 * self.projection * b - b * b) / self.total
        return np.asarray(doubled / 2 if self._cells.symmetric else 0.0, np.float64)

    @cached_property
    def _covariance(self) -> csr_array:
        """S: the covariance of the projections."""
        doubled = self._mirrored(self._cells.variance, diagonal=2.0)
        return csr_array(doubled + diags_array(doubled.sum(axis=1)))

    def _mirrored(self, values: Floats, diagonal: float = 1.0) -> csr_array:
        """(nodes, nodes) values of the cells at both of their places."""
        one, other = self._cells.one, self._cells.other
        halves = np.where(one == other, diagonal / 2, 1.0) * values
        places = np.concatenate([one, other]), np.concatenate([other, one])
        return csr_array(coo_array((np.tile(halves, 2), places), shape=(self._cells.nodes,) * 2))

    def projected(self, w: Floats) -> Net:
        """Σ_i w_i (M_ij - B_ij) in each bin j of the other axis, by the same formula.

        φ is there a sum of five vectors with coefficients for each j: w, A'w, 1, the bin j itself, and row j of A.

        Args:
            w: (nodes,) weights of the gated axis; 0 elsewhere.

        Returns:
            (nodes,) each; those of the other axis are meant.
        """
        a, s, b, p = self._operator, self._covariance, self.below, self._peaks
        variances = self._mirrored(self._cells.variance)
        background, expected = self._expected_along(w), self._expected_along(w**2)
        fixed = [w, a.T @ w, np.ones_like(w)]
        of_fixed = [b / self.total, p / self.total, -background * self._part / self.total]
        of_bin, of_row = (w @ b - w * b) / self.total, (w @ p - w * p) / self.total
        m = variances @ w
        rows = a.multiply(variances @ diags_array(w)).sum(axis=1)
        with_m = sum(c * (variances @ (w * f) + f * m) for c, f in zip(of_fixed, fixed, strict=True))
        with_m = with_m + of_bin * (variances.diagonal() * w + m) + of_row * (rows + a.diagonal() * m)
        spread = np.zeros_like(w)
        for c, f in zip(of_fixed, fixed, strict=True):
            seen = s @ f
            spread = spread + c * sum(d * (g @ seen) for d, g in zip(of_fixed, fixed, strict=True))
            spread = spread + 2 * c * (of_bin * seen + of_row * (a @ seen))
        a_s = a @ s
        spread = spread + of_bin**2 * s.diagonal() + 2 * of_bin * of_row * a_s.diagonal()
        spread = spread + of_row**2 * a.multiply(a_s).sum(axis=1)
        counts, own = self._mirrored(self._cells.counts) @ w - background, variances @ w**2
        own = own + _missing(own, expected, float((w**2).max()))
        return Net(counts, own - 2 * with_m + spread, background)

    def _expected_along(self, w: Floats) -> Floats:
        """Σ_i w_i B_ij in each bin j of the other axis."""
        z, b, p = self.projection, self.below, self._peaks
        return np.asarray((b * (w @ z) + p * (w @ b) - 0.5 * w * (2 * z * b - b * b)) / self.total, np.float64)

    def blocks(self, rows: int = BLOCK) -> Iterator[tuple[slice, Net]]:
        """Every cell of the grid, filled or not, some rows at a time: arrays of (rows, bins of y)."""
        begin, end = self._cells.part(0).start, self._cells.part(0).stop
        for first in range(begin, end, rows):
            part = slice(first, min(first + rows, end))
            yield part, self._block(part)

    @cached_property
    def _products(self) -> tuple[csr_array, csr_array, csr_array, csr_array]:
        """Counts and variances as they are stored, A S, and A S A'."""
        a_s = csr_array(self._operator @ self._covariance)
        stored = (self._mirrored(values) for values in (self._cells.counts, self._cells.variance))
        return *stored, a_s, csr_array(a_s @ self._operator.T)

    def _block(self, i: slice) -> Net:
        """Cells of the rows i: φ is b_j e_i + b_i e_j + p_j A_i + p_i A_j over T, less B/T² in all of T."""
        j, total = self._cells.part(1), self.total
        n, v, a_s, a_s_a = self._products
        a, s = self._operator, self._covariance
        z_i, b_i, p_i = (one[i, None] for one in (self.projection, self.below, self._peaks))
        b_j, p_j = self.below[None, j], self._peaks[None, j]
        where = np.arange(i.start, i.stop)[:, None] == np.arange(j.start, j.stop)[None, :]
        half = np.where(where, 0.5, 1.0)  # on the diagonal of a symmetric matrix
        background = half * (z_i * b_j + b_i * p_j) / total
        shift = background * self._part / (half * total)
        variance = _dense(v, i, j)
        d_a, d_s, d_as, d_asa = (one.diagonal() for one in (a, s, a_s, a_s_a))
        at_i = (b_j + where * b_i + p_j * d_a[i, None] + p_i * _dense(a, j, i).T) / total - shift
        at_j = (b_i + where * b_j + p_i * d_a[None, j] + p_j * _dense(a, i, j)) / total - shift
        spread = b_j**2 * d_s[i, None] + b_i**2 * d_s[None, j] + 2 * b_i * b_j * _dense(s, i, j)
        spread += 2 * (b_j * p_j * d_as[i, None] + b_i * p_i * d_as[None, j])
        spread += 2 * (b_j * p_i * _dense(a_s, j, i).T + b_i * p_j * _dense(a_s, i, j))
        spread += p_j**2 * d_asa[i, None] + p_i**2 * d_asa[None, j] + 2 * p_i * p_j * _dense(a_s_a, i, j)
        spread /= total**2
        whole = s.sum(axis=1)
        below = a @ whole
        common = b_j * whole[i, None] + b_i * whole[None, j] + p_j * below[i, None] + p_i * below[None, j]
        spread += shift * (shift * whole.sum() - 2 * common / total)
        return Net(
            _dense(n, i, j) - background,
            variance - 2 * half * variance * (at_i + at_j) + half**2 * spread + _missing(variance, background, 1.0),
            background,
        )


def _missing(variance: Floats, expected: Floats, one: float) -> Floats:
    """The difference of the variance of counts from that of the expected ones, but no more than that of one count.

    A bin without counts would have no variance, and those with a few too little where they happen to have fewer.
    """
    return np.clip(expected - variance, 0.0, one)


def _dense(values: csr_array, rows: slice, columns: slice) -> Floats:
    return np.asarray(values[rows, columns].toarray(), np.float64)
