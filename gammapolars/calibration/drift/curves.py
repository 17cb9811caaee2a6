"""From the positions of a detector's lines to the course of its gain."""

import math
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from gammapolars.analysis.accumulators.drift import SlicedRun
from gammapolars.calibration.drift.lines import TrackedLine
from gammapolars.calibration.drift.smooth import smooth
from gammapolars.calibration.drift.tracks import LinePosition, Tracks
from gammapolars.core.types import Floats

Reference = Literal["calibration", "mean"]

MOST_KNOTS = 257
PS_PER_US = 1e6

BLOCKS = 8
"""Lines are compared in this many stretches of the runs."""

CHANCE = 1e-4
"""Lines disagree where they would do so at random less often than this,"""

LEAST_DISAGREEMENT = 1e-4
"""and by more than this part of their energy."""


class Curve(NamedTuple):
    """The course of a detector's gain in one run, relative to the reference (1 / gain is the factor on adc), at knots;
    its standard deviation there; and the times of steps.
    """

    run: int
    time_ps: npt.NDArray[np.int64]
    gain: Floats
    unc: Floats
    steps_ps: tuple[int, ...]


class Curves(NamedTuple):
    """The course of a detector's gain in each run in which a line was found, and how well its lines agree with it.

    For each line there is the offset, ln(position / expected) at gain 1 (NaN for a line that was never found), and the
    largest mean of its residuals in a stretch of time, if it is significant; for each position the residual,
    ln(position / expected) less offset and course, NaN where the fit failed.
    """

    curves: dict[int, Curve]
    offsets: Floats
    residuals: Floats
    disagreement: list[float | None]


def gain_curves(
    lines: Sequence[TrackedLine], tracks: Tracks, runs: Sequence[SlicedRun], reference: Reference
) -> Curves:
    """Smooth the positions of all lines together, run by run.

    A gain moves all lines by the same factor. The distance of each line from its expected place at gain 1 is found
    from all runs; the lines' own deviations cancel, and never look like a drift where one line has more counts than
    another.

    By the reference `calibration` lines are at gain 1, in the weighted mean, where the calibration expects them; by
    `mean` the gain's mean over the time of all runs is 1.
    """
    is_good = np.array([one.fit.status == "ok" for one in tracks.positions], bool)
    positions = [one for one in tracks.positions if one.fit.status == "ok"]
    run = np.array([one.run for one in positions], int)
    line = np.array([one.line for one in positions], int)
    time = np.array([one.time_ps for one in positions], np.int64)
    log = np.array([math.log(max(one.fit.position, 1e-9) / lines[one.line].expected_adc) for one in positions])
    unc = np.array([one.fit.unc / max(one.fit.position, 1e-9) for one in positions])
    rough = _rough(positions, tracks, runs)
    offsets = _offsets(log - rough, unc, line, len(lines))
    curves: dict[int, Curve] = {}
    residuals = np.empty(len(positions))
    for _ in range(3 if np.isfinite(offsets).sum() > 1 else 1):
        for one in runs:
            own = np.flatnonzero(run == one.run)
            if len(own):
                own = own[np.argsort(time[own], kind="stable")]
                curves[one.run] = _course(one, time[own], log[own] - offsets[line[own]], unc[own])
                residuals[own] = log[own] - offsets[line[own]] - np.log(gain_at(curves[one.run], time[own]))
        shifts = _offsets(residuals, unc, line, len(lines))
        if not np.isfinite(shifts).any() or np.nanmax(np.abs(shifts)) < 1e-7:
            break
        offsets = offsets + shifts
        residuals = residuals - shifts[line]
    disagreement = [
        _disagreement(residuals[line == place], unc[line == place]) if (line == place).any() else None
        for place in range(len(lines))
    ]
    if curves:
        shift = _mean_offset(offsets, unc, line) if reference == "calibration" else -_mean_log(curves.values())
        offsets = offsets - shift
        scale = math.exp(shift)
        curves = {place: one._replace(gain=one.gain * scale, unc=one.unc * scale) for place, one in curves.items()}
    all_residuals = np.full(len(is_good), np.nan)
    all_residuals[is_good] = residuals
    several = np.isfinite(offsets).sum() > 1
    return Curves(curves, offsets, all_residuals, disagreement if several else [None] * len(lines))


