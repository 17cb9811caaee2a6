"""Hits that follow each other closely, in a sample of a run: what they tell of dead times and true coincidences."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.coincidences.hit_intervals import binned, dead_time_ps, extendable_log_odds
from gammapolars.core.flags import FLAGS
from gammapolars.core.types import Floats, Integers, Key
from gammapolars.streaming.slices import run_of

BLOCK = 28
"""Blocks are 2^28 ps = 268 us long,"""

EVERY = 16
"""and one of so many is looked at: a power of 2."""

REACH_PS = 2**20
STEP = 13
"""Pairs are counted up to 1 us apart, in steps of 2^13 ps = 8 ns."""

STEPS = REACH_PS >> STEP

MOST_DETECTORS = 100
"""With more, each two of them have too few true coincidences to matter, and together too many tables."""

SIGNIFICANT = 4.0
"""Standard deviations from which on true coincidences are told from random ones."""

ITERATIONS = 20

Rows = tuple[Integers, Integers, Integers]
"""Times (ps), detectors as 2^16 board + channel, and whether a hit is used (1) or rejected (0)."""


@dataclass(frozen=True)
class Correlated:
    """The true coincidences of two detectors a and b in the sample.

    Attributes:
        centre_ps: their dt = t_b - t_a.
        share: the part of all hits of a, and of b, that are in one.
        used_share: the same of used hits.
        share_unc: standard deviations of `used_share`.
    """

    centre_ps: float
    share: tuple[float, float]
    used_share: tuple[float, float]
    share_unc: tuple[float, float]


class CloseHits(Accumulator):
    """Times between successive hits of each detector, and between hits of two, in one of eight blocks of time.

    Rejected hits are there too, since they make detectors dead as others do; fake events are not.

    Args:
        mask: the flags that reject a hit.
    """

    def __init__(self, mask: int = 0) -> None:
        self._mask = mask
        self._open: dict[int, dict[int, list[Rows]]] = {}
        """By run and block: the first and the last one, which hits may still come to."""
        self._hits: dict[Key, Integers] = {}
        """(2,): all, and used ones."""
        self._intervals: dict[Key, Integers] = {}
        self._pairs: dict[tuple[Key, Key], Integers] = {}
        """(3, 2 STEPS + 1) by (lower detector, higher one): all pairs, those with a used, those with b used."""

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        times = hits["timestamp_ps"].to_numpy()
        rows = np.flatnonzero((times >> BLOCK) & (EVERY - 1) == 0)
        if not len(rows):
            return
        times, flags = times[rows], hits["flags"].to_numpy()[rows]
        codes = hits["board"].to_numpy()[rows].astype(np.int64) << 16 | hits["channel"].to_numpy()[rows]
        used = ((flags & self._mask) == 0).astype(np.int64)
        real = np.flatnonzero((flags & FLAGS["fake_event"]) == 0)
        self._add(run_of(hits), (times[real], codes[real], used[real]))

    def _add(self, run: int, rows: Rows) -> None:
        """Count what lies in blocks that are over, and keep the rest."""
        if not len(rows[0]):
            return
        blocks = rows[0] >> BLOCK
        first, last = int(blocks[0]), int(blocks[-1])
        begin, end = int(np.searchsorted(blocks, first + 1)), int(np.searchsorted(blocks, last))
        kept = self._open.setdefault(run, {})
        kept.setdefault(first, []).append(_part(rows, 0, begin))
        if last > first:
            self._count(_part(rows, begin, end))
            kept.setdefault(last, []).append(_part(rows, end, len(blocks)))
        for block in sorted(kept)[1:-1]:
            self._count(_joined(kept.pop(block)))

    def _count(self, rows: Rows) -> None:
        times, codes, used = rows
        if not len(times):
            return
        self._count_pairs(times, codes, used)
        order = np.argsort(codes, kind="stable")
        codes, times, used = codes[order], times[order], used[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        for begin, end in zip(starts, np.append(starts[1:], len(codes)), strict=True):
            key = _key(codes[begin])
            self._intervals[key] = self._intervals.get(key, 0) + binned(np.diff(times[begin:end])).astype(np.int64)
            self._hits[key] = self._hits.get(key, 0) + np.array([end - begin, used[begin:end].sum()])

    def _count_pairs(self, times: Integers, codes: Integers, used: Integers) -> None:
        if len(self._hits) > MOST_DETECTORS:
            return
        found = []
        for apart in range(1, len(times)):
            near = np.flatnonzero(times[apart:] - times[:-apart] <= REACH_PS)
            if not len(near):
                break
            found.append(np.stack([near, near + apart])[:, codes[near] != codes[near + apart]])
        if not found:
            return
        i, j = np.concatenate(found, axis=1)
        swap = codes[i] > codes[j]
        a, b = np.where(swap, j, i), np.where(swap, i, j)
        step = ((times[b] - times[a] + (1 << STEP - 1)) >> STEP) + STEPS
        ends = codes[a] << 32 | codes[b]
        for pair in np.unique(ends):
            rows = np.flatnonzero(ends == pair)
            counts = [
                np.bincount(step[rows], weights, 2 * STEPS + 1) for weights in (None, used[a[rows]], used[b[rows]])
            ]
            key = _key(pair >> 32), _key(pair & 0xFFFFFFFF)
            self._pairs[key] = self._pairs.get(key, 0) + np.array(counts).astype(np.int64)

    def state(self) -> State:
        return {
            "open": {
                run: {block: np.stack(_joined(parts)) for block, parts in blocks.items()}
                for run, blocks in self._open.items()
            },
            "hits": dict(self._hits),
            "intervals": dict(self._intervals),
            "pairs": dict(self._pairs),
        }

    def merge(self, state: State) -> None:
        for name, mine in (("hits", self._hits), ("intervals", self._intervals), ("pairs", self._pairs)):
            for key, counts in state[name].items():
                mine[key] = mine.get(key, 0) + counts
        for run, blocks in state["open"].items():
            for _, rows in sorted(blocks.items()):
                self._add(run, tuple(rows))

    def whole(self) -> "CloseHits":
        """The same with all blocks counted, when no more hits come."""
        whole = CloseHits(self._mask)
        whole.merge({**self.state(), "open": {}})
        for blocks in self._open.values():
            for _, parts in sorted(blocks.items()):
                whole._count(_joined(parts))
        return whole

    def all_of_used(self, key: Key) -> float:
        """How many hits of a detector there are for each used one."""
        hits, used = self._hits.get(key, (1, 1))
        return float(hits / used) if used else 1.0

    def extendable(self, a: Key, b: Key, rates_cps: tuple[float, float]) -> float:
        """How probable it is, before which nothing is known, that the dead times of two detectors are prolonged."""
        odds = sum(
            extendable_log_odds(self._intervals[key].astype(np.float64), rate)
            for key, rate in zip((a, b), rates_cps, strict=True)
        )
        return 1 / (1 + math.exp(-max(min(odds, 50.0), -50.0)))

    def dead_ps(self) -> dict[Key, float]:
        """The dead time of each detector."""
        return {key: dead_time_ps(counts.astype(np.float64)) for key, counts in self._intervals.items()}

    def correlated(self, a: Key, b: Key, rates_cps: tuple[float, float], within_ps: float) -> Correlated | None:
        """The true coincidences of two detectors, a the lower one; None where there are none to be seen.

        They are the pairs within a time of the most frequent time difference that random ones are not, which lie there
        with m_a m_b (1 - f) each side. For that, hits of both detectors must be dead for as long.

        Args:
            a: the lower detector.
            b: the higher one.
            rates_cps: counts/s of all hits of a and b while both were recorded.
            within_ps: the shorter dead time.
        """
        if (a, b) not in self._pairs or len(self._hits) > MOST_DETECTORS:
            return None
        counts = self._pairs[a, b].astype(np.float64)
        smooth = np.convolve(counts[0], np.ones(3), "same")
        centre = int(smooth.argmax())
        reach = max(int(min(within_ps, REACH_PS) / (1 << STEP)), 1)
        window = slice(max(centre - reach, 0), centre + reach + 1)
        pairs = counts[:, window].sum(axis=1)
        side_s = (pairs.size and counts[0, window].size) * (1 << STEP) * 1e-12 / 2
        hits, used = (np.array([self._hits[key][kind] for key in (a, b)], np.float64) for kind in (0, 1))
        random = hits[0] * rates_cps[1] * side_s  # on each side
        share = np.zeros(2)
        for _ in range(ITERATIONS):
            true = max(pairs[0] - random * (2 - share.sum()), 0.0)
            share = np.minimum(true / hits, 1.0)
        if pairs[0] - true > 0 and true < SIGNIFICANT * np.sqrt(pairs[0]):
            return None
        part = true / pairs[0]
        used_share = np.minimum(part * pairs[1:] / np.maximum(used, 1.0), 1.0)
        unc = np.sqrt(pairs[0] + used_share**2 * hits) / np.maximum(used, 1.0)
        centre_ps = float((centre - STEPS) * (1 << STEP))
        return Correlated(centre_ps, _two(share), _two(used_share), _two(unc))


def _two(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _key(code: np.int64) -> Key:
    return int(code) >> 16, int(code) & 0xFFFF


def _part(rows: Rows, begin: int, end: int) -> Rows:
    times, codes, used = rows
    return times[begin:end], codes[begin:end], used[begin:end]


def _joined(parts: list[Rows]) -> Rows:
    times, codes, used = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return times, codes, used
