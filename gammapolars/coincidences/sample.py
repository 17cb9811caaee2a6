"""Results from the first hits of a run: the steps of the detectors' clocks, and where all pairs are random."""

import math

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.coincidences.hit_intervals import binned, dead_time
from gammapolars.coincidences.regions import Clock
from gammapolars.coincidences.rule import PairRule
from gammapolars.core.errors import UsageError
from gammapolars.core.types import Key
from gammapolars.core.units import PS_PER_S, Window, format_ps
from gammapolars.core.wording import setting
from gammapolars.streaming.slices import slices
from gammapolars.streaming.time_order import REORDER_PS

AUTO = "auto"

CLOCK_HITS = 100_000
"""This many hits give the steps of the clocks."""

STEP_HITS = 50
"""This many hits of a detector at the least."""

AUTO_HITS = 1_000_000
"""This many hits show where time differences are flat."""

SIDE_BINS = 400
"""Bins of time difference on each side, or more: none is wider than half of the window, so that bunches show."""

WIDEST = 200
"""Times the window: further out, bins would be too many."""

MOST_PAIRS = 20_000_000
"""Reach is not widened further than makes about so many pairs."""

LEAST_REACH_PS = 2_000_000
MOST_REACH_PS = PS_PER_S // 1000

WIDER = 4

LEAST_BINS = 20
STEP = 4
"""A stretch has so many bins at the least, and is tried so many bins apart."""

DIFFERENT = 3.5
"""Standard deviations from which on counts differ from the level."""

LIKELY = 0.99

MOST_RISE = 4.0
"""Rate of random pairs beyond the dead time over that within: 1 / (1 - f), with the share f of hits in true
coincidences. Bunches rise by more."""

Counts = npt.NDArray[np.float64]


def measured(rule: PairRule, hits: pl.LazyFrame, *, auto: bool = False, reorder_ps: int = REORDER_PS) -> PairRule:
    """A rule whose random windows are known, with the steps of the detectors' clocks.

    Args:
        rule: with random windows, unless they are to be found.
        hits: a table of hits, as it will be paired: the first of it are read.
        auto: whether to find random windows.
        reorder_ps: how far back in time a hit may lie.

    Raises:
        UsageError: no random windows can be found.
    """
    names = [name for name in hits.collect_schema() if name in ("board", "channel", "timestamp_ps", "flags", "run")]
    first = hits.select(names).head(AUTO_HITS if auto else CLOCK_HITS).collect()
    if auto:
        random = random_windows(first, rule, reorder_ps=reorder_ps)
    else:
        assert rule.regions
        random = list(rule.regions.random)
    return rule.with_random(random, clocks(first.head(CLOCK_HITS)))


def clocks(hits: pl.DataFrame) -> dict[Key, Clock]:
    """The steps of the detectors' clocks: the largest that all their timestamps are whole multiples of, and a phase.

    Detectors with few hits, whose times may be multiples of more by accident, are left out.
    """
    clocks = {}
    for key, part in hits.group_by("board", "channel"):
        times = part["timestamp_ps"].to_numpy()
        if len(times) >= STEP_HITS and (step := int(np.gcd.reduce(np.diff(times)))):
            clocks[int(key[0]), int(key[1])] = Clock(step, int(times[0]) % step)
    return clocks


