"""How well a calibration explains a list of peaks: the evidence of a source's lines against chance.

A hypothesis is a curve E(u) = b0 + b1 u + b2 u², with u = adc / highest adc, and says where each line should be. Its
evidence is the natural logarithm of a likelihood ratio, integrated over the parameters of the curve (Laplace's method;
MacKay 2003, Information Theory, Inference, and Learning Algorithms, ch. 28). The denominator is the same list of peaks
scattered by chance, as densely as it is:

- position: a matched peak lies within its tolerance of the line, instead of anywhere;
- area: the areas follow the lines' intensities times a smooth efficiency, instead of being drawn from all peaks' areas;
- detection: a line that should have been seen counts against where it has no peak;
- parameters: offset and bend are small, and each costs as much as the peaks narrow it down (Occam's factor).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gammapolars.calibration.arrays import Array, Indices, Lines, Peaks

OFFSET = 0.025
"""One standard deviation of the offset b0 that is expected, as a share of the range; `WIDEST` times it is the most."""

BEND = 0.01
"""One standard deviation of the quadratic term b2 that is expected, as a share of b1."""

WIDEST = 4.5

MATCHED = 3.5
"""A line and a peak belong together within so many tolerances."""

EFFICIENCY_MEAN = np.array([0.0, -0.8, -0.2])
EFFICIENCY_WIDTH = np.array([1.3, 0.7, 0.3])
"""What is expected of ln ε = p0 + p1 t + p2 t², t = ln(E / 300 keV); p0 from the strongest peak, see `_areas`."""

AREA_SCATTER = 0.35
"""How far ln area scatters about a smooth efficiency: summing, doublets, absorption."""

BACKGROUND_KEV = (238.6, 295.2, 351.9, 511.0, 583.2, 609.3, 911.2, 969.0, 1120.3, 1460.8, 1764.5, 2204.1, 2614.5)
"""Lines of rooms; a peak there is held against no source."""


HIGHEST_KEV = 2800.0
"""Hardly any source or room has lines above."""


class Prior(NamedTuple):
    """What is known of b0, b1 and b2 beforehand: a normal distribution, or where the gain is `free`, what is usual.

    Attributes:
        mean: of a calibration to start from.
        width: one standard deviation of each.
        free: nothing is known of the gain: mean and width do not count.
        highest: the highest line, keV: the range is about that, however far peaks of the room reach.
    """

    mean: Array
    width: Array
    free: bool
    highest: float = 1000.0

    def range_at(self, b1: Array | float) -> Array:
        """The range that offsets are a share of, keV; of low-energy sources at least 800."""
        return np.minimum(b1, max(1.3 * self.highest, 800.0))

    def at(self, b1: float) -> tuple[Array, Array]:
        """Mean and width where the gain is about b1."""
        if not self.free:
            return self.mean, self.width
        return np.array([0.0, b1, 0.0]), np.array([OFFSET * float(self.range_at(b1)), 1e3 * b1, BEND * b1])

    def log_density(self, b: Array) -> float:
        """Logarithm of the density at b, per keV³."""
        mean, width = self.at(b[1])
        pull = (b - mean) / width
        terms = -0.5 * pull**2 - np.log(width * np.sqrt(2 * np.pi))
        if self.free:
            terms[1] = -0.5 * (np.log(b[1] / (1.3 * self.highest)) / 1.2) ** 2 - np.log(1.2 * np.sqrt(2 * np.pi) * b[1])
        return float(terms.sum())


@dataclass(frozen=True)
class Scored:
    """A hypothesis with its evidence.

    Attributes:
        b: its curve.
        peak: of each match, its number among the peaks.
        line: of each match, its number among the lines.
        pull: of each match, the distance in tolerances.
        evidence: ln of the likelihood ratio against chance.
        expected: strong lines that should have been seen, in the spectra where their nuclide is.
        unseen: those of them that have no peak.
        strongest_unexplained: ln of the area of the strongest peak without a line over that of the strongest with one.
    """

    b: Array
    peak: Indices
    line: Indices
    pull: Array
    evidence: float
    expected: int
    unseen: tuple[int, ...]
    strongest_unexplained: float


def positions(b: Array, energy: Array) -> tuple[Array, Array]:
    """Where each energy is on a curve, as u, NaN where the curve has none; and the slope dE/du there."""
    root = b[1] ** 2 + 4 * b[2] * (energy - b[0])
    with np.errstate(invalid="ignore"):
        slope = np.sqrt(root)
    return 2 * (energy - b[0]) / (b[1] + slope), slope


def refine(b: Array, peaks: Peaks, lines: Lines, prior: Prior, without: tuple[int, ...] = ()) -> Scored | None:
    """The curve that fits the lines near a first one best, and its evidence; None where nothing is left of it.

    Args:
        b: the first curve.
        peaks: all of them.
        lines: all of them.
        prior: what is known beforehand.
        without: lines that are taken to have no peak.
    """
    matched: tuple[Indices, Indices] | None = None
    for window in (6.0, 4.5, MATCHED, MATCHED, MATCHED, MATCHED):
        peak, line, _ = _assign(b, peaks, lines, window, without)
        if len(peak) == 0:
            return None
        b = _fit(b, peaks, lines, (peak, line), prior)[0]
        if not _allowed(b, prior):
            return None
        if matched is not None and window == MATCHED and all(map(np.array_equal, matched, (peak, line))):
            break
        matched = peak, line
    return _score(b, peaks, lines, prior, without)


def _allowed(b: Array, prior: Prior) -> bool:
    mean, width = prior.at(b[1])
    if not (b[1] > 0 and b[1] + 2 * b[2] > 0 and np.isfinite(b).all()):
        return False
    return bool((np.abs(b - mean) <= WIDEST * width).all())


def _assign(
    b: Array, peaks: Peaks, lines: Lines, window: float, without: tuple[int, ...]
) -> tuple[Indices, Indices, Array]:
    """Peaks and lines that lie together: each line's nearest peak in each spectrum, each peak with one line only."""
    u, slope = positions(b, lines.energy)
    x = u * peaks.high
    width = np.hypot(peaks.tolerance[:, None], (lines.energy_unc / slope)[None, :] * peaks.high)
    pull = (peaks.adc[:, None] - x[None, :]) / width
    distance = np.where(np.isfinite(pull), np.abs(pull), np.inf)
    # A line that is nearly as near but ten times as strong is the better one.
    cost = distance**2 - 2 * lines.log_intensity[None, :]
    cost[distance > window] = np.inf
    cost[:, list(without)] = np.inf
    best = cost.argmin(1)
    candidate = np.flatnonzero(np.isfinite(cost[np.arange(len(best)), best]))
    taken: dict[tuple[int, int], int] = {}
    for peak in candidate.tolist():
        key = (int(peaks.spectrum[peak]), int(best[peak]))
        other = taken.get(key)
        if other is None or _claim(distance, peaks, peak, key[1]) < _claim(distance, peaks, other, key[1]):
            taken[key] = peak
    found = np.array(sorted(taken.values()), dtype=np.intp)
    line = best[found].astype(np.intp)
    return found, line, pull[found, line]


