"""Curves that could be the calibration: through prominent peaks and strong lines, in order."""

from itertools import combinations

import numpy as np

from gammapolars.calibration.energy.arrays import Indices, Lines, Peaks
from gammapolars.calibration.energy.evidence import BEND, OFFSET, WIDEST, Prior, positions
from gammapolars.calibration.energy.hints import NO_HINTS, Hints
from gammapolars.core.types import Floats

PROMINENT = 16
STRONG = 11
KEPT = 48


def propose(peaks: Peaks, lines: Lines, prior: Prior, hints: Hints = NO_HINTS) -> list[Floats]:
    """The most promising curves where the gain is not known, the best first.

    Three prominent peaks and three strong lines in order fix a curve with its bend, two and two a straight one; those
    with a small offset and bend are compared by the lines that come to lie on peaks.
    """
    chosen_peaks, chosen_lines = _prominent(peaks), _strong(lines)
    u, energy = peaks.adc[chosen_peaks] / peaks.high, lines.energy[chosen_lines]
    curves = np.concatenate([_through(u, energy, points) for points in (2, 3)])
    curves = curves[curves[:, 1] > 0]
    most = WIDEST * OFFSET * prior.range_at(curves[:, 1])
    curves = curves[(np.abs(curves[:, 0]) <= most) & (np.abs(curves[:, 2] / curves[:, 1]) <= WIDEST * BEND)]
    return best_of(curves[hints.has_gain(curves, peaks.high)], peaks, lines)


def propose_near(peaks: Peaks, lines: Lines, prior: Prior) -> list[Floats]:
    """Curves near one that is known: itself, and with every gain and bend within its widths that a peak asks for."""
    mean, width = prior.mean, prior.width
    at = positions(mean, lines.energy)[0]
    u = peaks.adc / peaks.high
    factor = (at / u[:, None]).ravel()
    factor = factor[np.abs(factor - 1) <= 3 * width[1] / mean[1]]
    gains = np.concatenate([[1.0], factor])
    # E = b(f u): only the gain differs, offset and bend stay.
    return best_of(mean[None, :] * gains[:, None] ** np.arange(3)[None, :], peaks, lines)


def best_of(curves: Floats, peaks: Peaks, lines: Lines) -> list[Floats]:
    """The curves that bring most lines onto peaks, relative to random matches; similar ones once."""
    if len(curves) == 0:
        return []
    order = np.argsort(peaks.adc, kind="stable")
    adc = peaks.adc[order]
    tolerance = np.hypot(2 * peaks.tolerance[order], 0.001 * peaks.high)
    gain = np.clip(-np.log(2.5 * tolerance * peaks.density[order]), 0.3, 5.0)
    strength = 0.5 + 0.5 * np.exp(0.5 * (lines.log_intensity - lines.log_intensity.max()))
    score = np.zeros(len(curves))
    for start in range(0, len(curves), 4096):
        some = curves[start : start + 4096]
        x = positions(some, lines.energy)[0] * peaks.high
        x = np.where(np.isfinite(x), x, -1e9)
        right = np.searchsorted(adc, x).clip(1, len(adc) - 1) if len(adc) > 1 else np.zeros(x.shape, np.intp)
        nearest = np.where(np.abs(x - adc[right - 1]) < np.abs(x - adc[right]), right - 1, right)
        pull = (x - adc[nearest]) / tolerance[nearest]
        inside = (x > peaks.low) & (x < peaks.high)
        value = np.where(np.abs(pull) < 3, gain[nearest] - 0.5 * pull**2, np.where(inside, -1.0, 0.0))
        score[start : start + 4096] = (value * strength).sum(1)
    best = np.argsort(-score, kind="stable")[: 20 * KEPT]
    return _distinct(curves[best], peaks, lines)


def _distinct(curves: Floats, peaks: Peaks, lines: Lines) -> list[Floats]:
    """The first of curves that put all strong lines within about the same peak widths."""
    strong = lines.energy[_strong(lines)]
    width = float(np.median(peaks.fwhm)) / peaks.high
    result: list[Floats] = []
    at = np.empty((0, len(strong)))
    for curve in curves:
        u = np.nan_to_num(positions(curve, strong)[0], nan=9.0)
        if len(result) == 0 or (np.abs(at - u).max(1) > 0.5 * width).all():
            result.append(curve)
            at = np.vstack([at, u])
            if len(result) == KEPT:
                break
    return result


def _prominent(peaks: Peaks) -> Indices:
    """The prominent peaks in each spectrum, in order of position; efficiency and background fall with energy."""
    rank = peaks.log_area + 0.8 * np.log(np.maximum(peaks.adc, 1e-3 * peaks.high))
    spectra = np.unique(peaks.spectrum)
    each = max(4, (PROMINENT + 4) // len(spectra)) if len(spectra) > 1 else PROMINENT
    chosen = _first_of(rank, peaks.spectrum, each, PROMINENT + 4)
    return np.array(sorted(chosen, key=lambda peak: (peaks.adc[peak], peak)), dtype=np.intp)


def _strong(lines: Lines) -> Indices:
    """The strong lines of each nuclide, in order of energy."""
    each = max(3, STRONG // len(np.unique(lines.nuclide)))
    return np.array(sorted(_first_of(lines.log_intensity, lines.nuclide, each, STRONG + 2)), dtype=np.intp)


def _first_of(rank: Floats, group: Indices, each: int, most: int) -> list[int]:
    """Places of the highest rank: no more than `each` of a group, and no more than `most` of all."""
    chosen: list[int] = []
    for number in np.unique(group):
        own = np.flatnonzero(group == number)
        chosen += own[np.argsort(-rank[own], kind="stable")[:each]].tolist()
    return sorted(chosen, key=lambda place: -rank[place])[:most]


def _through(u: Floats, energy: Floats, points: int) -> Floats:
    """b0, b1, b2 of the line or parabola through every 2 or 3 peaks and as many energies (Newton's differences)."""
    at, kev = _combinations(u, points)[:, None, :], _combinations(energy, points)[None, :, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.diff(kev) / np.diff(at)
        bend = np.zeros(slopes.shape[:-1])
        if points == 3:
            bend = (slopes[..., 1] - slopes[..., 0]) / (at[..., 2] - at[..., 0])
        slope = slopes[..., 0] - bend * (at[..., 0] + at[..., 1])
        offset = kev[..., 0] - at[..., 0] * (slopes[..., 0] - bend * at[..., 1])
    curves = np.stack([offset, slope, bend], -1).reshape(-1, 3)
    return np.asarray(curves[np.isfinite(curves).all(1)])


def _combinations(values: Floats, count: int) -> Floats:
    return np.array(list(combinations(values.tolist(), count)), dtype=np.float64).reshape(-1, count)
