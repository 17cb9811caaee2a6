"""How well a calibration explains a list of peaks: the evidence of a source's lines against random peaks.

A hypothesis is a curve E(u) = b0 + b1 u + b2 u², with u = adc / highest adc, and says where each line should be. Its
evidence is the natural logarithm of a likelihood ratio, integrated over the parameters of the curve (Laplace's method;
MacKay 2003, Information Theory, Inference, and Learning Algorithms, ch. 28). The denominator is the same list of peaks
scattered at random, as densely as it is:

- position: a matched peak lies within its tolerance of the line, instead of anywhere;
- area: the areas follow the lines' intensities times a smooth efficiency, instead of being drawn from all peaks' areas;
- detection: a line that should have been seen counts against where it has no peak;
- parameters: offset and bend are small, and each costs as much as the peaks narrow it down (Occam's factor).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gammapolars.calibration.energy.areas import Group, areas, unassigned_peaks
from gammapolars.calibration.energy.arrays import Indices, Lines, Peaks
from gammapolars.core.types import Floats

MATCHED = 3.5
"""A line and a peak belong together within this many tolerances."""

OFFSET = 0.025
"""One standard deviation of the offset b0 that is expected, as a share of the range; `WIDEST` times it is the most."""

BEND = 0.01
"""One standard deviation of the quadratic term b2 that is expected, as a share of b1."""

WIDEST = 4.5

WIDTHS_DIFFER, WIDTHS_BY_CHANCE = 0.12, 0.4
"""Standard deviations of ln(FWHM/√E): of a scintillator's lines, and of peaks that are matched with wrong lines."""

RESOLUTIONS = (0.025, 0.13)
"""FWHM over energy at 662 keV, of all scintillators and CZT."""


class Prior(NamedTuple):
    """Prior of b0, b1 and b2: a normal distribution, or where the gain is `free`, the usual one.

    Mean and width (one standard deviation) then do not count. The range is about that of the `highest` line, keV,
    however far peaks of the room reach.
    """

    mean: Floats
    width: Floats
    free: bool
    highest: float = 1000.0

    def range_at(self, b1: Floats | float) -> Floats:
        """The range that offsets are a share of, keV; of low-energy sources at least 800."""
        return np.minimum(b1, max(1.3 * self.highest, 800.0))

    def at(self, b1: float) -> tuple[Floats, Floats]:
        """Mean and width where the gain is about b1."""
        if not self.free:
            return self.mean, self.width
        return np.array([0.0, b1, 0.0]), np.array([OFFSET * float(self.range_at(b1)), 1e3 * b1, BEND * b1])

    def log_density(self, b: Floats) -> float:
        """Logarithm of the density at b, per keV³."""
        mean, width = self.at(b[1])
        pull = (b - mean) / width
        terms = -0.5 * pull**2 - np.log(width * np.sqrt(2 * np.pi))
        if self.free:
            terms[1] = -0.5 * (np.log(b[1] / (1.3 * self.highest)) / 1.2) ** 2 - np.log(1.2 * np.sqrt(2 * np.pi) * b[1])
        return float(terms.sum())


@dataclass(frozen=True)
class Candidate:
    """A hypothesis: its curve `b`, and its `evidence`, ln of the likelihood ratio against chance.

    Each match has its numbers among peaks and lines, and its distance in tolerances. `expected` strong lines
    should have been seen in the spectra where their nuclide is, of which `unseen` have no peak; `strongest_unexplained`
    is ln of the area of the strongest peak without a line over that of the strongest with one.
    """

    b: Floats
    peak: Indices
    line: Indices
    pull: Floats
    evidence: float
    expected: int
    unseen: tuple[int, ...]
    strongest_unexplained: float


def positions(b: Floats, energy: Floats) -> tuple[Floats, Floats]:
    """Where each energy is on curves (…, 3), as u, NaN where a curve has none; and the slope dE/du there."""
    b0, b1, b2 = np.moveaxis(b, -1, 0)[..., None]
    with np.errstate(invalid="ignore"):
        slope = np.sqrt(b1**2 + 4 * b2 * (energy - b0))
        return 2 * (energy - b0) / (b1 + slope), slope


def refine(b: Floats, peaks: Peaks, lines: Lines, prior: Prior, excluded: tuple[int, ...] = ()) -> Candidate | None:
    """The curve that fits the lines near a first one best, and its evidence; None where no plausible match is left.

    Lines that are `excluded` are taken to have no peak.
    """
    last_match: tuple[Indices, Indices] | None = None
    for window in (6.0, 4.5, MATCHED, MATCHED, MATCHED, MATCHED):
        peak, line, _ = _assign(b, peaks, lines, window, excluded)
        if len(peak) == 0:
            return None
        b = _fit(b, peaks, lines, (peak, line), prior)[0]
        if not _is_plausible(b, prior):
            return None
        if last_match is not None and window == MATCHED and all(map(np.array_equal, last_match, (peak, line))):
            break
        last_match = peak, line
    return _score(b, peaks, lines, prior, excluded)


def _is_plausible(b: Floats, prior: Prior) -> bool:
    mean, width = prior.at(b[1])
    if not (b[1] > 0 and b[1] + 2 * b[2] > 0 and np.isfinite(b).all()):
        return False
    return bool((np.abs(b - mean) <= WIDEST * width).all())


