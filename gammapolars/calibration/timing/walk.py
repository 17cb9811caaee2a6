"""Offsets and time walk of all detectors at once, from pairs near their prompt peaks.

Which detectors, pairs and terms take part; and which terms are significant. `mixture` is the fit itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.calibration.timing.mixture import Fit, Mixture
from gammapolars.calibration.timing.sample import Sample, first_rows
from gammapolars.core.types import Floats

MOST_PAIRS = 600_000
"""Pairs that determine a walk well enough."""

SIGNIFICANT = 40.0
"""A detector's walk is used if its χ² against none is larger: chance exceeds it once in 10⁹ times."""

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

    Args:
        sample: of pairs.
        used: the detector pairs that have a prompt peak.
        start: standard deviation (ps) and prompt part of each detector pair.
        offset_ps: of the detectors, to begin with.
        fixed: detectors whose offset stays.
        clock_ps: the clock's step.
        forced: use both terms for every detector, however insignificant.
    """
    ranges = _ranges(sample, used)
    rows = _rows(sample, used, ranges)
    ends = sample.ends[sample.pair[rows]]
    detectors = sorted({int(place) for place in np.unique(ends)})
    if detectors != sorted({int(place) for place in np.unique(sample.ends[list(used)])}):
        # Hits of a detector without pulse heights say nothing of its walk, and so nothing of its partners'.
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
