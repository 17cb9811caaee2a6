"""Gamma lines of a run: those that each spectrum shows, and those that the matrix shows in coincidence."""

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.types import Floats, Mask
from gammapolars.figures import bins
from gammapolars.gamma_lines import lines
from gammapolars.identification import ANNIHILATION as ANNIHILATION_KIND
from gammapolars.identification import FULL_ENERGY, UNKNOWN, peak_kinds
from gammapolars.peaks import fit_peaks, width_doubts
from gammapolars.report.analyse import Analysis
from gammapolars.spectra.line_gates import WIDTH_FWHM

LEAST_SIGMA = 6.0


class Peak(NamedTuple):
    """A peak that stands out, in keV, with the statistical uncertainty of its position; its area is above the
    background.
    """

    centroid_kev: float
    centroid_unc_kev: float
    fwhm_kev: float
    area: float
    area_unc: float


def full_energy_peaks(energy_kev: Floats, counts: Floats, variance: Floats) -> list[Peak]:
    """The peaks of one spectrum that are six standard deviations high, in order of energy.

    What has another origin (`peak_kinds`: humps, sums, escapes, X-rays) is left out. Bins are equal, and in order.
    """
    spectrum = pl.DataFrame({"energy_kev": energy_kev, "counts": counts, "variance": variance})
    table = fit_peaks(spectrum, least_significance=LEAST_SIGMA).filter(pl.col("status") != "failed")
    table = peak_kinds(table).filter(pl.col("kind").is_in([FULL_ENERGY, ANNIHILATION_KIND, UNKNOWN]))
    columns = ("centroid_kev", "centroid_kev_unc", "fwhm_kev", "area", "area_unc")
    peaks = [Peak(*row) for row in table.select(columns).iter_rows()]
    return [peak for peak in peaks if peak.area > LEAST_SIGMA * peak.area_unc and peak.centroid_kev > 10]


ANNIHILATION = "annihilation radiation"

SEARCHED = ("Na-22", "K-40", "Co-60", "Cs-137", "Eu-152")
"""Nuclides that a report looks for."""

MAIN_SHARE = 0.4
"""The main lines of a nuclide, without which it cannot be there, have this share of its strongest line or more."""

LEAST_INTENSITY = 1.0
"""Photons per 100 decays: weaker lines are not named."""


class SeenLine(NamedTuple):
    """A line of the table and the peak that it explains."""

    nuclide: str
    energy_kev: float
    peak: Peak


def identify(peaks: list[Peak]) -> tuple[list[SeenLine], list[Peak]]:
    """The lines that one spectrum shows, in order of energy; and the peaks that the table does not explain.

    A peak that two nuclides could explain is given to the first; 511 keV without 1275 keV is annihilation radiation and
    names no nuclide.
    """
    names: dict[Peak, SeenLine] = {}
    for nuclide in SEARCHED:
        energies, further_energies = main_and_further(nuclide)
        matches = [_match(peaks, energy) for energy in energies]
        if any(match is None for match in matches):
            continue
        further = [(energy, _match(peaks, energy)) for energy in further_energies]
        for energy, peak in [*zip(energies, matches, strict=True), *further]:
            if peak is not None:
                names.setdefault(peak, SeenLine(nuclide, energy, peak))
    if (peak := _match(peaks, ANNIHILATION_KEV)) is not None:
        names.setdefault(peak, SeenLine(ANNIHILATION, ANNIHILATION_KEV, peak))
    lines = sorted(names.values(), key=lambda line: line.energy_kev)
    return lines, [peak for peak in peaks if peak not in names]


