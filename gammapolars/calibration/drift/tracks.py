"""A detector's lines followed through the slices of its runs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import shift

from gammapolars.analysis.accumulators.drift import SlicedRun
from gammapolars.calibration.drift.lines import SIGMA_PER_FWHM, Position, TrackedLine, line_position
from gammapolars.calibration.drift.path import LineCounts, gain_path
from gammapolars.core.types import Floats

PRECISION_FWHM = 0.08
"""Slices are joined until the line's position is known to this part of its width."""

PEAK_SHARE = 0.84
"""The part of a Gaussian's counts within 0.6 FWHM of its centre on either side."""

OWN_GAIN, OWN_SHARE = 30.0, 0.1
"""A line has a path of its own if it is clearer on it, by this much and this part of the whole."""

RELATIVE_WIDTHS = tuple(0.0015 * 1.6**step for step in range(10))
"""Widths at 662 keV that are tried where none is known, up to 10 %; with energy they go as its square root."""


class RunLines(NamedTuple):
    """A run with its slices of time, and its counts around a detector's lines, in their order."""

    run: SlicedRun
    lines: tuple[LineCounts, ...]


class LinePosition(NamedTuple):
    """A position found of a line, by its place in the list: at the mean time of the counts, in slices from begin to
    end.
    """

    run: int
    line: int
    time_ps: int
    begin_ps: int
    end_ps: int
    fit: Position


class Tracks(NamedTuple):
    """Results for a detector's lines: positions, failed fits too; the width of each line, the same for all
    slices; for each run and line the gain in each slice, roughly; and for each line whether it goes a way of its own.
    """

    positions: list[LinePosition]
    fwhm_adc: list[float]
    paths: list[list[Floats]]
    own: list[bool]


def follow(lines: Sequence[TrackedLine], runs: Sequence[RunLines], reach: float) -> Tracks:
    """Find a detector's lines in all slices: first roughly and all together, then each by a fit.

    `reach` is the largest relative change of the gain.
    """
    widths = _first_widths(lines, runs, reach)
    paths = [gain_path(one.lines, widths, reach)[0] for one in runs]
    every = [[path] * len(lines) for path in paths]
    own = [False] * len(lines)
    for place, width in enumerate(widths if len(lines) > 1 else ()):
        alone = [
            gain_path([one.lines[place]], [width], reach, around=path)[0] for one, path in zip(runs, paths, strict=True)
        ]
        scores = [
            sum(_score(one.lines[place], path, width) for one, path in zip(runs, ways, strict=True))
            for ways in (alone, paths)
        ]
        if scores[0] - scores[1] > max(OWN_GAIN, OWN_SHARE * scores[0]):
            own[place] = True
            for ways, path in zip(every, alone, strict=True):
                ways[place] = path
    widths = _refine(widths, runs, every)
    return Tracks(_in_all(runs, widths, every, own=[True] * len(lines)), widths, every, own)


def _score(line: LineCounts, path: Floats, fwhm: float) -> float:
    """The significance of a line along a path, as a log-likelihood."""
    peak, background = _around(line, path * line.expected_adc, fwhm)
    excess = peak - background
    return float((np.sign(excess) * 0.5 * excess**2 / (peak + background + 1)).sum())


def _refine(widths: Sequence[float], runs: Sequence[RunLines], paths: Sequence[Sequence[Floats]]) -> list[float]:
    result = list(widths)
    for _ in range(2):
        result = [
            _common_width(place, width, runs, [of_run[place] for of_run in paths]) for place, width in enumerate(result)
        ]
    return result


def follow_again(runs: Sequence[RunLines], tracks: Tracks, courses: Sequence[Sequence[Floats]]) -> Tracks:
    """Fit the lines once more, with slices joined along a course that is known well.

    `courses` has for each run and line the ratio of its position to the expected one in each slice.
    """
    widths = _refine(tracks.fwhm_adc, runs, courses)
    return tracks._replace(positions=_in_all(runs, widths, courses, own=tracks.own), fwhm_adc=widths)


def _in_all(
    runs: Sequence[RunLines], widths: Sequence[float], courses: Sequence[Sequence[Floats]], *, own: Sequence[bool]
) -> list[LinePosition]:
    return [
        position
        for one, paths in zip(runs, courses, strict=True)
        for place, (width, path) in enumerate(zip(widths, paths, strict=True))
        for position in _positions(one, place, width, path, smooth=not own[place])
    ]


