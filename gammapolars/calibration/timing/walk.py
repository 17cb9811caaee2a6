"""Offsets and time walk of all detectors at once, from pairs near their prompt peaks and random ones.

A pair's time difference is (o_b + w_b(adc_b)) - (o_a + w_a(adc_a)), with w = b1 adc^(-1/2) + b2 adc^(-1), and
a Gaussian on a level of random pairs, a mixture in each detector pair. It is fitted by expectation and maximisation
(A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39 (1977) 1): each pair counts with the probability that
it is no random pair, so that random pairs and far tails have no say. Small pulses are less sharp in time as well: the
variance is v0 + v_a / adc_a + v_b / adc_b. A constant of the walk is the same as an offset: the offset holds it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gammapolars.calibration.timing.sample import Sample, first_rows
from gammapolars.core.types import Floats

MOST_ROUNDS = 200

WIDER = 2.0
"""The fit begins with peaks this much wider than their cores, where walk may have moved pairs."""


class Fit(NamedTuple):
    """Offsets and terms of walk, and their covariance."""

    values: Floats
    covariance: Floats


class Mixture:
    """The pairs of a fit, and the mixture of prompt and random ones in each detector pair.

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
        """H⁻¹ J H⁻¹: right whether or not the peaks are Gaussian; H is the observed information, J from the scores."""
        residual, variance = self._residual - design @ values, self._variance(spread)
        prompt = self._prompt(residual, variance, part)
        score = design.multiply((prompt * residual / variance)[:, None]).tocsr()
        information = prompt / variance - prompt * (1 - prompt) * (residual / variance) ** 2
        inverse = np.linalg.pinv((design.T @ design.multiply(information[:, None])).toarray(), rcond=1e-12)
        return np.asarray(inverse @ (score.T @ score).toarray() @ inverse)

    def _design(self, free: Sequence[int], terms: Sequence[tuple[int, int]]) -> tuple[Any, Floats]:
        """The effect of each parameter on each pair's time difference, scaled to sizes of about 1, and the scales."""
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


MOST_PAIRS = 600_000
"""Pairs that determine a walk well enough."""

SIGNIFICANT = 40.0
"""A detector's walk is used if its χ² against none is larger: once in 10⁹ times by chance."""

SIGNIFICANT_TERM = 4.0
"""The second term is used if it lies this many standard deviations from 0."""

AT_THE_ENDS = 0.005
"""The walk's range leaves out this part of the pairs at both ends: strays, that would bend it."""


@dataclass(frozen=True)
class Walk:
    """The walk of one detector: coefficients (ps), their covariance, and the range of adc."""

    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    adc_range: tuple[float, float]


class WalkFit(NamedTuple):
    """Offsets of detectors and their covariance (ps, ps²), and walks by place of the detectors that have one."""

    offset_ps: Floats
    covariance: Floats
    walks: dict[int, Walk]


def fit_walk(
    sample: Sample,
    used: Sequence[int],
    start: tuple[Floats, Floats],
    offset_ps: Floats,
    fixed: Sequence[int],
    *,
    clock_ps: float,
    forced: bool = False,
) -> WalkFit:
    """Fit offsets and walks to the pairs of a sample.

    The detector pairs `used` have a prompt peak, whose standard deviation (ps) and prompt part `start` gives for each;
    the `fixed` detectors keep their offset. `forced`, both terms are used for every detector, however insignificant.
    """
    ranges = _ranges(sample, used)
    rows = _rows(sample, used, ranges)
    ends = sample.ends[sample.pair[rows]]
    detectors = sorted({int(place) for place in np.unique(ends)})
    if detectors != sorted({int(place) for place in np.unique(sample.ends[list(used)])}):
        # Hits of a detector without pulse heights give neither its walk nor those of coincident detectors.
        return WalkFit(offset_ps, np.zeros((len(offset_ps), len(offset_ps))), {})
    terms = [(place, power) for place in detectors for power in (1, 2)]
    data = Mixture(sample, rows, start, offset_ps, clock_ps)
    free = [place for place in detectors if place not in fixed]
    fit = data.fit(free, terms)
    for _ in range(2 if not forced else 0):
        significant = [term for term in terms if _is_significant(fit, len(free), terms, term)]
        if significant == terms:
            break
        terms = significant
        fit = data.fit(free, terms)
    walks = {
        place: _walk(fit, len(free), terms, place, ranges[place])
        for place in detectors
        if any(term[0] == place for term in terms)
    }
    offsets, covariance = offset_ps.copy(), np.zeros((len(offset_ps), len(offset_ps)))
    offsets[free] += fit.values[: len(free)]
    covariance[np.ix_(free, free)] = fit.covariance[: len(free), : len(free)]
    return WalkFit(offsets, covariance, walks)


def _ranges(sample: Sample, used: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Between which adc values each detector has pairs, but for a few; hits without a pulse height do not count."""
    mask = _mask(sample, used)[sample.pair]
    ends = sample.ends[sample.pair]
    ranges = {}
    for place in range(len(sample.keys)):
        adc = np.concatenate([sample.adc[side][mask & (ends[:, side] == place)] for side in (0, 1)])
        if len(adc := adc[adc > 0]):
            low, high = np.quantile(adc, [AT_THE_ENDS, 1 - AT_THE_ENDS], method="inverted_cdf")
            ranges[place] = (float(low), float(high))
    return ranges


def _mask(sample: Sample, used: Sequence[int]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(len(sample.ends), np.bool_)
    mask[list(used)] = True
    return mask


def _rows(sample: Sample, used: Sequence[int], ranges: Mapping[int, tuple[float, float]]) -> npt.NDArray[np.intp]:
    """Rows of the sample to fit, of each detector pair the first ones: those whose adc lie in the ranges."""
    good = _mask(sample, used)[sample.pair]
    bounds = np.array([ranges.get(place, (1.0, 0.0)) for place in range(len(sample.keys))])
    for side in (0, 1):
        low, high = bounds[sample.ends[sample.pair, side]].T
        good &= (sample.adc[side] >= low) & (sample.adc[side] <= high)
    most = max(1, MOST_PAIRS // max(len(used), 1))
    rows = np.flatnonzero(good)
    return rows[first_rows(sample.pair[rows], np.full(len(sample.ends), most))]


def _is_significant(fit: Fit, before: int, terms: Sequence[tuple[int, int]], term: tuple[int, int]) -> bool:
    """Whether a term of a detector's walk is needed: all of them together, and of two the second by itself."""
    own = [before + place for place, other in enumerate(terms) if other[0] == term[0]]
    values, covariance = fit.values[own], fit.covariance[np.ix_(own, own)]
    chi2 = float(values @ np.linalg.pinv(covariance, rcond=1e-15, hermitian=True) @ values)
    if not chi2 > SIGNIFICANT:
        return False
    if term[1] == 1:
        return True
    return bool(abs(values[-1]) > SIGNIFICANT_TERM * math.sqrt(max(covariance[-1, -1], 1e-300)))


def _walk(fit: Fit, before: int, terms: Sequence[tuple[int, int]], place: int, adc_range: tuple[float, float]) -> Walk:
    own = [before + number for number, term in enumerate(terms) if term[0] == place]
    covariance = fit.covariance[np.ix_(own, own)]
    return Walk(tuple(map(float, fit.values[own])), tuple(tuple(map(float, row)) for row in covariance), adc_range)
