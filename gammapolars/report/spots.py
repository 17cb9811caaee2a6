"""Pairs of gamma lines that the matrix shows in coincidence."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.types import Floats, Mask
from gammapolars.figures import bins
from gammapolars.gates import WIDTH_FWHM
from gammapolars.report.analyse import Analysis
from gammapolars.report.lines import Lines

LEAST_SPOT_SIGMA = 5.0


class Spot(NamedTuple):
    """Pairs of two lines in the matrix, with the background around them subtracted, and the standard deviation.

    `chance` is the expected number of random coincidences among them, from the lines' areas in the singles spectra; 0
    where the matrix has them subtracted.
    """

    energy_x_kev: float
    energy_y_kev: float
    net: float
    net_unc: float
    chance: float


def spots_of(analysis: Analysis, lines: list[Lines]) -> list[Spot]:
    """Pairs of seen lines in the matrix, where they are five standard deviations above their surroundings.

    A nuclide of one line, which no other confirms, has no coincidences.
    """
    if "energy_kev_x" not in analysis.matrix.columns or analysis.matrix.is_empty():
        return []
    is_net, widths = bool(analysis.random_windows), dict[float, float]()
    for line in (line for detector in lines for line in detector.seen if line.is_confirmed):
        widths[line.energy_kev] = max(widths.get(line.energy_kev, 0.0), line.peak.fwhm_kev)
    names = ("energy_kev_x", "energy_kev_y", "counts", "variance")
    x, y, *cells = (analysis.matrix[name].cast(pl.Float64).to_numpy() for name in names)
    width = bins.bin_width(pl.concat([analysis.matrix["energy_kev_x"], analysis.matrix["energy_kev_y"]]))
    energies = sorted(widths)
    spots = []
    for place, low in enumerate(energies):
        for high in energies[place:]:
            net, net_unc = _spot(x, y, (cells[0], cells[1]), (low, high), widths, width=width)
            if net > LEAST_SPOT_SIGMA * net_unc:
                spots.append(Spot(low, high, net, net_unc, 0.0 if is_net else _chance_spot(analysis, lines, low, high)))
    return sorted(spots, key=lambda spot: spot.net, reverse=True)


def _spot(
    x: Floats,
    y: Floats,
    cells: tuple[Floats, Floats],
    line: tuple[float, float],
    widths: Mapping[float, float],
    *,
    width: float,
) -> tuple[float, float]:
    """Net pairs of a spot: peak × peak, less peak × side and side × peak, plus side × side, and the uncertainty.

    Bins are given by both centres, counts and variances, in both orders, the diagonal once; the lines of the two axes
    by their energies, and all lines with their FWHM; all in keV.
    """
    weights = []
    for axis, energy in ((x, line[0]), (y, line[1])):
        # As many bins as the axis has there, filled or not: the matrix is sparse.
        grid = axis[0] + width * (np.round((energy - axis[0]) / width) + np.arange(-1000, 1001))
        (peak, side), (grid_peak, grid_side) = (_peak_and_sides(one, energy, widths, width) for one in (axis, grid))
        if not grid_side.any():
            return 0.0, 1.0  # without a background it is not known
        weights.append(np.where(peak, 1.0, 0.0) - np.where(side, grid_peak.sum() / grid_side.sum(), 0.0))
    weight = weights[0] * weights[1]
    if line[0] == line[1]:
        # Within one line's square each pair is counted twice, but once on the diagonal.
        weight = np.where(x < y, weight, np.where(x == y, weight, 0.0))
    counts, variances = cells
    variance = float((weight**2 * variances).sum())
    return float((weight * counts).sum()), math.sqrt(max(variance, 1.0))


def _peak_and_sides(places: Floats, energy: float, widths: Mapping[float, float], width: float) -> tuple[Mask, Mask]:
    """Which bins are in a line's gate, and which next to it: a FWHM away from it, and in the gate of no other line."""
    half = {line: WIDTH_FWHM / 2 * fwhm + width / 2 for line, fwhm in widths.items()}
    far, begin = np.abs(places - energy), half[energy] + widths[energy]
    side = (far > begin) & (far <= begin + max(half[energy], 2 * width))
    for other in widths:
        if other != energy:
            side &= np.abs(places - other) > half[other]
    return far <= half[energy], side


def _chance_spot(analysis: Analysis, lines: list[Lines], low: float, high: float) -> float:
    """Random pairs of two lines: each detector pair's, times the shares of the lines in both singles spectra."""
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
