"""Sums of the IAEA's spectrum STRAIGHT and itself, shifted: nearly every peak is a doublet, with a known ratio.

Its counts are split binomially in a ratio, which makes two independent Poisson spectra, one of which is shifted by
three channels; then they are added. The reference areas are the fractions of STRAIGHT's own reference; where its lines
lie is known from a fit of STRAIGHT itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

import gammapolars as gp
from tests.validation.intercomparison import LINE_KEV, owners_of, reference, straight
from tests.validation.outcomes import Check, Floats, Outcome

SHIFT = 3

RATIOS = ((1, 1), (1, 3), (3, 1), (10, 1), (1, 100))
"""Parts that stay and that are shifted."""

LEAST_KEV, ANNIHILATION_KEV = 100.0, (510.0, 512.5)
STRONG = 10.0
"""A reference area is strong from so many times the error on that is expected in the sum."""

NEAR = 0.5
"""A peak is found where one lies within this part of a FWHM."""


class Lines(NamedTuple):
    """Lines of a spectrum: where, in channels, their FWHM there, reference area and its error, and the error expected
    of a measurement.
    """

    place: Floats
    fwhm: Floats
    area: Floats
    area_unc: Floats
    expected_unc: Floats


@dataclass
class Score:
    """Strong peaks, those that were found, and the squared pulls of their areas."""

    strong: int = 0
    found: int = 0
    squares: tuple[float, ...] = ()

    def __add__(self, other: "Score") -> "Score":
        return Score(self.strong + other.strong, self.found + other.found, self.squares + other.squares)

    @property
    def part(self) -> float:
        """Found of the strong ones."""
        return self.found / self.strong

    @property
    def chi2(self) -> float:
        """χ²/n."""
        return float(np.mean(self.squares))

    def __str__(self) -> str:
        return f"{self.found:6d} of {self.strong:<6d} {100 * self.part:5.1f} % {self.chi2:7.2f}"


def lines_of_straight() -> tuple[Lines, tuple[float, ...]]:
    """The reference's lines that are compared, and the coefficients of FWHM² in channels."""
    peaks = gp.fit_peaks(straight()).with_columns(energy_kev=LINE_KEV[0] + LINE_KEV[1] * pl.col("centroid_adc"))
    known = reference()
    owner = owners_of(known, peaks).astype(np.int64)
    energy = known["energy_kev"].to_numpy()
    annihilation = (energy > ANNIHILATION_KEV[0]) & (energy < ANNIHILATION_KEV[1])
    used = (known["use"] == 1).to_numpy() & (energy > LEAST_KEV) & ~annihilation & (owner >= 0)
    clear = peaks.filter(pl.col("significance") > 15, pl.col("status") == "ok", pl.col("centroid_adc") > 400)
    place, fwhm = (clear[name].to_numpy() for name in ("centroid_adc", "fwhm_adc"))
    normal = np.abs(fwhm / np.polyval(np.polyfit(place, fwhm, 2), place) - 1) < 0.1
    fwhm_square = np.polynomial.polynomial.polyfit(place[normal], fwhm[normal] ** 2, 2)
    at = peaks["centroid_adc"].to_numpy()[owner[used]]
    area, area_unc, expected = (known[name].to_numpy()[used] for name in ("area", "area_unc", "expected_unc"))
    width = np.sqrt(np.polynomial.polynomial.polyval(at, fwhm_square))
    return Lines(at, width, area, area_unc, expected), tuple(fwhm_square.tolist())


def shifted_sum(ratio: tuple[int, int], rng: np.random.Generator) -> pl.DataFrame:
    """STRAIGHT, a part of it shifted."""
    spectrum = straight()
    counts = spectrum["counts"].to_numpy().astype(np.int64)
    stays = rng.binomial(counts, ratio[0] / sum(ratio))
    total = stays.astype(np.float64)
    total[SHIFT:] += (counts - stays)[:-SHIFT]
    return spectrum.with_columns(counts=pl.Series(total), variance=pl.Series(total))


def strong_lines(lines: Lines, ratio: tuple[int, int]) -> Lines:
    """The lines of both parts whose reference is strong.

    The error expected in the sum is that of the part's own counts, and of what lies below the line in the whole sum.
    """
    background = np.maximum(lines.expected_unc**2 - lines.area, 0.0)
    parts = []
    for part, shift in zip(ratio, (0, SHIFT), strict=True):
        share = part / sum(ratio)
        expected = np.sqrt(share * lines.area + background)
        strong = share * lines.area > STRONG * expected
        moved = (lines.place + shift, lines.fwhm, share * lines.area, share * lines.area_unc, expected)
        parts.append([values[strong] for values in moved])
    return Lines(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def score(peaks: pl.DataFrame, strong: Lines) -> Score:
    """One peak for each line at most, the nearest ones."""
    distance = np.abs(strong.place[:, None] - peaks["centroid_adc"].to_numpy()) / strong.fwhm[:, None]
    line, peak = linear_sum_assignment(np.minimum(distance, NEAR))
    near = distance[line, peak] < NEAR
    line, peak = line[near], peak[near]
    area, unc = (peaks[name].to_numpy()[peak] for name in ("area", "area_unc"))
    squares = (area - strong.area[line]) ** 2 / (unc**2 + strong.area_unc[line] ** 2)
    return Score(len(strong.place), len(line), tuple(squares.tolist()))


def shifted_sums(seeds: Iterable[int] = range(20), ratios: Iterable[tuple[int, int]] = RATIOS) -> Outcome:
    """Search and fit sums of all ratios without hints, and with the width given."""
    lines, fwhm = lines_of_straight()
    text = [f"{'ratio':>8} {'own width: found':>26} {'χ²/n':>7} {'width given: found':>24} {'χ²/n':>7}"]
    own, given = Score(), Score()
    for number, ratio in enumerate(ratios):
        strong = strong_lines(lines, ratio)
        both = [Score(), Score()]
        for seed in seeds:
            spectrum = shifted_sum(ratio, np.random.default_rng([number, seed]))
            both[0] += score(gp.fit_peaks(spectrum), strong)
            # In units of which one is a channel.
            calibrated = spectrum.with_columns(energy_kev=pl.col("adc"))
            both[1] += score(gp.fit_peaks(calibrated, fwhm=fwhm), strong)
        text.append(f"{ratio[0]:4d}:{ratio[1]:<4d} {both[0]} {both[1]}")
        own, given = own + both[0], given + both[1]
    return Outcome(
        f"Shifted sums of STRAIGHT, by {SHIFT} channels",
        [*text, f"{'all':>8}  {own} {given}"],
        [
            Check("own width: part found of the strong peaks", own.part, 0.88),
            Check("own width: χ²/n of their areas", own.chi2, high=2.0),
            Check("width given: part found of the strong peaks", given.part, 0.94),
            Check("width given: χ²/n of their areas", given.chi2, high=1.6),
        ],
    )