def _claim(distance: Array, peaks: Peaks, peak: int, line: int) -> float:
    return float(distance[peak, line] ** 2 - peaks.log_area[peak])


def _fit(b: Array, peaks: Peaks, lines: Lines, matched: tuple[Indices, Indices], prior: Prior) -> tuple[Array, Array]:
    """The curve through matched lines, with what is known beforehand; and its covariance."""
    peak, line = matched
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


def _score(b: Array, peaks: Peaks, lines: Lines, prior: Prior, without: tuple[int, ...]) -> Scored | None:
    """The evidence of a curve; nuclides count in the spectra where they are more likely there than not."""
    peak, line, pull = _assign(b, peaks, lines, MATCHED, without)
    if len(peak) == 0:
        return None
    u, slope = positions(b, lines.energy)
    x = u * peaks.high
    total, expected, unseen = 0.0, 0, []
    kept = np.zeros(len(peak), dtype=bool)
    width = np.hypot(peaks.tolerance[peak], lines.energy_unc[line] / slope[line] * peaks.high)
    near = -0.5 * pull**2 - np.log(np.sqrt(2 * np.pi) * width * peaks.density[peak])
    for spectrum in np.unique(peaks.spectrum[peak]):
        for nuclide in np.unique(lines.nuclide[line]):
            own = np.flatnonzero((peaks.spectrum[peak] == spectrum) & (lines.nuclide[line] == nuclide))
            if len(own) == 0:
                continue
            found = _Group(int(spectrum), int(nuclide), peak[own], line[own])
            value, wanted, missing = _areas(found, peaks, lines, x)
            value += float(near[own].sum())
            if value > 0:
                total += value
                expected += wanted
                unseen += missing
                kept[own] = True
    if not kept.any():
        return None
    peak, line, pull = peak[kept], line[kept], pull[kept]
    b, covariance = _fit(b, peaks, lines, (peak, line), prior)
    if not _allowed(b, prior):
        return None
    total += prior.log_density(b) + 0.5 * float(np.linalg.slogdet(2 * np.pi * covariance)[1])
    ratio, penalty = _unexplained((b, covariance), peaks, (peak, line), lines) if prior.free else (-np.inf, 0.0)
    return Scored(b, peak, line, pull, total - penalty, expected, tuple(unseen), ratio)


