"""What the first hits of a run tell: the steps of the detectors' clocks, and where only chance makes pairs."""

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.coincidences.regions import Clock
from gammapolars.coincidences.rule import Key, PairRule
from gammapolars.errors import UsageError
from gammapolars.streaming import slices
from gammapolars.time_order import REORDER_PS
from gammapolars.units import PS_PER_S, Window, format_ps

AUTO = "auto"

CLOCK_HITS = 100_000
"""So many hits tell the steps of the clocks."""

STEP_HITS = 50
"""So many hits of a detector at the least."""

AUTO_HITS = 1_000_000
"""So many hits tell where time differences are flat."""

SIDE_BINS = 400
"""Bins of time difference on each side."""

MOST_PAIRS = 20_000_000
"""Reach is not widened further than makes about so many pairs."""

LEAST_REACH_PS = 2_000_000
MOST_REACH_PS = PS_PER_S // 1000

WIDER = 4

DIFFERENT = 3.5
"""Standard deviations from which on counts differ from the level."""

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
    found = {}
    for key, part in hits.group_by("board", "channel"):
        times = part["timestamp_ps"].to_numpy()
        if len(times) >= STEP_HITS and (step := int(np.gcd.reduce(np.diff(times)))):
            found[int(key[0]), int(key[1])] = Clock(step, int(times[0]) % step)
    return found


def random_windows(hits: pl.DataFrame, rule: PairRule, *, reorder_ps: int = REORDER_PS) -> list[Window]:
    """Where the time differences of some hits are flat: windows as wide as that, on each side where it is.

    Pairs are counted out to twenty times the window. The level is what the outer quarter holds; the random window
    begins where all that lies between it and there agrees with that level, twice as far out as the window at the least.
    If the outer quarter is not flat itself, the search goes on four times as far out.

    Raises:
        UsageError: time differences are flat nowhere, or there are no hits.
    """
    reach = min(max(20 * rule.window.reach, LEAST_REACH_PS), MOST_REACH_PS)
    if reach < 4 * rule.window.reach:
        raise UsageError(f"random windows are not found for a window of {rule.window}: name one with --random LOW:HIGH")
    while True:
        sides = _sides(hits, rule, reach, reorder_ps)
        width = reach // SIDE_BINS
        begin = {sign: _flat_from(counts, -(-2 * rule.window.reach // width)) for sign, counts in sides.items()}
        found = [
            Window(place * width, reach) if sign > 0 else Window(-reach, -place * width)
            for sign, place in begin.items()
            if place is not None
        ]
        if found:
            return found
        total = sum(float(counts.sum()) for counts in sides.values())
        if reach >= MOST_REACH_PS or WIDER * total > MOST_PAIRS:
            raise UsageError(
                f"time differences are flat nowhere within {format_ps(reach)}: name random windows with "
                "--random LOW:HIGH, where you know that only chance makes pairs"
            )
        reach = min(WIDER * reach, MOST_REACH_PS)


def _sides(hits: pl.DataFrame, rule: PairRule, reach: int, reorder_ps: int) -> dict[int, Counts]:
    """Counts by |dt| of pairs with positive and with negative dt; without start and stop, of all."""
    detectors = rule.detectors
    start, stop = detectors or (None, None)
    wide = PairRule(reach, reject=",".join(rule.reject) or "none", start=start, stop=stop)
    edges = np.arange(SIDE_BINS + 1) * (reach // SIDE_BINS)
    sides: dict[int, Counts] = {sign: np.zeros(SIDE_BINS) for sign in ((1, -1) if detectors else (1,))}
    for part in slices(iter([hits]), wide.reach, reorder_ps=reorder_ps):
        for pairs in wide.pairs_in(part):
            dt = pairs["dt_ps"].to_numpy()
            for sign in sides:
                sides[sign] += np.histogram(sign * dt, edges)[0]
    return sides


def _flat_from(counts: Counts, least: int) -> int | None:
    """From which bin on counts agree with those of the outer quarter; None if not even these agree with each other."""
    outer = len(counts) // 4
    last, before = counts[-outer:], counts[-2 * outer : -outer]
    if abs(last.sum() - before.sum()) > DIFFERENT * np.sqrt(max(last.sum() + before.sum(), 1.0)):
        return None
    level = (last.sum() + before.sum()) / (2 * outer)
    inner = len(counts) - 2 * outer
    summed = np.concatenate([[0.0], np.cumsum(counts)])
    for first in range(least, inner):
        ends = np.unique(np.minimum(first + 2 ** np.arange(12), inner))
        bins = ends - first
        excess = summed[ends] - summed[first] - level * bins
        unc = np.sqrt(np.maximum(level * bins * (1 + bins / (2 * outer)), 1.0))
        if (np.abs(excess) <= DIFFERENT * unc).all():
            return first
    return inner
