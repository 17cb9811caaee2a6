"""Which peaks are fitted together, and over which bins, and the fit of these bins."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.types import Floats
from gammapolars.peaks.likelihood import Knowledge, Prior, RegionFit, fit_region
from gammapolars.peaks.model import Model
from gammapolars.peaks.widths import Widths, is_sharp

TOGETHER = 3.0
"""Peaks closer than this, in units of their FWHM, share a region."""

MOST_PEAKS = 10
"""Peaks of one region; longer rows are cut at their widest gaps."""

SAME = 0.35
"""Peaks that two regions have closer than this, in units of their FWHM, are the same one."""


OWN_WIDTH = Prior(1.5, None)
"""Prior of a peak's own width, in units of the others': nothing is known."""


class Region(NamedTuple):
    """Neighbouring bins, up to the one before `high`, that are fitted together; their peaks' positions, in bins and in
    order; the `room` between the first bin and the one after the last that no other region has; and the position of the
    peak that has a width of its own, if one has.
    """

    low: int
    high: int
    positions: Floats
    room: tuple[int, int]
    broad: float | None = None

    def grown(self, factor: float) -> "Region":
        """The region with more of its surroundings, as far as there is room."""
        first, last = float(self.positions[0]), float(self.positions[-1])
        low = max(self.room[0], round(first - factor * (first - self.low)))
        high = min(self.room[1], round(last + factor * (self.high - last)))
        return self._replace(low=min(low, self.low), high=max(high, self.high))

    def joined(self, following: "Region", widths: Widths) -> "Region":
        """Two neighbours as one; a peak that both took for their own is one peak."""
        positions = np.sort(np.concatenate([self.positions, following.positions]))
        apart = np.diff(positions, prepend=-np.inf) > SAME * widths.at(positions)
        low, high = min(self.low, following.low), max(self.high, following.high)
        room = min(self.room[0], following.room[0], low), max(self.room[1], following.room[1], high)
        return Region(low, high, positions[apart], room, following.broad if self.broad is None else self.broad)


class Data(NamedTuple):
    """A spectrum's counts per bin with their variances, the widths of peaks along it, in bins, and where annihilation
    radiation would be, whose lines are wider.
    """

    counts: Floats
    variance: Floats
    widths: Widths
    annihilation: float | None = None

    def fit(self, region: Region, knowledge: Knowledge, degree: int = 1, price: float = 0.0) -> RegionFit:
        """The fit of one region with a background of some degree, at the price of its freedom."""
        part = slice(region.low, region.high)
        sigmas = self.widths.at(region.positions) / FWHM_PER_SIGMA
        broad = None
        if region.broad is not None and len(region.positions):
            broad = int(np.argmin(np.abs(region.positions - region.broad)))
            # For a single peak the two widths could not be distinguished.
            width = knowledge.width if len(region.positions) > 1 else Prior(knowledge.width.value)
            knowledge = knowledge._replace(width=width, own_width=OWN_WIDTH)
        model = Model(region.low, region.high - region.low, sigmas, degree, knowledge.has_further, broad)
        return replace(
            fit_region(self.counts[part], self.variance[part], model, region.positions, knowledge), price=price
        )


def regions(positions: Floats, widths: Widths, bins: int) -> list[Region]:
    """Group peaks and give each group its bins.

    Around sharp peaks the background is smooth over several widths; around those of scintillators it bends within two,
    at Compton edges, so that less of it is taken in. Positions are in bins, of which the spectrum has `bins`.
    """
    centres = np.sort(positions)
    fwhm = widths.at(centres)
    result = []
    for group in _groups(centres, fwhm):
        first, last = group[0], group[-1]
        left, right = (3.0, 2.6) if is_sharp(float(centres[first]), float(fwhm[first])) else (1.7, 1.7)
        low, high = centres[first] - left * fwhm[first], centres[last] + right * fwhm[last]
        least, most = 0.0, float(bins)
        # Bins within a neighbour's peak are not background.
        if first > 0:
            least = min(centres[first - 1] + 1.3 * fwhm[first - 1], centres[first] - 1.2 * fwhm[first])
        if last + 1 < len(centres):
            most = max(centres[last + 1] - 1.6 * fwhm[last + 1], centres[last] + 1.2 * fwhm[last])
        room = max(0, round(float(least))), min(bins, round(float(most)) + 1)
        begin, end = max(room[0], round(float(low))), min(room[1], round(float(high)) + 1)
        result.append(Region(begin, max(end, min(begin + 3, bins)), centres[first : last + 1], room))
    return result


def _groups(positions: Floats, fwhm: Floats) -> list[list[int]]:
    """Rows of peaks that are too close to be fitted apart."""
    groups: list[list[int]] = []
    for place in range(len(positions)):
        is_first = place == 0 or positions[place] - positions[place - 1] > TOGETHER * max(fwhm[place], fwhm[place - 1])
        if is_first:
            groups.append([])
        groups[-1].append(place)
    return [part for group in groups for part in _cut(group, positions)]


def _cut(group: list[int], positions: Floats) -> list[list[int]]:
    """A row that is too long, cut at its widest gap, and its parts again."""
    if len(group) <= MOST_PEAKS:
        return [group]
    gaps = np.diff(positions[group])
    # Near the ends a cut would leave a peak with only its neighbour's flank.
    inner = slice(1, len(gaps) - 1)
    cut = 2 + int(np.argmax(gaps[inner]))
    return _cut(group[:cut], positions) + _cut(group[cut:], positions)
