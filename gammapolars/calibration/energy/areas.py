"""The evidence of areas: intensities times a smooth efficiency, strong lines that are seen, and unexplained peaks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gammapolars.calibration.energy.arrays import Indices, Lines, Peaks
from gammapolars.core.types import Floats

EFFICIENCY_MEAN = np.array([0.0, -0.8, -0.2])

EFFICIENCY_WIDTH = np.array([1.3, 0.7, 0.3])
"""Prior of ln ε = p0 + p1 t + p2 t², t = ln(E / 300 keV); p0 from the strongest peak, see `areas`."""

FURTHER_MEAN, FURTHER_WIDTH = -1.5, 2.2
"""The same for p0 of each of several sources, only one of which needs to be about the strongest: where lines are
resolved, and identified by their positions."""

SHOULDER = 1.7
"""How far, in units of its FWHM, a broad peak hides a smaller one, which is a shoulder of it."""

FEW_LINES = 3
"""With so few, areas must contribute more: each source is taken to be about the strongest."""

AREA_SCATTER = 0.35
"""How far ln area scatters about a smooth efficiency: summing, doublets, absorption."""

BACKGROUND_KEV = (238.6, 295.2, 351.9, 511.0, 583.2, 609.3, 911.2, 969.0, 1120.3, 1460.8, 1764.5, 2204.1, 2614.5)
"""Lines of rooms; a peak there is held against no source."""

HIGHEST_KEV = 2800.0
"""Hardly any source or room has lines above."""


class Group(NamedTuple):
    """A nuclide in a spectrum, and its matches there."""

    spectrum: int
    nuclide: int
    peak: Indices
    line: Indices


def areas(group: Group, peaks: Peaks, lines: Lines, x: Floats) -> tuple[float, int, list[int]]:
    """The evidence of areas and of detection; how many lines should have been seen clearly, and which were not.

    ln(area / intensity) is a parabola in ln E, whose parameters are known beforehand to their usual widths and to the
    spectrum's strongest peak: a source that somebody names is about the strongest there. The nuclides of a chain are
    one source, whose strongest line counts.
    """
    here = np.flatnonzero(peaks.spectrum == group.spectrum)
    others = np.flatnonzero((lines.nuclide == group.nuclide) & (x >= peaks.low) & (x <= peaks.high))
    others = np.setdiff1d(others, group.line)
    rows = np.concatenate([group.line, others])
    t = np.log(lines.energy[rows] / 300.0)
    design = np.stack([np.ones_like(t), t, t**2], 1)
    mean = EFFICIENCY_MEAN + np.array([peaks.log_area[here].max() - _strongest(group, peaks, lines, x), 0, 0])
    width = EFFICIENCY_WIDTH.copy()
    if len(np.unique(lines.source)) > 1 and len(lines.energy) > FEW_LINES and not peaks.are_broad:
        mean[0] += FURTHER_MEAN
        width[0] = FURTHER_WIDTH
    prior = np.diag(width**2)
    count = len(group.line)
    y = peaks.log_area[group.peak] - lines.log_intensity[group.line]
    variance = AREA_SCATTER**2 + peaks.log_area_unc[group.peak] ** 2
    for _ in range(3):  # an area that fits nowhere loses its weight
        joint = design[:count] @ prior @ design[:count].T + np.diag(variance)
        inverse = np.linalg.inv(joint)
        difference = y - design[:count] @ mean
        posterior = mean + prior @ design[:count].T @ inverse @ difference
        residual = y - design[:count] @ posterior
        variance = np.maximum(variance, np.square(residual / 2.0))
    value = -0.5 * float(difference @ inverse @ difference) - 0.5 * float(np.linalg.slogdet(2 * np.pi * joint)[1])
    scatter = max(1.0, float(peaks.log_area[here].std())) if len(here) > 3 else 1.5
    centre = float(peaks.log_area[here].mean()) if len(here) > 3 else float(peaks.log_area[here].max()) - 1.0
    pull = (peaks.log_area[group.peak] - centre) / scatter
    value += float((0.5 * pull**2 + np.log(scatter * np.sqrt(2 * np.pi))).sum())
    spread = prior - prior @ design[:count].T @ inverse @ design[:count] @ prior
    likely, hidden = _detection(group, peaks, lines, x, (rows, design, posterior, spread))
    value += float(np.log(likely[:count]).sum()) + float(np.log(1 - likely[count:][~hidden]).sum())
    clear = likely > 0.9
    missing = others[clear[count:] & ~hidden]
    return value, int(clear[:count].sum()) + len(missing), missing.tolist()


def _strongest(group: Group, peaks: Peaks, lines: Lines, x: Floats) -> float:
    """The logarithm of the area that the strongest line of a nuclide's source has, with the usual efficiency."""
    own = (lines.source == lines.source[group.line[0]]) & (x >= peaks.low) & (x <= peaks.high)
    own[group.line] = True
    t = np.log(lines.energy[own] / 300.0)
    design = np.stack([np.ones_like(t), t, t**2], 1)
    return float((lines.log_intensity[own] + design @ EFFICIENCY_MEAN).max())