def courses(tracks: Tracks, curves: Curves, runs: Sequence[SlicedRun]) -> list[list[Floats]]:
    """For each run and line the ratio of its position to the expected one in each slice, as the smooth gain has it."""
    result = []
    for one, paths in zip(runs, tracks.paths, strict=True):
        middles = (one.edges_ps[:-1] + one.edges_ps[1:]) // 2
        gain = gain_at(curves.curves.get(one.run), middles)
        result.append(
            [
                path if own or one.run not in curves.curves else gain * math.exp(np.nan_to_num(offset))
                for path, own, offset in zip(paths, tracks.own, curves.offsets, strict=True)
            ]
        )
    return result


def gain_at(curve: Curve | None, time_ps: npt.NDArray[np.int64]) -> Floats:
    """The gain at times; 1 where none was found."""
    if curve is None:
        return np.ones(len(time_ps))
    knots, times = ((time - curve.time_ps[0]).astype(np.float64) for time in (curve.time_ps, time_ps))
    return np.asarray(np.interp(times, knots, curve.gain))


def _rough(positions: Sequence[LinePosition], tracks: Tracks, runs: Sequence[SlicedRun]) -> Floats:
    """The logarithm of the rough gain at each position."""
    by_run = {one.run: (one, paths) for one, paths in zip(runs, tracks.paths, strict=True)}
    logs = []
    for position in positions:
        one, paths = by_run[position.run]
        place = (position.time_ps - one.first_ps) // one.width_ps
        logs.append(math.log(paths[position.line].take(place, mode="clip")))
    return np.array(logs)


def _offsets(values: Floats, unc: Floats, line: npt.NDArray[np.int_], lines: int) -> Floats:
    """The weighted mean for each line; NaN where there is none."""
    offsets = np.full(lines, np.nan)
    for place in np.unique(line):
        own = line == place
        offsets[place] = np.average(values[own], weights=unc[own] ** -2.0)
    return offsets


def _mean_offset(offsets: Floats, unc: Floats, line: npt.NDArray[np.int_]) -> float:
    """The mean of the lines' offsets, by how well the positions are known."""
    weights = np.array([(unc[line == place] ** -2.0).sum() for place in range(len(offsets))])
    finite = np.isfinite(offsets)
    return float(np.average(offsets[finite], weights=weights[finite]))


def _mean_log(curves: Collection[Curve]) -> float:
    """The mean over time of the logarithm of the gain."""
    sums = [(float(np.trapezoid(np.log(one.gain), one.time_ps)), float(np.ptp(one.time_ps))) for one in curves]
    whole = sum(span for _, span in sums)
    if whole == 0:
        return float(np.mean([np.log(one.gain[0]) for one in curves]))
    return sum(part for part, _ in sums) / whole


def _course(run: SlicedRun, time: npt.NDArray[np.int64], log: Floats, unc: Floats) -> Curve:
    """One run's gain, smoothed; with a single position, one knot."""
    if len(time) == 1:
        return Curve(run.run, time, np.exp(log), np.exp(log) * unc, ())
    since = (time - run.first_ps) / PS_PER_US
    last = max((run.last_ps - run.first_ps) / PS_PER_US, float(since[-1]))
    at = np.linspace(0.0, last, min(MOST_KNOTS, 8 * len(time) + 1))
    course = smooth(since, log, unc, at)
    times = run.first_ps + np.rint(course.time * PS_PER_US).astype(np.int64)
    gain = np.exp(course.level)
    steps = tuple(run.first_ps + round(step * PS_PER_US) for step in course.steps)
    return Curve(run.run, times, gain, gain * course.unc, steps)


def _disagreement(residuals: Floats, unc: Floats) -> float | None:
    """The largest mean residual of a stretch of one line's positions, where their means scatter more than at random."""
    blocks = [block for block in np.array_split(np.arange(len(residuals)), min(BLOCKS, len(residuals))) if len(block)]
    means = np.array([np.average(residuals[block], weights=unc[block] ** -2.0) for block in blocks])
    variances = np.array([1 / (unc[block] ** -2.0).sum() for block in blocks])
    largest = float(np.abs(means).max())
    unlikely = chi2.sf(float((means**2 / variances).sum()), len(blocks)) < CHANCE
    return largest if unlikely and largest > LEAST_DISAGREEMENT else None
