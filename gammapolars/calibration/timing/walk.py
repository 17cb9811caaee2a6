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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.calibration.timing.sample import Sample, first_rows
from gammapolars.core.nonnegative import nonnegative_solution
from gammapolars.core.types import Floats

MOST_ROUNDS = 200

WIDER = 2.0
"""The fit begins with peaks this much wider than their cores, where walk may have moved pairs."""


class Fit(NamedTuple):
    """Offsets and terms of walk, and their covariance."""

    values: Floats
    covariance: Floats


class _Stretch(NamedTuple):
    """Some pairs of one detector pair: as many as the processor's cache holds with what is calculated of them.

    Attributes:
        pair: number of the detector pair.
        ends: the places of its two detectors.
        residual: time differences less those of the offsets with which a fit begins.
        powers: (2, 3, pairs) of both adc values: to 0, -1/2 and -1.
        parts: (3, pairs) of the variance: 1, and both adc values to -1.
    """

    pair: int
    ends: tuple[int, int]
    residual: Floats
    powers: Floats
    parts: Floats


class _Design(NamedTuple):
    """The effect of parameters on the pairs of a stretch: their places, and (parameters, pairs) for each 1."""

    columns: npt.NDArray[np.intp]
    effects: Floats


class _Mixed(NamedTuple):
    """Of the pairs of a stretch: residuals, and variance and probability if they are prompt."""

    residual: Floats
    variance: Floats
    prompt: Floats


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
        self._length = (sample.reach_ps[:, 1] - sample.reach_ps[:, 0]).astype(np.float64)
        self._sigma_ps, self._part = start
        self._least_sigma = max(clock_ps / math.sqrt(12), 1.0)
        self._counts = np.bincount(sample.pair[rows], minlength=len(sample.ends))
        rows = rows[np.argsort(sample.pair[rows], kind="stable")]
        last = np.cumsum(self._counts).tolist()
        self._stretches = [
            _stretch(sample, number, rows[low : min(low + STRETCH, end)], offset_ps)
            for number, (count, end) in enumerate(zip(self._counts.tolist(), last, strict=True))
            for low in range(end - count, end, STRETCH)
        ]

    def fit(self, free: Sequence[int], terms: Sequence[tuple[int, int]]) -> Fit:
        """The offsets of free detectors and the terms of walk, from where the peaks lie."""
        designs, scale = self._designs(free, terms)
        values, spread = np.zeros(len(scale)), np.zeros((len(self._length), 3))
        spread[:, 0] = np.maximum(WIDER * self._sigma_ps, self._least_sigma) ** 2
        part = np.clip(self._part, 0.02, 0.98)
        for _ in range(MOST_ROUNDS):
            mixed = self._mixed(designs, values, spread, part)
            matrix, right = np.zeros((len(scale), len(scale))), np.zeros(len(scale))
            for (columns, effects), one in zip(designs, mixed, strict=True):
                weighted = effects * (one.prompt / one.variance)
                matrix[columns[:, None], columns] += weighted @ effects.T
                right[columns] += np.einsum("pn,n->p", weighted, one.residual)
            step: Floats = np.linalg.lstsq(matrix, right, rcond=1e-12)[0].astype(np.float64)
            values += step
            before = spread
            spread, is_near = self._spread(designs, mixed, step)
            prompt = np.zeros(len(self._length))
            np.add.at(prompt, [one.pair for one in self._stretches], [one.prompt.sum() for one in mixed])
            part = np.clip(prompt / np.maximum(self._counts, 1), 1e-6, 1 - 1e-6)
            if is_near and np.allclose(before, spread, rtol=1e-3):
                break
        covariance = self._covariance(designs, values, self._mixed(designs, values, spread, part))
        return Fit(values / scale, covariance / np.outer(scale, scale))

    def _mixed(self, designs: Sequence[_Design], values: Floats, spread: Floats, part: Floats) -> list[_Mixed]:
        """Residuals of the pairs, and how likely each is prompt."""
        mixed = []
        for stretch, (columns, effects) in zip(self._stretches, designs, strict=True):
            residual = stretch.residual - _combined(values[columns], effects)
            variance = _combined(spread[stretch.pair], stretch.parts)
            share = float(part[stretch.pair])
            with np.errstate(under="ignore"):
                peak = np.exp(-0.5 * residual**2 / variance) * (share / math.sqrt(2 * math.pi)) / np.sqrt(variance)
            prompt = peak / (peak + (1 - share) / self._length[stretch.pair])
            mixed.append(_Mixed(residual, variance, prompt))
        return mixed

    def _spread(self, designs: Sequence[_Design], mixed: Sequence[_Mixed], step: Floats) -> tuple[Floats, bool]:
        """By detector pair, the parts of the variance that fit best after a step, none of them negative; and whether
        the step was small for each pair.
        """
        normal, right, is_near = np.zeros((len(self._length), 3, 3)), np.zeros((len(self._length), 3)), True
        for stretch, (columns, effects), one in zip(self._stretches, designs, mixed, strict=True):
            move = _combined(step[columns], effects)
            weighted = stretch.parts * (one.prompt / one.variance**2)
            normal[stretch.pair] += weighted @ stretch.parts.T
            right[stretch.pair] += np.einsum("pn,n->p", weighted, (one.residual - move) ** 2)
            is_near = is_near and bool((move * move < 1e-6 * one.variance).all())
        spread = np.zeros((len(self._length), 3))
        for number in np.flatnonzero(self._counts).tolist():
            scale = np.sqrt(np.diag(normal[number])) + 1e-300
            matrix = normal[number] / np.outer(scale, scale) + 1e-9 * np.eye(3)
            spread[number] = nonnegative_solution(matrix, right[number] / scale) / scale
        spread[:, 0] = np.maximum(spread[:, 0], self._least_sigma**2)
        return spread, is_near

    def _covariance(self, designs: Sequence[_Design], values: Floats, mixed: Sequence[_Mixed]) -> Floats:
        """H⁻¹ J H⁻¹: right whether or not the peaks are Gaussian; H is the observed information, J from the scores."""
        observed, scores = np.zeros((2, len(values), len(values)))
        for (columns, effects), one in zip(designs, mixed, strict=True):
            pull = one.residual / one.variance
            information = one.prompt / one.variance - one.prompt * (1 - one.prompt) * pull**2
            here = columns[:, None], columns
            observed[here] += (effects * information) @ effects.T
            scores[here] += (effects * (one.prompt * pull) ** 2) @ effects.T
        inverse = np.linalg.pinv(observed, rcond=1e-12)
        return np.asarray(inverse @ scores @ inverse)

    def _designs(self, free: Sequence[int], terms: Sequence[tuple[int, int]]) -> tuple[list[_Design], Floats]:
        """The effect of each parameter on each pair's time difference, scaled to sizes of about 1, and the scales."""
        parameters = [(place, 0) for place in free] + list(terms)
        scale = np.zeros(len(parameters))
        designs = []
        for stretch in self._stretches:
            columns = [number for number, (place, _) in enumerate(parameters) if place in stretch.ends]
            effects = np.zeros((len(columns), len(stretch.residual)))
            for row, number in enumerate(columns):
                place, power = parameters[number]
                side = stretch.ends.index(place)
                np.multiply(stretch.powers[side, power], 2.0 * side - 1, out=effects[row])
            scale[columns] = np.maximum(scale[columns], np.abs(effects).max(axis=1, initial=0.0))
            designs.append(_Design(np.array(columns, np.intp), effects))
        scale[scale == 0] = 1.0
        for design in designs:
            np.divide(design.effects, scale[design.columns, None], out=design.effects)
        return designs, scale


STRETCH = 4096
"""Pairs of a stretch: products of so few are not shared among threads, which would mostly wait for each other."""


def _combined(coefficients: Floats, rows: Floats) -> Floats:
    """The sum of rows, each with its coefficient."""
    return np.asarray(np.einsum("p,pn->n", coefficients, rows), np.float64)


def _stretch(sample: Sample, number: int, rows: npt.NDArray[np.intp], offset_ps: Floats) -> _Stretch:
    a, b = sample.ends[number].tolist()
    adc = sample.adc[:, rows].astype(np.float64)
    powers = np.stack([np.ones_like(adc), 1 / np.sqrt(adc), 1 / adc], axis=1)
    parts = np.stack([powers[0, 0], powers[0, 2], powers[1, 2]])
    return _Stretch(number, (a, b), sample.dt_ps[rows] - (offset_ps[b] - offset_ps[a]), powers, parts)


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
