"""The fit of offsets and time walk to pairs, prompt ones and those by chance.

A pair's time difference is (o_b + w_b(adc_b)) - (o_a + w_a(adc_a)), with w = b1 adc^(-1/2) + b2 adc^(-1), and
a Gaussian on a level of chance pairs, a mixture in each detector pair. It is fitted by expectation and maximisation
(A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39 (1977) 1): each pair counts with the probability that
it is no chance pair, so that chance pairs and far tails have no say. Small pulses are less sharp in time as well: the
variance is v0 + v_a / adc_a + v_b / adc_b. A constant of the walk is the same as an offset: the offset holds it.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gammapolars.calibration.timing.sample import Sample
from gammapolars.core.types import Floats

MOST_ROUNDS = 200

WIDER = 2.0
"""The fit begins with peaks this much wider than their cores, where walk may have moved pairs."""


class Fit(NamedTuple):
    """Offsets and terms of walk, and their covariance."""

    values: Floats
    covariance: Floats


class Mixture:
    """The pairs of a fit, and the mixture of prompt and chance ones in each detector pair.

    A fit starts from the standard deviation, ps, of each detector pair's peak and from its prompt part.
    """

    def __init__(
        self,
        sample: Sample,
        rows: npt.NDArray[np.intp],
        start: tuple[Floats, Floats],
        offset_ps: Floats,
        clock_ps: float,
    ) -> None:
        self._pair = sample.pair[rows]
        self._ends = sample.ends[self._pair]
        self._adc = sample.adc[:, rows].astype(np.float64)
        self._residual = sample.dt_ps[rows] - (offset_ps[self._ends[:, 1]] - offset_ps[self._ends[:, 0]])
        self._length = (sample.reach_ps[:, 1] - sample.reach_ps[:, 0]).astype(np.float64)
        self._sigma_ps, self._part = start
        self._rows = [np.flatnonzero(self._pair == number) for number in range(len(sample.ends))]
        self._least_sigma = max(clock_ps / math.sqrt(12), 1.0)

    def fit(self, free: Sequence[int], terms: Sequence[tuple[int, int]]) -> Fit:
        """The offsets of free detectors and the terms of walk, from where the peaks lie."""
        design, scale = self._design(free, terms)
        values = np.zeros(design.shape[1])
        pairs = len(self._length)
        spread = np.zeros((pairs, 3))
        spread[:, 0] = np.maximum(WIDER * self._sigma_ps, self._least_sigma) ** 2
        part = np.clip(self._part, 0.02, 0.98)
        for _ in range(MOST_ROUNDS):
            residual, variance = self._residual - design @ values, self._variance(spread)
            prompt = self._prompt(residual, variance, part)
            weight = prompt / variance
            matrix = (design.T @ design.multiply(weight[:, None])).toarray()
            step = np.linalg.lstsq(matrix, design.T @ (weight * residual), rcond=1e-12)[0]
            prediction = design @ step
            values += step
            before, spread = spread, self._spread((residual - prediction) ** 2, prompt, variance)
            counts = np.maximum(np.bincount(self._pair, minlength=pairs), 1)
            part = np.clip(np.bincount(self._pair, prompt, pairs) / counts, 1e-6, 1 - 1e-6)
            if (np.abs(prediction) < 1e-3 * np.sqrt(variance)).all() and np.allclose(before, spread, rtol=1e-3):
                break
        covariance = self._covariance(design, values, spread, part)
        return Fit(values / scale, covariance / np.outer(scale, scale))

    def _variance(self, spread: Floats) -> Floats:
        """The variance of each pair's time difference if it is prompt."""
        own = spread[self._pair]
        return np.asarray(own[:, 0] + own[:, 1] / self._adc[0] + own[:, 2] / self._adc[1])

    def _spread(self, squares: Floats, prompt: Floats, variance: Floats) -> Floats:
        """By detector pair, the parts of the variance that fit best: none of them negative."""
        from scipy.optimize import nnls

        spread_matrix = np.zeros((len(self._length), 3))
        parts = np.stack([np.ones_like(squares), 1 / self._adc[0], 1 / self._adc[1]])
        for number, rows in enumerate(self._rows):
            if not len(rows):
                spread_matrix[number, 0] = self._least_sigma**2
                continue
            weight = np.sqrt(prompt[rows]) / variance[rows]
            own = parts[:, rows] * weight
            scale = np.sqrt((own**2).sum(axis=1)) + 1e-300
            normal = (own / scale[:, None]) @ (own / scale[:, None]).T
            root = np.linalg.cholesky(normal + 1e-9 * np.eye(3))
            target = np.linalg.solve(root, (own / scale[:, None]) @ (squares[rows] * weight))
            spread_matrix[number] = nnls(root.T, target)[0] / scale
            spread_matrix[number, 0] = max(spread_matrix[number, 0], self._least_sigma**2)
        return spread_matrix

    def _prompt(self, residual: Floats, variance: Floats, part: Floats) -> Floats:
        """The probability of each pair to be prompt."""
        with np.errstate(under="ignore"):
            peak = part[self._pair] * np.exp(-0.5 * residual**2 / variance) / np.sqrt(2 * math.pi * variance)
        return np.asarray(peak / (peak + (1 - part[self._pair]) / self._length[self._pair]))

    def _covariance(self, design: Any, values: Floats, spread: Floats, part: Floats) -> Floats:
        """H⁻¹ J H⁻¹: right whether or not the peaks are Gaussian; H is what was observed, J is from the scores."""
        residual, variance = self._residual - design @ values, self._variance(spread)
        prompt = self._prompt(residual, variance, part)
        score = design.multiply((prompt * residual / variance)[:, None]).tocsr()
        information = prompt / variance - prompt * (1 - prompt) * (residual / variance) ** 2
        inverse = np.linalg.pinv((design.T @ design.multiply(information[:, None])).toarray(), rcond=1e-12)
        return np.asarray(inverse @ (score.T @ score).toarray() @ inverse)

    def _design(self, free: Sequence[int], terms: Sequence[tuple[int, int]]) -> tuple[Any, Floats]:
        """What each parameter does to each pair's time difference, scaled to sizes of about 1, and the scales."""
        rows, columns, entries = [], [], []
        place_of: dict[tuple[int, int], int] = {(place, 0): number for number, place in enumerate(free)}
        place_of |= {term: len(free) + number for number, term in enumerate(terms)}
        scale = np.ones(len(place_of))
        for (place, power), column in place_of.items():
            for side, sign in ((0, -1.0), (1, 1.0)):
                own = np.flatnonzero(self._ends[:, side] == place)
                rows.append(own)
                columns.append(np.full(len(own), column))
                entries.append(sign * self._adc[side, own] ** (-power / 2))
            largest = max(np.abs(part).max(initial=0.0) for part in entries[-2:])
            scale[column] = largest or 1.0
        data = np.concatenate(entries) / scale[np.concatenate(columns)]
        shape = (len(self._residual), len(scale))
        return sparse.csr_matrix((data, (np.concatenate(rows), np.concatenate(columns))), shape=shape), scale