@cache
def main_and_further(nuclide: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The energies in keV of a nuclide's main lines, and of those that are named where seen, but not asked for.

    Doublets count: there is a peak all the same.
    """
    table = lines(nuclide, least_intensity=LEAST_INTENSITY).select("energy_kev", "intensity").rows()
    least = MAIN_SHARE * max(intensity for _, intensity in table)
    main = tuple(energy for energy, intensity in table if intensity >= least)
    return main, tuple(energy for energy, intensity in table if intensity < least)


def _match(peaks: list[Peak], energy_kev: float) -> Peak | None:
    """The peak at a line's energy: within a quarter of its width, half a keV for the calibration, and 3 sigma."""
    near = [
        peak
        for peak in peaks
        if abs(peak.centroid_kev - energy_kev) < 0.25 * peak.fwhm_kev + 0.5 + 3 * peak.centroid_unc_kev
    ]
    return min(near, key=lambda peak: abs(peak.centroid_kev - energy_kev), default=None)


LEAST_SPOT_SIGMA = 5.0


class Lines(NamedTuple):
    """The lines of one detector's spectrum, the peaks that are not in the table, and doubts about their widths."""

    board: int
    channel: int
    name: str
    seen: list[SeenLine]
    unexplained: list[Peak]
    doubts: tuple[str, ...] = ()


def lines_of(spectra: pl.DataFrame) -> list[Lines]:
    """What each calibrated detector shows; detectors in adc are left out."""
    if "energy_kev" not in spectra.columns:
        return []
    calibrated = spectra.drop_nulls("energy_kev")
    if calibrated.is_empty():
        return []
    width = bins.bin_width(calibrated["energy_kev"])
    result = []
    for (board, channel, name), table in calibrated.sort("board", "channel", "energy_kev").group_by(
        ["board", "channel", "name"], maintain_order=True
    ):
        energies = table["energy_kev"].cast(pl.Float64).to_numpy()
        place = np.round((energies - energies[0]) / width).astype(np.int64)
        counts, variance = np.zeros(place[-1] + 1), np.zeros(place[-1] + 1)
        np.add.at(counts, place, table["counts"].cast(pl.Float64).to_numpy())
        np.add.at(variance, place, table["variance"].cast(pl.Float64).to_numpy())
        with width_doubts() as doubts:
            peaks = full_energy_peaks(energies[0] + width * np.arange(len(counts)), counts, variance)
        lines, unexplained = identify(peaks)
        result.append(Lines(int(str(board)), int(str(channel)), str(name), lines, unexplained, tuple(doubts)))
    return result


class Spot(NamedTuple):
    """Pairs of two lines in the matrix, above the background beside the spot, with one standard deviation.

    `chance` is how many of them are expected by chance, from the lines' areas in the singles spectra.
    """

    energy_x_kev: float
    energy_y_kev: float
    net: float
    net_unc: float
    chance: float


def spots_of(analysis: Analysis, lines: list[Lines]) -> list[Spot]:
    """Pairs of seen lines in the matrix, where they stand five standard deviations above their surroundings."""
    if "energy_kev_x" not in analysis.matrix.columns or analysis.matrix.is_empty():
        return []
    widths: dict[float, float] = {}
    for line in (line for detector in lines for line in detector.seen):
        widths[line.energy_kev] = max(widths.get(line.energy_kev, 0.0), line.peak.fwhm_kev)
    columns = (analysis.matrix[name].cast(pl.Float64).to_numpy() for name in ("energy_kev_x", "energy_kev_y", "counts"))
    x, y, counts = columns
    width = bins.bin_width(pl.concat([analysis.matrix["energy_kev_x"], analysis.matrix["energy_kev_y"]]))
    energies = sorted(widths)
    spots = []
    for place, low in enumerate(energies):
        for high in energies[place:]:
            net, net_unc = _spot(x, y, counts, (low, high), widths, width=width)
            if net > LEAST_SPOT_SIGMA * net_unc:
                spots.append(Spot(low, high, net, net_unc, _chance_spot(analysis, lines, low, high)))
    return sorted(spots, key=lambda spot: spot.net, reverse=True)


def _spot(
    x: Floats, y: Floats, counts: Floats, line: tuple[float, float], widths: Mapping[float, float], *, width: float
) -> tuple[float, float]:
    """Net pairs of a spot: peak × peak, less peak × side and side × peak, plus side × side, and the uncertainty.

    Bins are given by both centres and counts, in both orders, the diagonal once; the lines of the two axes by their
    energies, and all lines with their FWHM; all in keV.
    """
    weights = []
    for axis, energy in ((x, line[0]), (y, line[1])):
        # As many bins as the axis has there, filled or not: the matrix is sparse.
        grid = axis[0] + width * (np.round((energy - axis[0]) / width) + np.arange(-1000, 1001))
        (peak, side), (grid_peak, grid_side) = (_peak_and_sides(one, energy, widths, width) for one in (axis, grid))
        if not grid_side.any():
            return 0.0, 1.0  # without a background nothing is told of it
        weights.append(np.where(peak, 1.0, 0.0) - np.where(side, grid_peak.sum() / grid_side.sum(), 0.0))
    weight = weights[0] * weights[1]
    if line[0] == line[1]:
        # Within one line's square each pair stands twice, but once on the diagonal.
        weight = np.where(x < y, weight, np.where(x == y, weight, 0.0))
    variance = float((weight**2 * counts).sum())
    return float((weight * counts).sum()), math.sqrt(max(variance, 1.0))


def _peak_and_sides(places: Floats, energy: float, widths: Mapping[float, float], width: float) -> tuple[Mask, Mask]:
    """Which bins are in a line's gate, and which beside it: a FWHM away from it, and in the gate of no other line."""
    half = {line: WIDTH_FWHM / 2 * fwhm + width / 2 for line, fwhm in widths.items()}
    far, begin = np.abs(places - energy), half[energy] + widths[energy]
    side = (far > begin) & (far <= begin + max(half[energy], 2 * width))
    for other in widths:
        if other != energy:
            side &= np.abs(places - other) > half[other]
    return far <= half[energy], side


def _chance_spot(analysis: Analysis, lines: list[Lines], low: float, high: float) -> float:
    """Chance pairs of two lines: each detector pair's, times the shares that the lines have of both singles spectra."""
    detectors = {
        (board, channel): hits
        for board, channel, hits in analysis.detectors.select("board", "channel", "hits_used").rows()
    }
    share: dict[tuple[int, int], dict[float, float]] = {
        (detector.board, detector.channel): {
            line.energy_kev: line.peak.area / max(1, detectors.get((detector.board, detector.channel), 1))
            for line in detector.seen
        }
        for detector in lines
    }
    total = 0.0
    pairs = analysis.pairs_by_detectors.select("board_a", "channel_a", "board_b", "channel_b", "chance_pairs_expected")
    for board_a, channel_a, board_b, channel_b, chance in pairs.iter_rows():
        a, b = share.get((board_a, channel_a), {}), share.get((board_b, channel_b), {})
        both = a.get(low, 0.0) * b.get(high, 0.0)
        if low != high:
            both += a.get(high, 0.0) * b.get(low, 0.0)
        total += chance * both
    return total