def _first_widths(lines: Sequence[TrackedLine], runs: Sequence[RunLines], reach: float) -> list[float]:
    """Widths as they are known; or those with which the lines of the largest run are clearest."""
    resolutions = [line.fwhm_adc for line in lines if line.fwhm_adc is not None]
    if len(resolutions) == len(lines):
        return resolutions
    largest = max(runs, key=lambda one: sum(float(line.counts.sum()) for line in one.lines))
    few = np.linspace(0, len(largest.run.counts), 33).astype(np.intp)[:-1]
    groups = [line.groups(np.unique(few)) for line in largest.lines]
    best, best_widths = -np.inf, [0.0]
    for relative in RELATIVE_WIDTHS:
        widths = [relative * np.sqrt(661.7 * line.energy_kev) / line.kev_per_adc for line in lines]
        if min(widths) < 2:
            continue
        _, score = gain_path(groups, widths, reach)
        if score > best:
            best, best_widths = score, widths
    return best_widths


def _common_width(place: int, width: float, runs: Sequence[RunLines], paths: Sequence[Floats]) -> float:
    """A line's width in the sum of all slices, each moved by the error of its gain."""
    line = runs[0].lines[place]
    total = np.zeros(line.counts.shape[1])
    for one, path in zip(runs, paths, strict=True):
        total += _align(one.lines[place].counts, (path - 1) * line.expected_adc / line.bin_adc)
    first = line.low_adc + 0.5
    fit = line_position(total, first, line.expected_adc, width, bin_adc=line.bin_adc, fit_width=True)
    return fit.fwhm if fit.status == "ok" and 0.4 < fit.fwhm / width < 2.5 else width


def _align(counts: Floats, shift_bins: Floats) -> Floats:
    """The sum of slices, each put back by the shift of its line, in whole bins."""
    total = np.zeros(counts.shape[1])
    moves = np.rint(shift_bins).astype(int)
    for move in np.unique(moves):
        total += shift(counts[moves == move].sum(axis=0), -move, order=0)
    return total


def _positions(one: RunLines, place: int, fwhm: float, path: Floats, *, smooth: bool) -> list[LinePosition]:
    """A line's positions in a run, in slices joined as far as its counts need.

    Before slices are added up, each is put back by the shift of the line since their middle, so that a fast drift
    does not widen the line. `path` is the ratio of its position to the expected one in each slice; it is interpolated
    if it is `smooth`, else its mean is taken.
    """
    line = one.lines[place]
    peak, background = _around(line, path * line.expected_adc, fwhm)
    groups = _groups(peak, background)
    edges = one.run.edges_ps
    middles = (edges[:-1] + edges[1:]) / 2 - edges[0]
    positions = []
    for begin, end in zip(groups, [*groups[1:], len(path)], strict=True):
        weight = peak[begin:end] + 1e-9
        time = float(np.average(middles[begin:end], weights=weight))
        mean = float(np.average(path[begin:end], weights=weight))
        guess = line.expected_adc * (float(np.interp(time, middles, path)) if smooth else mean)
        offsets = (path[begin:end] * line.expected_adc - guess) / line.bin_adc
        # Only whole bins can be moved; their mean error is compensated.
        off = line.bin_adc * float(np.average(offsets - np.rint(offsets), weights=weight))
        counts = _align(line.counts[begin:end], offsets)
        fit = line_position(counts, line.low_adc + 0.5, guess + off, fwhm, bin_adc=line.bin_adc)
        fit = fit._replace(position=fit.position - off)
        times = int(edges[0]) + int(time), int(edges[begin]), int(edges[end])
        positions.append(LinePosition(one.run.run, place, *times, fit))
    return positions


def _around(line: LineCounts, centres: Floats, fwhm: float) -> tuple[Floats, Floats]:
    """For each slice the counts within 0.6 FWHM of the line, and the background's counts there."""
    peak, background, bins, background_bins = line.around(centres, fwhm, by_slice=True)
    return peak, background * bins / background_bins


def _groups(peak: Floats, sides: Floats) -> list[int]:
    """Where groups of slices begin, each with enough counts; the rest joins the last, or has half as many."""
    begins, gross, background, unc = [0], 0.0, 0.0, np.inf
    for place, (counts, under) in enumerate(zip(peak.tolist(), sides.tolist(), strict=True), 1):
        gross += counts
        background += under
        net = gross - background
        unc = SIGMA_PER_FWHM * np.sqrt(gross + background) * np.sqrt(PEAK_SHARE) / net if net > 0 else np.inf
        if unc <= PRECISION_FWHM:
            begins.append(place)
            gross = background = 0.0
    if begins[-1] == len(peak) or (len(begins) > 1 and unc > 1.5 * PRECISION_FWHM):
        begins.pop()
    return begins