class _Group(NamedTuple):
    """A nuclide in a spectrum, and its matches there."""

    spectrum: int
    nuclide: int
    peak: Indices
    line: Indices


def _areas(group: _Group, peaks: Peaks, lines: Lines, x: Array) -> tuple[float, int, list[int]]:
    """The evidence of areas and of detection; how many lines should have been seen clearly, and which were not.

    ln(area / intensity) is a parabola in ln E, whose parameters are known beforehand to their usual widths and to the
    spectrum's strongest peak: a source that somebody names is about the strongest there.
    """
    here = np.flatnonzero(peaks.spectrum == group.spectrum)
    others = np.flatnonzero((lines.nuclide == group.nuclide) & (x >= peaks.low) & (x <= peaks.high))
    others = np.setdiff1d(others, group.line)
    used = np.concatenate([group.line, others])
    t = np.log(lines.energy[used] / 300.0)
    design = np.stack([np.ones_like(t), t, t**2], 1)
    usual = lines.log_intensity[used] + design @ EFFICIENCY_MEAN
    mean = EFFICIENCY_MEAN + np.array([peaks.log_area[here].max() - usual.max(), 0, 0])
    known = np.diag(EFFICIENCY_WIDTH**2)
    count = len(group.line)
    y = peaks.log_area[group.peak] - lines.log_intensity[group.line]
    variance = AREA_SCATTER**2 + peaks.log_area_unc[group.peak] ** 2
    for _ in range(3):  # an area that fits nowhere loses its weight
        joint = design[:count] @ known @ design[:count].T + np.diag(variance)
        inverse = np.linalg.inv(joint)
        difference = y - design[:count] @ mean
        found = mean + known @ design[:count].T @ inverse @ difference
        residual = y - design[:count] @ found
        variance = np.maximum(variance, np.square(residual / 2.0))
    value = -0.5 * float(difference @ inverse @ difference) - 0.5 * float(np.linalg.slogdet(2 * np.pi * joint)[1])
    scatter = max(1.0, float(peaks.log_area[here].std())) if len(here) > 3 else 1.5
    centre = float(peaks.log_area[here].mean()) if len(here) > 3 else float(peaks.log_area[here].max()) - 1.0
    pull = (peaks.log_area[group.peak] - centre) / scatter
    value += float((0.5 * pull**2 + np.log(scatter * np.sqrt(2 * np.pi))).sum())
    spread = known - known @ design[:count].T @ inverse @ design[:count] @ known
    likely, hidden = _detection(group, peaks, lines, x, (used, design, found, spread))
    value += float(np.log(likely[:count]).sum()) + float(np.log(1 - likely[count:][~hidden]).sum())
    clear = likely > 0.9
    missing = others[clear[count:] & ~hidden]
    return value, int(clear[:count].sum()) + len(missing), missing.tolist()


