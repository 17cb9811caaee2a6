"""Gamma lines of a run: those that each spectrum shows, and those that the matrix shows in coincidence."""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.types import Floats
from gammapolars.figures import bins
from gammapolars.report.full_energy import Peak, full_energy_peaks
from gammapolars.report.nuclides import SeenLine, identify
from gammapolars.report.results import Analysis

LEAST_SPOT_SIGMA = 5.0


class Lines(NamedTuple):
    """The lines of one detector's spectrum, and the peaks that are not in the table."""

    board: int
    channel: int
    name: str
    seen: list[SeenLine]
    unexplained: list[Peak]


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
        lines, unexplained = identify(full_energy_peaks(energies[0] + width * np.arange(len(counts)), counts, variance))
        result.append(Lines(int(str(board)), int(str(channel)), str(name), lines, unexplained))
    return result


class Spot(NamedTuple):
    """Pairs of two lines in the matrix.

    Attributes:
        energy_x_kev: the lower line.
        energy_y_kev: the higher line.
        net: pairs above the background beside the spot.
        net_unc: one standard deviation of `net`.
        chance: how many of `net` are expected by chance, from the lines' areas in the singles spectra.
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
            net, net_unc = _spot(x, y, counts, (low, widths[low]), (high, widths[high]), width=width)
            if net > LEAST_SPOT_SIGMA * net_unc:
                spots.append(Spot(low, high, net, net_unc, _chance_spot(analysis, lines, low, high)))
    return sorted(spots, key=lambda spot: spot.net, reverse=True)


def _spot(
    x: Floats, y: Floats, counts: Floats, line_x: tuple[float, float], line_y: tuple[float, float], *, width: float
) -> tuple[float, float]:
    """Net pairs of a spot: peak × peak, less peak × side and side × peak, plus side × side, and the uncertainty.

    Args:
        x: bin centres, keV.
        y: bin centres, keV.
        counts: of each bin; both orders are there, the diagonal once.
        line_x: energy and FWHM of the line on x, keV.
        line_y: the same on y.
        width: of the bins, keV.
    """
    weights = []
    for axis, (energy, fwhm) in ((x, line_x), (y, line_y)):
        half = 1.1 * fwhm + width / 2
        distance = np.abs(axis - energy)
        peak, side = distance <= half, (distance > 1.2 * half) & (distance <= 1.2 * half + max(half, 2 * width))
        # As many bins as the axis has there, filled or not: the matrix is sparse.
        grid = axis[0] + width * (np.round((energy - axis[0]) / width) + np.arange(-1000, 1001))
        distance = np.abs(grid - energy)
        n_peak = (distance <= half).sum()
        n_side = ((distance > 1.2 * half) & (distance <= 1.2 * half + max(half, 2 * width))).sum()
        weights.append(np.where(peak, 1.0, 0.0) - np.where(side, n_peak / n_side, 0.0))
    weight = weights[0] * weights[1]
    if line_x == line_y:
        # Within one line's square each pair stands twice, but once on the diagonal.
        weight = np.where(x < y, weight, np.where(x == y, weight, 0.0))
    variance = float((weight**2 * counts).sum())
    return float((weight * counts).sum()), math.sqrt(max(variance, 1.0))


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