def _detection(
    group: Group, peaks: Peaks, lines: Lines, x: Floats, curve: tuple[Indices, Floats, Floats, Floats]
) -> tuple[Floats, NDArray[np.bool_]]:
    """How likely each line of a nuclide gives a peak, and which of the unmatched ones another peak may hide."""
    rows, design, parameters, spread = curve
    here = np.flatnonzero(peaks.spectrum == group.spectrum)
    nearest = np.abs(peaks.adc[here][:, None] - x[rows][None, :])
    order = np.argsort(nearest, axis=0, kind="stable")[:5]
    least = np.median(peaks.log_least[here][order], axis=0)
    sigma = np.sqrt(np.einsum("ij,jk,ik->i", design, spread, design) + AREA_SCATTER**2 + 0.25)
    strength = lines.log_intensity[rows] + design @ parameters
    likely = np.clip(ndtr((strength - least - 0.5) / sigma), 0.01, 0.97)
    count = len(group.line)
    likely[count:][lines.may_lack[rows[count:]]] = 0.01
    # A peak hides a neighbouring line that should not be much stronger than itself.
    reach = SHOULDER if lines.are_blends else 1.0
    close = nearest[:, count:] < reach * peaks.fwhm[here][:, None]
    close &= peaks.log_area[here][:, None] > strength[count:] - (0.0 if lines.are_blends else 1.0)
    return np.asarray(likely), np.asarray(close.any(0))


def unassigned_peaks(
    curve: tuple[Floats, Floats], peaks: Peaks, matches: tuple[Indices, Indices], lines: Lines
) -> tuple[float, float]:
    """The strongest peak without a line against the strongest with one (ln of the ratio), and the cost of such peaks.

    There may be other sources, so that a peak without a line costs little where many lines are matched. With few,
    little more is known than that they are the spectrum's main peaks: then every other one counts. Lines of the room,
    Compton edges, backscatter, sums and escapes of the matched lines are explained; hardly any source has lines above
    the highest of them and of the room.
    """
    (b, covariance), (peak, line) = curve, matches
    u = peaks.adc / peaks.high
    powers = np.stack([np.ones_like(u), u, u**2], 1)
    kev = powers @ b
    # Far from the matched lines the curve is uncertain, by some keV that must not make everything explained.
    unc = np.minimum(np.sqrt(np.einsum("ij,jk,ik->i", powers, covariance, powers)), 10.0)
    width = np.maximum(0.5 * peaks.fwhm / peaks.high * (b[1] + 2 * b[2] * u), 1e-9) + 1.5 * unc
    width = np.minimum(width, 20.0 + 0.5 * peaks.fwhm / peaks.high * b[1])
    largest = np.full(peaks.spectrum.max() + 1, np.inf)
    for spectrum in np.unique(peaks.spectrum[peak]):
        largest[spectrum] = peaks.log_area[peak][peaks.spectrum[peak] == spectrum].max()
    ratio = peaks.log_area - largest[peaks.spectrum]
    strong = lines.energy[line[np.argsort(-peaks.log_area[peak], kind="stable")[:4]]]
    sharp, broad = _companions(strong)
    explained = (np.abs(kev[:, None] - sharp) < width[:, None]).any(1)
    explained |= (np.abs(kev[:, None] - broad) < 2 * width[:, None]).any(1)
    other = ~explained & (kev > 100) & np.isfinite(ratio)
    other[peak] = False
    if not other.any():
        return -np.inf, 0.0
    beyond = 1.5 * float((other & (kev > HIGHEST_KEV)).sum())
    if len(np.unique(line)) > 3:
        return float(ratio[other].max()), beyond + min(5.0, float((other & (ratio > np.log(0.3))).sum()))
    above = other & (kev > lines.energy.max()) & (ratio > np.log(0.002))
    cost = 1.5 * float((other & (ratio > np.log(0.05))).sum()) + 1.5 * float(above.sum())
    # Most of the room's peaks would be in their places if the curve were right.
    cost += min(4.0, 0.4 * float((other & (ratio > np.log(0.002))).sum()))
    return float(ratio[other].max()), cost + beyond


def _companions(strong: Floats) -> tuple[Floats, Floats]:
    """Where strong lines and the room give peaks of their own: sharp ones, and edges and humps."""
    sums = (strong[:, None] + strong[None, :]).ravel()
    escapes = np.concatenate([strong - 511.0, strong - 1022.0])
    sharp = np.concatenate([np.array(BACKGROUND_KEV), sums, escapes[escapes > 300]])
    # Compton edge and backscatter: E / (1 + m/2E) and E / (1 + 2E/m), m = 511 keV.
    return sharp, np.concatenate([strong / (1 + 511.0 / (2 * strong)), strong / (1 + 2 * strong / 511.0)])
