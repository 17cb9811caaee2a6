"""The prompt peak of two boards, followed through a run while their clocks drift apart.

It is sought as a line among the first pairs of the run (`lines`), and from there on in one stretch after the other,
around where it is expected (`expectation`). All detectors of the boards are followed together, each two with a position
of their own as soon as they show one.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gammapolars.calibration.timing.expectation import ACCELERATION, Expectation
from gammapolars.calibration.timing.lines import MOST_TRIALS, Band, Line, find_line
from gammapolars.calibration.timing.near_hits import Waiting, by_channels, near, rows_of_pairs
from gammapolars.calibration.timing.search import densest
from gammapolars.core.types import Floats, Integers
from gammapolars.core.units import PS_PER_S

MOST_RATE = 100e6
"""Clocks that differ by more, 100 ppm in ps/s, are not found."""

SEEK_PAIRS = (40, 20_000)
"""The line is sought among so many first pairs at first and in the end, with `MORE_PAIRS` times as many each time."""

MORE_PAIRS = 2

CHANCE = 1e-9
"""Largest probability that the line followed is random."""

CHANCE_AGAIN = 1e-6
"""The same for its next stretch, where it is expected."""

POINTS = (20, 400)
"""True pairs in a stretch, the least and the most."""

STRETCHES = 40
"""A stretch is no longer than the time that has passed divided by this, as long as it has enough pairs."""

MANY = 20_000
"""With this many sampled pairs, stretches follow each other with gaps."""

GAPS = (100, 30.0)
"""A gap and a stretch: the time that has passed divided by the first, no longer than the second, seconds."""

SIGMAS = 4.0

LOST_PS = 10**9
"""A peak that could lie further away than ±1 ms from where it is expected is lost, as after a gap of minutes."""

SAMPLED = 10.0
"""Pairs within this many σ of the line are sampled."""

WIDE_STRETCHES = 64
"""In this many first stretches, detector pairs are searched as far as the peak may lie."""

WIDE_BINS = 20_000

Channels = tuple[int, int]
"""The inputs of the first and the second board."""


class Stretch(NamedTuple):
    """A stretch of the peak: its line, by the time of the first board's hits (s), and the pairs about it.

    `channel` are those of both hits (2, pairs), `time_ps` that of the first board's hit, `dt_ps` the difference; and
    `residual_ps` is that from the line, the detectors' own positions subtracted, in units of `sigma_ps`.
    """

    line: Line
    channel: Integers
    time_ps: Integers
    dt_ps: Integers
    residual_ps: Floats
    sigma_ps: Floats


class Follower:
    """Follows the peak of two boards through the hits of one run, as they come.

    Args:
        boards: the two, the lower first.
        reach_ps: how far from 0 the peak may lie at the first hit.
        trials: how much is tried to find it.

    Attributes:
        stretches: where the peak was found.
        lost_s: the time at which it was lost; None: never.
        last_s: time of the last hits that were looked at.
    """

    def __init__(self, boards: tuple[int, int], reach_ps: int, trials: int = MOST_TRIALS) -> None:
        self.boards = boards
        self.stretches: list[Stretch] = []
        self.lost_s: float | None = None
        self.last_s = 0.0
        self._reach_ps = reach_ps
        self._trials = trials
        self._hits = (Waiting(), Waiting())
        self._wanted = SEEK_PAIRS[0]
        self._start_s: float | None = None
        self._peak: Expectation | None = None
        self._positions: dict[Channels, tuple[float, float]] = {}
        self._residuals: list[tuple[Integers, Integers, Floats]] = []
        self._next_s = 0.0
        self._longer = 1.0
        self._sampled = 0

    def add(self, board: Integers, channel: Integers, time_ps: Integers, *, end: bool = False) -> None:
        """Hits of both boards, and of others, in time order; `end`: there are no more."""
        for own, number in zip(self._hits, self.boards, strict=True):
            rows = np.flatnonzero(board == number)
            own.add(time_ps[rows], channel[rows].astype(np.int64))
        if len(time_ps):
            self.last_s = float(time_ps[-1]) / PS_PER_S
        if self.lost_s is None and all(len(hits.time_ps) for hits in self._hits):
            if self._start_s is None:
                self._start_s = self._next_s = min(float(hits.time_ps[0]) for hits in self._hits) / PS_PER_S
            if self._peak is None:
                self._seek(self._start_s, end=end)
            while self._peak is not None and self.lost_s is None and self._follow(self._peak, end=end):
                pass
        if self.lost_s is not None:
            self._hits = (Waiting(), Waiting())

    # The beginning.

    def _seek(self, start_s: float, *, end: bool) -> None:
        a, b = self._hits
        since = a.time_ps / PS_PER_S - start_s
        reach = self._reach_ps + MOST_RATE * since
        if not end:  # hits of b are all there only up to some hit of a
            complete = int(np.searchsorted(a.time_ps + reach, self.last_s * PS_PER_S))
            since, reach = since[:complete], reach[:complete]
        low, counts = near(a.time_ps[: len(since)], b.time_ps, np.zeros(len(since)), reach)
        total = np.cumsum(counts)
        while self._peak is None:
            last = int(np.searchsorted(total, self._wanted))
            if all_of_them := last >= len(total):
                if not end:
                    return
                last = len(total) - 1
            if last >= 0:
                self._begin(*rows_of_pairs(low[: last + 1], counts[: last + 1]), start_s, float(since[last]))
            if self._peak is None and (all_of_them or self._wanted > SEEK_PAIRS[1]):
                self.lost_s = start_s
                return
            self._wanted *= MORE_PAIRS

    def _begin(self, rows_a: Integers, rows_b: Integers, start_s: float, length_s: float) -> None:
        """Look for the line of all detectors together; those that have pairs on it are taken to be there."""
        a, b = self._hits
        if length_s <= 0:
            return
        dt = (b.time_ps[rows_b] - a.time_ps[rows_a]).astype(np.float64)
        since = a.time_ps[rows_a] / PS_PER_S - start_s
        band = Band(self._reach_ps, MOST_RATE, length_s, self._least_ps())
        line = find_line(since, dt, band, chance=CHANCE, trials=self._trials)
        if line is None:
            return
        on_it = np.flatnonzero(np.abs(dt - line.at(since)) <= SIGMAS * line.sigma_ps)
        for channels, _ in by_channels(a.channel[rows_a[on_it]], b.channel[rows_b[on_it]]):
            self._positions[channels] = (0.0, line.sigma_ps)
        self._peak = Expectation(line._replace(time_s=line.time_s + start_s), line.points / length_s)

    def _least_ps(self) -> float:
        """Lines are no narrower than a step of the clock."""
        times = np.concatenate([hits.time_ps[:1000] for hits in self._hits])
        step = int(np.gcd.reduce(np.diff(times), initial=0)) if len(times) > 20 else 0
        return float(max(100, step))

    # From there on.

    def _follow(self, peak: Expectation, *, end: bool) -> bool:
        """Find the peak in the next stretch; False: more hits are needed, or there are none."""
        begin = self._next_s
        finish = begin + self._length(peak)
        half = SIGMAS * (peak.unc_at(finish)[0] + peak.line.sigma_ps)
        if not half <= LOST_PS or not abs(peak.line.slope) <= 2 * MOST_RATE:
            self.lost_s = peak.line.time_s
            return False
        further = max(abs(position) + sigma for position, sigma in self._positions.values())
        reach = half + max(further, 2 * self._reach_ps if len(self.stretches) < WIDE_STRETCHES else 0)
        if not end and finish + (abs(float(peak.line.at(finish))) + reach) / PS_PER_S > self.last_s:
            return False
        if begin > self.last_s:
            return False
        a, b = self._hits
        a.drop_before(begin * PS_PER_S)
        b.drop_before(begin * PS_PER_S + float(peak.line.at(begin)) - 2 * reach)
        own = a.time_ps[: int(np.searchsorted(a.time_ps, finish * PS_PER_S))]
        pairs = near(own, b.time_ps, peak.line.at(own / PS_PER_S), np.full(len(own), reach))
        stretch = self._stretch(*rows_of_pairs(*pairs), peak, (begin, finish), half)
        if stretch is None:
            self._longer *= 2
            return not (end and finish > self.last_s)
        peak.take(stretch.line, finish - begin)
        self.stretches.append(stretch)
        self._sampled += len(stretch.time_ps)
        self._longer = 1.0
        self._next_s = finish + self._gap(finish - begin)
        return True

    def _length(self, peak: Expectation) -> float:
        """How long the next stretch is, seconds: the peak has enough pairs in it, and moves nearly straight."""
        assert self._start_s is not None
        low, high = (points / peak.per_s for points in POINTS)
        straight = math.sqrt(8 * peak.line.sigma_ps / (3 * ACCELERATION))
        return max(low, min((self._next_s - self._start_s) / STRETCHES, straight, high)) * self._longer

    def _gap(self, length_s: float) -> float:
        """How long to pass over hits: not at all before there are enough pairs."""
        assert self._start_s is not None
        if self._sampled < MANY:
            return 0.0
        return max(0.0, min((self._next_s - self._start_s) / GAPS[0], GAPS[1]) - length_s)

    def _stretch(
        self, rows_a: Integers, rows_b: Integers, peak: Expectation, ends: tuple[float, float], half_ps: float
    ) -> Stretch | None:
        a, b = self._hits
        channel = np.stack([a.channel[rows_a], b.channel[rows_b]])
        time, dt = a.time_ps[rows_a], b.time_ps[rows_b] - a.time_ps[rows_a]
        residual, since = dt - peak.line.at(time / PS_PER_S), time / PS_PER_S - ends[0]
        own, sigma = np.full(len(time), np.inf), np.ones(len(time))
        for channels, rows in by_channels(*channel):
            own[rows], sigma[rows] = self._positions.get(channels, (np.inf, 1.0))
        slope = SIGMAS * peak.unc_at(ends[1])[1]
        with np.errstate(invalid="ignore"):
            known = np.flatnonzero(np.abs(residual - own) <= half_ps + slope * since)
        band = Band(half_ps, slope, ends[1] - ends[0], peak.line.sigma_ps)
        line = find_line(since[known], (residual - own)[known], band, chance=CHANCE_AGAIN)
        if line is None:
            return None
        if len(self.stretches) < WIDE_STRETCHES:
            self._find_positions(channel, residual - line.at(since))
        residual = residual - own - line.at(since)
        rows = np.flatnonzero(np.abs(residual) <= SAMPLED * sigma)
        middle = line.time_s + ends[0]
        line = line._replace(
            time_s=middle,
            position_ps=line.position_ps + float(peak.line.at(middle)),
            slope=line.slope + peak.line.slope,
        )
        return Stretch(line, channel[:, rows], time[rows], dt[rows], residual[rows], sigma[rows])

    def _find_positions(self, channel: Integers, residual: Floats) -> None:
        """Positions of detector pairs relative to the line, from the residuals of all stretches so far."""
        self._residuals.append((channel[0], channel[1], residual))
        number = len(self._residuals)
        if number & (number - 1):  # after 1, 2, 4, … stretches
            return
        channel_a, channel_b, residuals = (np.concatenate(parts) for parts in zip(*self._residuals, strict=True))
        reach = 2.0 * self._reach_ps
        width = max(self._least_ps(), 2 * reach / WIDE_BINS)
        edges = np.arange(-reach, reach + width, width)
        found: dict[Channels, tuple[float, float]] = {}
        shift = counts = 0.0
        for channels, rows in by_channels(channel_a, channel_b):
            peak = densest(np.histogram(residuals[rows], edges)[0])
            if peak.is_clear(len(self._positions)):
                position = float(edges[0]) + peak.centre * width
                near_it = np.abs(residuals[rows] - position) <= peak.bins * width
                found[channels] = _core(residuals[rows][near_it], width)
                if channels in self._positions:
                    shift += peak.excess * (found[channels][0] - self._positions[channels][0])
                    counts += peak.excess
        # In the mean over those that have made the line so far nothing moves: the line goes on as it was.
        shift = shift / counts if counts else 0.0
        self._positions |= {channels: (place - shift, sigma) for channels, (place, sigma) in found.items()}
        if number == WIDE_STRETCHES:
            self._residuals = []


def _core(values: npt.NDArray[np.float64], least: float) -> tuple[float, float]:
    """Median of some values and σ of their core, by quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(middle), max(float(high - low) / 1.35, least / 4)