def _assign(
    b: Floats, peaks: Peaks, lines: Lines, window: float, excluded: tuple[int, ...]
) -> tuple[Indices, Indices, Floats]:
    """Peaks and lines that lie together: each line's nearest peak in each spectrum, each peak with one line only."""
    u, slope = positions(b, lines.energy)
    x = u * peaks.high
    width = np.hypot(peaks.tolerance[:, None], (lines.energy_unc / slope)[None, :] * peaks.high)
    pull = (peaks.adc[:, None] - x[None, :]) / width
    distance = np.where(np.isfinite(pull), np.abs(pull), np.inf)
    # A line that is nearly as near but ten times as strong is the better one.
    cost = distance**2 - 2 * lines.log_intensity[None, :]
    cost[distance > window] = np.inf
    cost[:, list(excluded)] = np.inf
    best = cost.argmin(1)
    candidate = np.flatnonzero(np.isfinite(cost[np.arange(len(best)), best]))
    claim = distance[candidate, best[candidate]] ** 2 - peaks.log_area[candidate]
    # If several peaks of a spectrum claim a line, the nearest and largest comes first.
    order = candidate[np.argsort(claim, kind="stable")]
    _, first = np.unique(np.stack([peaks.spectrum[order], best[order]]), axis=1, return_index=True)
    match = np.sort(order[first])
    line = best[match]
    return match, line, pull[match, line]


def _fit(b: Floats, peaks: Peaks, lines: Lines, match: tuple[Indices, Indices], prior: Prior) -> tuple[Floats, Floats]:
    """The curve through matched lines, with the prior; and its covariance."""
    peak, line = match
    u = peaks.adc[peak] / peaks.high
    design = np.stack([np.ones_like(u), u, u**2], 1)
    covariance = np.zeros((3, 3))
    for _ in range(2):
        slope = np.maximum(b[1] + 2 * b[2] * u, 0.1 * b[1])
        weight = 1 / (np.square(peaks.tolerance[peak] / peaks.high * slope) + lines.energy_unc[line] ** 2)
        mean, width = prior.at(b[1])
        information = (design * weight[:, None]).T @ design + np.diag(width**-2.0)
        covariance = np.linalg.inv(information)
        b = covariance @ ((design * weight[:, None]).T @ lines.energy[line] + mean / width**2)
        if not b[1] > 0:
            break
    return b, covariance


def _widths(fwhm_kev: Floats, energy: Floats) -> Floats:
    """The evidence of widths: where light makes them, FWHM² is proportional to the energy; at random it is not.

    The unknown resolution costs one of them; it is that of scintillators.
    """
    value = np.log(fwhm_kev / np.sqrt(662.0 * energy))
    middle = float(np.median(value))
    off = value - middle
    ratio = np.log(WIDTHS_BY_CHANCE / WIDTHS_DIFFER) - 0.5 * off**2 * (WIDTHS_DIFFER**-2 - WIDTHS_BY_CHANCE**-2)
    beyond = max(np.log(RESOLUTIONS[0]) - middle, middle - np.log(RESOLUTIONS[1]), 0.0)
    return np.asarray(ratio * (1 - 1 / len(value)) - 2.0 * (beyond / 0.15) ** 2 / len(value))


def _score(b: Floats, peaks: Peaks, lines: Lines, prior: Prior, excluded: tuple[int, ...]) -> Candidate | None:
    """The evidence of a curve; nuclides count in the spectra where they are more likely there than not."""
    peak, line, pull = _assign(b, peaks, lines, MATCHED, excluded)
    if len(peak) == 0:
        return None
    u, slope = positions(b, lines.energy)
    x = u * peaks.high
    total, expected, unseen = 0.0, 0, []
    in_group = np.zeros(len(peak), dtype=bool)
    width = np.hypot(peaks.tolerance[peak], lines.energy_unc[line] / slope[line] * peaks.high)
    near = -0.5 * pull**2 - np.log(np.sqrt(2 * np.pi) * width * peaks.density[peak])
    if lines.are_blends:
        near += _widths(peaks.fwhm[peak] / peaks.high * slope[line], lines.energy[line])
    for spectrum in np.unique(peaks.spectrum[peak]):
        for nuclide in np.unique(lines.nuclide[line]):
            own = np.flatnonzero((peaks.spectrum[peak] == spectrum) & (lines.nuclide[line] == nuclide))
            if len(own) == 0:
                continue
            group = Group(int(spectrum), int(nuclide), peak[own], line[own])
            # How much of the room's lines there should be, and of X-rays through a housing, nobody knows.
            is_free = lines.may_lack[group.line].all()
            value, visible, missing = (0.0, 0, list[int]()) if is_free else areas(group, peaks, lines, x)
            value += float(near[own].sum())
            if value > 0:
                total += value
                expected += visible
                unseen += missing
                in_group[own] = True
    if not in_group.any():
        return None
    peak, line, pull = peak[in_group], line[in_group], pull[in_group]
    b, covariance = _fit(b, peaks, lines, (peak, line), prior)
    if not _is_plausible(b, prior):
        return None
    total += prior.log_density(b) + 0.5 * float(np.linalg.slogdet(2 * np.pi * covariance)[1])
    ratio, penalty = unassigned_peaks((b, covariance), peaks, (peak, line), lines) if prior.free else (-np.inf, 0.0)
    return Candidate(b, peak, line, pull, total - penalty, expected, tuple(unseen), ratio)