def _detection(
    group: _Group, peaks: Peaks, lines: Lines, x: Array, curve: tuple[Indices, Array, Array, Array]
) -> tuple[Array, NDArray[np.bool_]]:
    """How likely each line of a nuclide gives a peak, and which of the unmatched ones another peak may hide."""
    used, design, found, spread = curve
    here = np.flatnonzero(peaks.spectrum == group.spectrum)
    nearest = np.abs(peaks.adc[here][:, None] - x[used][None, :])
    order = np.argsort(nearest, axis=0, kind="stable")[:5]
    least = np.median(peaks.log_least[here][order], axis=0)
    sigma = np.sqrt(np.einsum("ij,jk,ik->i", design, spread, design) + AREA_SCATTER**2 + 0.25)
    strength = lines.log_intensity[used] + design @ found
    likely = np.clip(ndtr((strength - least - 0.5) / sigma), 0.01, 0.97)
    count = len(group.line)
    # A peak hides a line beside it that should not be much stronger than itself.
    close = nearest[:, count:] < peaks.fwhm[here][:, None]
    close &= peaks.log_area[here][:, None] > strength[count:] - 1.0
    return np.asarray(likely), np.asarray(close.any(0))


def _unexplained(
    curve: tuple[Array, Array], peaks: Peaks, matches: tuple[Indices, Indices], lines: Lines
) -> tuple[float, float]:
    """The strongest peak without a line against the strongest with one (ln of the ratio), and what such peaks cost.

    A source need not be alone, so that a peak without a line costs little where many lines are matched. Where few are,
    hardly more is known than that they are the spectrum's main peaks: then every other one counts. Lines of the room,
    Compton edges, backscatter, sums and escapes of the matched lines are explained; hardly any source has lines above
    the highest of them and of the room.
    """
    (b, covariance), (matched, line) = curve, matches
    u = peaks.adc / peaks.high
    powers = np.stack([np.ones_like(u), u, u**2], 1)
    kev = powers @ b
    # Far from the matched lines the curve is uncertain, by some keV that must not make everything explained.
    unc = np.minimum(np.sqrt(np.einsum("ij,jk,ik->i", powers, covariance, powers)), 10.0)
    width = np.maximum(0.5 * peaks.fwhm / peaks.high * (b[1] + 2 * b[2] * u), 1e-9) + 1.5 * unc
    width = np.minimum(width, 20.0 + 0.5 * peaks.fwhm / peaks.high * b[1])
    largest = np.full(peaks.spectrum.max() + 1, np.inf)
    for spectrum in np.unique(peaks.spectrum[matched]):
        largest[spectrum] = peaks.log_area[matched][peaks.spectrum[matched] == spectrum].max()
    ratio = peaks.log_area - largest[peaks.spectrum]
    strong = lines.energy[line[np.argsort(-peaks.log_area[matched], kind="stable")[:4]]]
    sharp, broad = _companions(strong)
    known = (np.abs(kev[:, None] - sharp) < width[:, None]).any(1)
    known |= (np.abs(kev[:, None] - broad) < 2 * width[:, None]).any(1)
    other = ~known & (kev > 100) & np.isfinite(ratio)
    other[matched] = False
    if not other.any():
        return -np.inf, 0.0
    beyond = 1.5 * float((other & (kev > HIGHEST_KEV)).sum())
    if len(np.unique(line)) > 3:
        return float(ratio[other].max()), beyond + min(5.0, float((other & (ratio > np.log(0.3))).sum()))
    above = other & (kev > lines.energy.max()) & (ratio > np.log(0.002))
    cost = 1.5 * float((other & (ratio > np.log(0.05))).sum()) + 1.5 * float(above.sum())
    # Of the room's peaks most would be in their places if the curve were right.
    cost += min(4.0, 0.4 * float((other & (ratio > np.log(0.002))).sum()))
    return float(ratio[other].max()), cost + beyond


def _companions(strong: Array) -> tuple[Array, Array]:
    """Where strong lines and the room give peaks of their own: sharp ones, and edges and humps."""
    sums = (strong[:, None] + strong[None, :]).ravel()
    escapes = np.concatenate([strong - 511.0, strong - 1022.0])
    sharp = np.concatenate([np.array(BACKGROUND_KEV), sums, escapes[escapes > 300]])
    # Compton edge and backscatter: E / (1 + m/2E) and E / (1 + 2E/m), m = 511 keV.
    return sharp, np.concatenate([strong / (1 + 511.0 / (2 * strong)), strong / (1 + 2 * strong / 511.0)])