def random_windows(hits: pl.DataFrame, rule: PairRule, *, reorder_ps: int = REORDER_PS) -> list[Window]:
    """Where all pairs are random, by the time differences of some hits: on each side of 0 where such a place is.

    A window begins twice as far out as the prompt one at the least, and where time differences are flat; it reaches as
    far out as they stay so, but not beyond the dead time of a detector if there is room within. Further out they may
    rise: while a detector is dead after a true coincidence, it makes no random pair, so that close to the prompt peak
    there are fewer, there as below the peak. They may not fall: delayed
    coincidences would be counted as random. Pairs are counted out to twenty times the prompt window, and where nothing
    is flat, four times as far, and so on.

    Raises:
        UsageError: time differences are flat nowhere.
    """
    half = max(rule.window.reach, 1)
    reach = min(max(20 * half, LEAST_REACH_PS), MOST_REACH_PS)
    most = min(max(WIDEST * half, reach), MOST_REACH_PS)
    if reach < 8 * half:
        raise UsageError(
            f"no random windows can be found for a window of {rule.window}: give one with {_random_window()}"
        )
    dead_ps = _shortest_dead_ps(hits, rule)
    step = math.lcm(*(clock.step_ps for clock in clocks(hits.head(CLOCK_HITS)).values()))
    while True:
        width = max(min(reach // SIDE_BINS, half // 2), 1)
        if step < reach // LEAST_BINS:
            width = -(-width // step) * step  # as many steps in each bin
        edges = np.arange(reach // width + 1) * width - min(step, width) // 2
        sides, within = _sides(hits, rule, edges, reorder_ps), int(np.searchsorted(edges, dead_ps, side="right")) - 1
        least = -(-2 * half // width) + 1
        windows = []
        for sign, counts in sides.items():
            bins = max(least, LEAST_BINS)
            if stretch := flat_stretch(counts, least, bins, within) or flat_stretch(counts, least, bins):
                low, high = (int(edges[place]) for place in stretch)
                windows.append(Window(low, high) if sign > 0 else Window(-high, -low))
        if windows:
            return windows
        total = sum(float(counts.sum()) for counts in sides.values())
        if reach >= most or WIDER * total > MOST_PAIRS:
            raise UsageError(
                f"the time differences are not flat anywhere within {format_ps(reach)}: give random windows "
                f"with {_random_window()}, where all pairs are known to be random"
            )
        reach = min(WIDER * reach, most)


def _random_window() -> str:
    return setting("--random LOW:HIGH", 'random="LOW:HIGH"')


def _sides(hits: pl.DataFrame, rule: PairRule, edges: npt.NDArray[np.int64], reorder_ps: int) -> dict[int, Counts]:
    """Counts by |dt| of pairs with positive and with negative dt; without start and stop, of all."""
    wide = PairRule(int(edges[-1]), reject=rule.reject, start=rule.start, stop=rule.stop)
    sides: dict[int, Counts] = {sign: np.zeros(len(edges) - 1) for sign in ((1, -1) if rule.detectors else (1,))}
    for part in slices(iter([hits]), wide.reach, reorder_ps=reorder_ps):
        for pairs in wide.pairs_in(part):
            dt = pairs["dt_ps"].to_numpy()
            for sign in sides:
                sides[sign] += np.histogram(sign * dt, edges)[0]
    return sides


def _shortest_dead_ps(hits: pl.DataFrame, rule: PairRule) -> float:
    """The shortest dead time of the detectors that the rule pairs."""
    dead = [
        dead_time(binned(np.diff(np.sort(part["timestamp_ps"].to_numpy(), kind="stable"))))
        for key, part in hits.group_by("board", "channel")
        if not rule.detectors or key in rule.detectors
    ]
    return min((one.dead_ps if one.probability > LIKELY else 0.0 for one in dead), default=0.0)


def flat_stretch(counts: Counts, first: int, least: int, limit: int | None = None) -> tuple[int, int] | None:
    """The innermost stretch of bins in which counts are flat, and beyond which they do not fall.

    Args:
        counts: by distance from 0.
        first: where it may begin.
        least: how many bins it must have.
        limit: the bin before which it must end; None: the last may be its own.

    Returns:
        Its first bin, and the one after its last; None if there is none.
    """
    limit = len(counts) if limit is None else min(limit, len(counts))
    for begin in range(first, limit - least + 1, STEP):
        lengths = np.unique(np.geomspace(least, limit - begin, 12).astype(int))
        end = max((begin + int(length) for length in lengths if _is_flat(counts[begin : begin + length])), default=0)
        if end and not _leaves(counts[begin:end], counts[end:]):
            return begin, end
    return None


def _is_flat(counts: Counts) -> bool:
    """Whether halves, quarters and so on of some bins agree with their mean."""
    level = counts.mean()
    for parts in (2, 4, 8, 16):
        size = len(counts) // parts
        if not size:
            break
        summed = counts[: parts * size].reshape(parts, size).sum(axis=1)
        spread = np.sqrt(max(level * size * (1 - 1 / parts), 1.0))
        if (np.abs(summed - level * size) > DIFFERENT * spread).any():
            return False
    return True


def _leaves(counts: Counts, beyond: Counts) -> bool:
    """Whether anything beyond lies below the mean of some bins, or so far above that no dead time explains it."""
    level, bins = counts.mean(), len(counts)
    for parts in (1, 2, 4, 8):
        size = len(beyond) // parts
        if not size:
            break
        summed = beyond[: parts * size].reshape(parts, size).sum(axis=1)
        spread = DIFFERENT * np.sqrt(max(level * size * (1 + size / bins), 1.0))
        if (summed < level * size - spread).any() or (summed > MOST_RISE * level * size + MOST_RISE * spread).any():
            return True
    return False
