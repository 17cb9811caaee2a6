"""Decisions and limits of a line without a peak, from 0.1 to 300 counts a keV: false detections, coverage of limits."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from gammapolars.activities.few_counts import counting_limits
from gammapolars.activities.limits import upper_limit
from gammapolars.activities.line_counts import LineBins, LineCounts, fitted_counts, summed_counts
from tests.validation.outcomes import Check, Floats, Outcome

LEVELS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Counts a keV."""

FWHM_KEV, BIN_KEV, LINE_KEV = 2.0, 0.4, 600.0

ENOUGH = 30.0
"""Counts below the line from which false detections are near to what is asked for."""

NEIGHBOURS = ((1.5, 3000.0), (2.0, 300.0), (-3.0, 1000.0))
"""A peak next to the line: how far, in FWHM, and its area."""

NEIGHBOUR_UNC = 0.02
"""How well place and width of the other peak are known, in FWHM."""


def grid(reach_fwhm: float) -> Floats:
    """Centres of bins around the line."""
    most = round(reach_fwhm * FWHM_KEV / BIN_KEV)
    return LINE_KEV + BIN_KEV * np.arange(-most, most + 1, dtype=np.float64)


def peak(energy: Floats, at: float, area: float) -> Floats:
    """Expected counts of a normal peak."""
    z = (energy - at) / (FWHM_KEV / 2.3548)
    half = 0.5 * BIN_KEV / (FWHM_KEV / 2.3548)
    return np.asarray(area * (ndtr(z + half) - ndtr(z - half)), np.float64)


def decision(counts: LineCounts) -> tuple[bool, float]:
    """Whether a line is detected, and its upper limit, in counts."""
    limits = counting_limits(counts.area, counts.null_variance, per_bq=1 / counts.unit, ratio=counts.ratio)
    upper = upper_limit(counts.area, max(counts.area_unc, 1.0)) if limits.upper is None else limits.upper
    return counts.area > limits.critical, upper


def alone(level: float, line: float, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    """How often a line of some counts is detected, and how often its limit covers them.

    What is decided depends on the counts of the region and of its sides alone: each pair is decided once.
    """
    energy = grid(2.75)
    expected = level * BIN_KEV + peak(energy, LINE_KEV, line)
    distance = np.abs(energy - LINE_KEV) / FWHM_KEV
    inside, sides = distance <= 1.25, (distance >= 1.5) & (distance <= 2.75)
    first, last = np.flatnonzero(sides)[[0, -1]]
    drawn = np.stack([rng.poisson(expected[part].sum(), draws) for part in (inside, sides)], axis=1)
    pairs, often = np.unique(drawn, axis=0, return_counts=True)
    detected, covers = np.zeros(len(pairs)), np.zeros(len(pairs))
    for number, (region, around) in enumerate(pairs.tolist()):
        values = np.zeros(len(energy))
        values[len(energy) // 2] = region
        values[[first, last]] = around / 2
        is_detected, upper = decision(summed_counts(LineBins(energy, values, values, BIN_KEV), LINE_KEV, FWHM_KEV))
        detected[number], covers[number] = is_detected, upper >= line
    return float(detected @ often) / draws, float(covers @ often) / draws


def next_to_a_peak(
    level: float, line: float, neighbour: tuple[float, float], draws: int, rng: np.random.Generator
) -> tuple[float, float]:
    """The same, with another peak of which place and width are known as a fit knows them."""
    energy = grid(4.0)
    at = LINE_KEV + neighbour[0] * FWHM_KEV
    expected = level * BIN_KEV + peak(energy, LINE_KEV, line) + peak(energy, at, neighbour[1])
    detected = covers = 0
    for counts in rng.poisson(expected, (draws, len(energy))).astype(np.float64):
        known = (at + NEIGHBOUR_UNC * FWHM_KEV * rng.normal(), FWHM_KEV * (1 + NEIGHBOUR_UNC * rng.normal()))
        bins = LineBins(energy, counts, counts, BIN_KEV)
        is_detected, upper = decision(fitted_counts(bins, LINE_KEV, FWHM_KEV, [known]))
        detected, covers = detected + is_detected, covers + (upper >= line)
    return detected / draws, covers / draws


def limits(draws: int = 20_000, draws_next: int = 1_000, seed: int = 1, levels: npt.ArrayLike = LEVELS) -> Outcome:
    """False detections at zero activity, and the coverage of upper limits, by level.

    Args:
        draws: spectra a level, of a line alone.
        draws_next: spectra a level and neighbour, of a line next to another peak.
        seed: of the draws.
        levels: counts a keV.
    """
    rng = np.random.default_rng(seed)
    text = [f"{'counts a keV':>12} {'false alone':>12} {'covered':>8} {'next to peaks':>14} {'covered':>8}"]
    checks = []
    for level in np.asarray(levels, np.float64).tolist():
        below = level * 2.5 * FWHM_KEV
        lines = [share * (3 + 2 * math.sqrt(below)) for share in (0.3, 1.0, 2.0)]
        false = alone(level, 0.0, draws, rng)[0]
        covered = min(alone(level, line, draws // 4, rng)[1] for line in lines)
        false_next = max(next_to_a_peak(level, 0.0, one, draws_next, rng)[0] for one in NEIGHBOURS)
        covered_next = min(next_to_a_peak(level, lines[1], one, draws_next // 2, rng)[1] for one in NEIGHBOURS)
        text.append(f"{level:12g} {false:12.4f} {covered:8.4f} {false_next:14.4f} {covered_next:8.4f}")
        unc, unc_next = (math.sqrt(0.05 * 0.95 / number) for number in (draws, draws_next))
        least = 0.04 if below > ENOUGH else 0.0
        name = f"at {level:g} counts a keV"
        checks += [
            Check(f"false detections {name}", false, least, 0.05 + 3 * unc),
            Check(f"next to other peaks {name}", false_next, high=0.05 + 3 * unc_next),
            Check(f"limits that cover {name}", covered, 0.95 - 3 * math.sqrt(0.05 * 0.95 / (draws // 4))),
            Check(f"next to other peaks {name}", covered_next, 0.95 - 3 * math.sqrt(0.05 * 0.95 / (draws_next // 2))),
        ]
    return Outcome(f"Lines without a peak: {draws:,} spectra a level, {draws_next:,} next to each peak", text, checks)
