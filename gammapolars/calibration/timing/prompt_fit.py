"""The prompt peak of two detectors' time differences: position and width from a Poisson likelihood fit.

The model is a Gaussian on a level of random pairs. Clocks whose step shows cut off both times: then a time difference
is a multiple of the step, and it falls on one with the probability of a Gaussian folded with a triangle of twice the
step's base. This is exact for hits that do not know the clock, and takes the clock out of position and width.
"""

import math
from typing import NamedTuple

import numpy as np

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats
from gammapolars.lifetimes import cut_off_in_bins, in_bins

CORE = 0.6
"""Fits reach this many FWHM to both sides: the core of the peak, without its tails."""

BESIDE = 3.0
"""Random pairs are counted beyond this many FWHM from the peak."""

BINS_IN_FWHM = 10

CLOCK_SHOWS = 0.1
"""A clock shows if its step is longer than this part of the FWHM."""

LEAST_COUNTS = 20


class Peak(NamedTuple):
    """A prompt peak: a Gaussian, its σ without the part from a clock, its pairs, and the level of random pairs.

    Where the clock shows, `clock_ps` is its step, else 0.
    """

    position_ps: float
    position_ps_unc: float
    sigma_ps: float
    sigma_ps_unc: float
    counts: float
    chance_per_ps: float
    clock_ps: float

    @property
    def fwhm_ps(self) -> float:
        """The full width at half maximum of the time differences as recorded: no less than the clock's step."""
        return max(FWHM_PER_SIGMA * math.hypot(self.sigma_ps, self.clock_ps / math.sqrt(6)), self.clock_ps)

    @property
    def fwhm_ps_unc(self) -> float:
        """Its standard deviation."""
        return FWHM_PER_SIGMA**2 * self.sigma_ps * self.sigma_ps_unc / self.fwhm_ps


def fit_peak(
    dt_ps: Floats, reach: tuple[float, float], start: tuple[float, float], *, clock_ps: int = 0, on_clock: bool = True
) -> Peak | None:
    """Fit the prompt peak of one detector pair.

    Args:
        dt_ps: time differences in picoseconds.
        reach: all of them lie between these.
        start: about where the peak lies, and its FWHM, ps.
        clock_ps: the step of both clocks.
        on_clock: whether time differences are multiples of the step; if not, as after a correction for walk, they
            must be spread over a step.

    Returns:
        The peak; where it has no core like a Gaussian's, its mean and standard deviation; None where there is none.
    """
    position, width = start
    peak = None
    for _ in range(6):
        clock = float(clock_ps) if clock_ps > CLOCK_SHOWS * width else 0.0
        width = max(width, clock)
        bin_ps = clock or max(1.0, round(width / BINS_IN_FWHM / max(clock_ps, 1)) * max(clock_ps, 1))
        edges = _edges(position, CORE * max(width, 2 * clock), bin_ps) - clock_ps / 2
        counts = np.histogram(dt_ps, edges)[0].astype(np.float64)
        chance = _chance(dt_ps, reach, position, BESIDE * width)
        sigma = math.sqrt(max((width / FWHM_PER_SIGMA) ** 2 - clock**2 / 6, (0.05 * width) ** 2))
        result = _fit_bins(counts, edges, chance, (position, sigma), triangle=bool(clock) and on_clock)
        if result is None or not reach[0] < result.position_ps < reach[1]:
            return _moments(dt_ps, reach, start)
        if clock and not on_clock:
            result = _without_clock(result, clock)
        before, peak = peak, result._replace(clock_ps=clock)
        position, width = peak.position_ps, peak.fwhm_ps
        if before and abs(before.position_ps - position) + abs(before.fwhm_ps - width) < 1e-3 * width:
            break
    return peak


def _without_clock(peak: Peak, clock: float) -> Peak:
    """A peak of time differences spread over a step: less the parts from two cut-off times and the spreading."""
    square = peak.sigma_ps**2 - clock**2 * (1 / 6 + 1 / 12)
    sigma = math.sqrt(max(square, (0.02 * clock) ** 2))
    return peak._replace(sigma_ps=sigma, sigma_ps_unc=peak.sigma_ps * peak.sigma_ps_unc / sigma)


