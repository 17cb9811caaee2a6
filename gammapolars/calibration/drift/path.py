"""A first look at a gain's course over a run: the path through time and gain on which the lines are clearest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.core.types import Floats

STEP_FWHM = 0.25
"""Gains are tried in steps of this part of the narrowest line's relative width."""

LEAST_STEPS = 10
"""on either side of 1, and finer ones where so few would be enough for a wide line."""

MOVE_COST = 0.5
"""Cost of a move by `STEP_FWHM` between slices, as log-likelihood;"""

MOST_MOVE_COST = 12.0
"""and the largest cost of any jump."""

NEAR_FWHM = 4.0

FORBIDDEN = -1e6

OUTER_COST = 4.0
"""A gain at the edge of the search range must be better by this much than one at 1, once: the nearer line is meant."""

Indices = npt.NDArray[np.intp]


class LineCounts(NamedTuple):
    """A line's surroundings in slices of time: counts (slices, bins) in bins from `low_adc` on, the lower end of the
    first, and where the calibration expects the line.
    """

    expected_adc: float
    low_adc: float
    bin_adc: float
    counts: Floats

    def groups(self, edges: Sequence[int] | Indices) -> "LineCounts":
        """With slices joined: from each of the given places to the next, and from the last to the end."""
        return self._replace(counts=np.add.reduceat(self.counts, edges, axis=0))

    def around(self, centres: Floats, fwhm: float, *, by_slice: bool = False) -> tuple[Floats, Floats, Floats, Floats]:
        """Counts within 0.6 FWHM of a line, and those of its background on both sides; how many bins hold either.

        Places of the line and its FWHM are in adc; `by_slice`, each slice has one place, else all have all.

        Returns:
            Counts (slices, centres), or (slices,), and numbers of bins, one a centre: of the peak, of the background.
        """
        total = np.zeros((len(self.counts), self.counts.shape[1] + 1))
        np.cumsum(self.counts, axis=1, out=total[:, 1:])
        rows: slice | Indices = np.arange(len(total)) if by_slice else slice(None)

        def within(low: float, high: float) -> tuple[Floats, Floats]:
            places = ((centres + side * fwhm - self.low_adc) / self.bin_adc for side in (low, high))
            begin, end = (np.clip(np.rint(place), 0, total.shape[1] - 1).astype(int) for place in places)
            return total[rows, end] - total[rows, begin], (end - begin).astype(np.float64)

        peak, bins = within(-0.6, 0.6)
        left, left_bins = within(-1.5, -0.9)
        right, right_bins = within(0.9, 1.5)
        return peak, left + right, bins, np.maximum(left_bins + right_bins, 1)


def gain_path(
    lines: Sequence[LineCounts], fwhm_adc: Sequence[float], reach: float, *, around: Floats | None = None
) -> tuple[Floats, float]:
    """The gain in each slice, relative to that of the calibration, to about a quarter of the lines' width.

    All slices and lines are looked at together: at each gain the counts at the places of all lines are compared with
    those around them, and of all ways through the slices the one is taken on which this adds up to most, less a cost
    for each change of the gain (the Viterbi algorithm; A. J. Viterbi, IEEE Trans. Inf. Theory 13 (1967) 260). So a
    slice with few counts, or none, is bridged by its neighbours, in both directions of time. Relative deviations of the
    gain up to `reach` are searched, or those within four widths of the lines `around` given gains (slices,).

    Returns:
        Gains (slices,), and the significance of the path, as a log-likelihood.
    """
    relative = min(width / line.expected_adc for line, width in zip(lines, fwhm_adc, strict=True))
    half = max(LEAST_STEPS, int(np.ceil(reach / (STEP_FWHM * relative))))
    gains = 1 + np.linspace(-reach, reach, 2 * half + 1)
    score = np.zeros((len(lines[0].counts), len(gains)))
    for line, width in zip(lines, fwhm_adc, strict=True):
        score += _excess(line, gains * line.expected_adc, width)
    if around is not None:
        score[np.abs(gains / around[:, None] - 1) > NEAR_FWHM * relative] = FORBIDDEN
    best = _best_way(score, OUTER_COST * np.abs(gains - 1) / reach, MOVE_COST * reach / half / (STEP_FWHM * relative))
    return gains[best], float(score[np.arange(len(score)), best].sum())


def _excess(line: LineCounts, centres: Floats, fwhm: float) -> Floats:
    """By how much counts within a line's width exceed its background, as a log-likelihood, (slices, centres).

    It is half the squared excess in its standard deviations, with the sign of the excess.
    """
    peak, background, bins, background_bins = line.around(centres, fwhm)
    ratio = bins / background_bins
    excess = peak - ratio * background
    variance = peak + ratio**2 * background + 1
    return np.asarray(np.sign(excess) * 0.5 * excess**2 / variance)


def _best_way(score: Floats, prior: Floats, move_cost: float) -> Indices:
    """The place in each slice of the way with the largest sum of scores, less the cost of moves."""
    places = np.arange(score.shape[1])
    cost = np.minimum(move_cost * np.abs(places[:, None] - places[None, :]), MOST_MOVE_COST)
    came_from = np.zeros(score.shape, np.intp)
    value = score[0] - prior
    for number in range(1, len(score)):
        total = value[:, None] - cost
        came_from[number] = total.argmax(axis=0)
        value = total[came_from[number], places] + score[number]
    best = np.empty(len(score), np.intp)
    best[-1] = int(np.argmax(value))
    for number in range(len(score) - 1, 0, -1):
        best[number - 1] = came_from[number, best[number]]
    return best
