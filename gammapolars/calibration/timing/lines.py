"""Straight lines among points in time and time difference: prompt coincidences of clocks that differ in rate.

Random pairs fill a band evenly, true ones lie on a line whose place and slope are not known. All lines of a band are
tried (a Hough transform, P. V. C. Hough, Proc. Int. Conf. High Energy Accelerators (1959) 554), coarse ones first, and
the fullest is judged by the Poisson probability of one as full at random, anywhere. The line is then fitted by
expectation and maximisation as a Gaussian on a level (A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39
(1977) 1).
"""

import math
from typing import NamedTuple

import numpy as np

from gammapolars.core.types import Floats

LEAST_POINTS = 8
"""Fewer points make no line."""

COARSEST = 8
"""The first lines that are tried are as wide as the band's half-width divided by this."""

MOST_TRIALS = 60_000_000
"""Points times slopes that are tried for lines of one width: a few seconds."""

AT_ONCE = 200_000

DENSE = 4
"""Points are counted in all bins where there are no more than this many for each point; else they are sorted."""

WIDE = 4.0
"""A line is fitted to the points within this many of its widths."""

ROUNDS = 60


class Band(NamedTuple):
    """Where lines are searched: points within ±(`half_ps` + `slope` · t) of 0, for times from 0 to `length_s`.

    Lines begin within ±`half_ps` and rise by up to ±`slope` (ps/s); they are no narrower than `least_ps`.
    """

    half_ps: float
    slope: float
    length_s: float
    least_ps: float

    @property
    def area(self) -> float:
        """Its area, ps s."""
        return (2 * self.half_ps + self.slope * self.length_s) * self.length_s


class Line(NamedTuple):
    """A line: its place (ps) at a time (s), its slope (ps/s), both with uncertainties and not correlated, its width σ.

    `points` are about how many points lie on it.
    """

    time_s: float
    position_ps: float
    position_ps_unc: float
    slope: float
    slope_unc: float
    sigma_ps: float
    points: float

    def at(self, time_s: float | Floats) -> Floats:
        """Its place at times."""
        return np.asarray(self.position_ps + self.slope * (np.asarray(time_s) - self.time_s))


def find_line(time_s: Floats, dt_ps: Floats, band: Band, *, chance: float, trials: int = MOST_TRIALS) -> Line | None:
    """The clearest line among the points of a band; None where one as clear is random with more than `chance`.

    Points times slopes of lines of one width are `trials` at most.
    """
    from scipy.stats import poisson

    width = max(band.half_ps / COARSEST, band.least_ps)
    tried = 0
    while len(time_s) >= LEAST_POINTS:
        slopes = 2 * math.ceil(band.slope * band.length_s / width) + 1
        if slopes * len(time_s) > trials:
            return None
        counts, position, slope, places = _fullest(time_s, dt_ps, band, width, slopes)
        tried += places
        level = len(time_s) / band.area * 2 * width * band.length_s
        if counts < LEAST_POINTS:
            return None  # each narrower line lies in one of these
        if poisson.logsf(counts - 1, level) + math.log(tried) < math.log(chance):
            return fit_line(time_s, dt_ps, (position, slope), width, band.least_ps)
        if width <= band.least_ps:
            return None
        width = max(width / 2, band.least_ps)
    return None


def _fullest(time_s: Floats, dt_ps: Floats, band: Band, width: float, slopes: int) -> tuple[int, float, float, int]:
    """The counts, place at t = 0 and slope of the fullest of all lines two `width` wide, and how many there are."""
    step = width / band.length_s if slopes > 1 else 0.0
    bins = 2 * math.ceil(band.half_ps / width) + 2
    low = -(bins / 2) * width
    best = (-1, 0.0, 0.0)
    rows = max(1, AT_ONCE // len(time_s))
    trials = (np.arange(slopes) - slopes // 2) * step
    fullest = fullest_of_dense if bins <= DENSE * len(time_s) else fullest_of_sparse
    for first in range(0, slopes, rows):
        some = trials[first : first + rows]
        place = some[:, None] * time_s
        np.subtract(dt_ps, place, out=place)
        place -= low
        place /= width
        counts, row, column = fullest(np.floor(place, out=place), bins)
        if counts > best[0]:
            best = counts, low + (column + 1) * width, float(some[row])
    return (*best, slopes * (bins - 1))


def fullest_of_sparse(place: Floats, bins: int) -> tuple[int, int, int]:
    """The counts of the fullest two neighbouring bins, the first of such in any row, its row and its bin.

    Args:
        place: (rows, points) the bin of each, a whole number, inside from 0 to `bins` or not.
        bins: how many there are.
    """
    inside = (place >= 0) & (place < bins)
    # An empty place after each row's last, so that neighbours are of one row.
    number = np.sort((place + np.arange(len(place))[:, None] * (bins + 1))[inside].astype(np.int64))
    counts = np.searchsorted(number, number + 2) - np.arange(len(number))
    if not len(counts):
        return 0, 0, 0
    at = int(counts.argmax())
    return int(counts[at]), *divmod(int(number[at]), bins + 1)


def fullest_of_dense(place: Floats, bins: int) -> tuple[int, int, int]:
    """The same, several times faster where there are not many more bins than points."""
    rows, width = len(place), bins + 2  # a place before all bins and one after them for points outside
    number = np.clip(place, -1, bins, out=place).astype(np.int64)
    number += np.arange(rows)[:, None] * width + 1
    inside = np.bincount(number.ravel(), minlength=rows * width).reshape(rows, width)[:, 1:-1]
    counts = inside.copy()
    counts[:, :-1] += inside[:, 1:]
    counts[inside == 0] = 0  # two neighbours begin with a point
    row, column = divmod(int(counts.argmax()), bins)
    return int(counts[row, column]), row, column


def fit_line(
    time_s: Floats, dt_ps: Floats, start: tuple[float, float], width_ps: float, least_ps: float
) -> Line | None:
    """The line near a place at t = 0 and a slope, about so wide, by maximum likelihood; None where it has no length."""
    position, slope = start
    near = np.abs(dt_ps - position - slope * time_s) <= WIDE * width_ps
    time, dt = time_s[near], dt_ps[near]
    sigma, part, centre = max(width_ps, least_ps), 0.5, 0.0
    least = least_ps / 4
    for _ in range(ROUNDS):
        residual = dt - position - slope * (time - centre)
        with np.errstate(under="ignore"):
            peak = part * np.exp(-0.5 * (residual / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
        weight = peak / (peak + (1 - part) / (2 * WIDE * width_ps))
        points = float(weight.sum())
        if points < LEAST_POINTS / 2:
            return None
        mean = float(weight @ time) / points
        position, centre = position + slope * (mean - centre), mean
        arm = time - centre
        residual = dt - position - slope * arm
        spread = float(weight @ arm**2)
        position += float(weight @ residual) / points
        if not spread > 0:
            return None  # all at one time
        slope += float(weight @ (arm * residual)) / spread
        before = sigma
        sigma = max(math.sqrt(float(weight @ (dt - position - slope * arm) ** 2) / points), least)
        part = min(points / len(time), 1 - 1e-6)
        if abs(sigma - before) < 1e-4 * sigma:
            break
    return Line(centre, position, sigma / math.sqrt(points), slope, sigma / math.sqrt(spread), sigma, points)