def _edges(centre: float, half: float, bin_ps: float) -> Floats:
    """Edges of bins at multiples of their width."""
    first, last = (math.floor(end / bin_ps + 0.5) for end in (centre - half, centre + half))
    return np.asarray(np.arange(first, last + 2) * bin_ps, np.float64)


def _chance(dt_ps: Floats, reach: tuple[float, float], centre: float, half: float) -> float:
    """Pairs per picosecond next to the peak; 0 where there is no room next to it."""
    low, high = max(reach[0], centre - half), min(reach[1], centre + half)
    length = (reach[1] - reach[0]) - (high - low)
    if length <= 0:
        return 0.0
    return float(np.count_nonzero((dt_ps < low) | (dt_ps > high))) / length


def _moments(dt_ps: Floats, reach: tuple[float, float], start: tuple[float, float]) -> Peak | None:
    """Mean and standard deviation of the pairs above the random level, as far as two widths around the peak."""
    position, half = start[0], 2 * start[1]
    chance = _chance(dt_ps, reach, position, max(BESIDE * start[1], half))
    for _ in range(20):
        near = dt_ps[np.abs(dt_ps - position) <= half] - position
        counts = len(near) - 2 * half * chance
        if counts < LEAST_COUNTS:
            return None
        shift = float(near.sum()) / counts
        position += float(np.clip(shift, -half, half))
        if abs(shift) < 1e-4 * half:
            break
    squares = float(((near - shift) ** 2).sum())
    sigma = math.sqrt(max((squares - 2 * half**3 / 3 * chance) / counts, 1.0))
    return Peak(position, math.sqrt(squares) / counts, sigma, sigma / math.sqrt(2 * counts), counts, chance, 0.0)


def _fit_bins(
    counts: Floats, edges: Floats, chance: float, start: tuple[float, float], *, triangle: bool
) -> Peak | None:
    """Fisher scoring for area, position and width, the level of random pairs given.

    The covariance is that of the estimate under Poisson counts, whether or not they follow the model: I⁻¹ G I⁻¹ with
    the Fisher information I, and G from the counts themselves.
    """
    width = float(edges[1] - edges[0])
    area = float(counts.sum()) - chance * (edges[-1] - edges[0])
    if area < LEAST_COUNTS:
        return None
    position, sigma = start
    shape = cut_off_in_bins if triangle else in_bins
    for _ in range(100):
        share = shape(edges, position, sigma)
        expected = np.maximum(area * share.part + chance * width, 1e-12)
        gradient = np.stack([share.part, area * share.by_position, area * share.by_sigma])
        information = (gradient / expected) @ gradient.T
        try:
            step = np.linalg.solve(information, gradient @ (counts / expected - 1))
        except np.linalg.LinAlgError:
            return None
        area = max(area + float(np.clip(step[0], -0.5 * area, area)), 1e-3)
        position += float(np.clip(step[1], -width - sigma, width + sigma))
        sigma = float(np.clip(sigma + step[2], 0.5 * sigma, 2 * sigma))
        if triangle:
            sigma = max(sigma, 0.02 * width)
        if not all(map(math.isfinite, (area, position, sigma))):
            return None
        if abs(step[1]) < 1e-5 * sigma and abs(step[2]) < 1e-5 * sigma:
            break
    else:
        if not triangle:
            return None
    inverse = np.linalg.pinv(information)
    spread = (gradient * (counts / expected**2)) @ gradient.T
    variances = np.diag(inverse @ spread @ inverse)
    if area < LEAST_COUNTS or not (variances[1:] >= 0).all() or sigma > edges[-1] - edges[0]:
        return None
    return Peak(position, math.sqrt(variances[1]), sigma, math.sqrt(variances[2]), area, chance, 0.0)
