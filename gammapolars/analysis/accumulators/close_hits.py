"""Hits that follow each other closely, in a sample of a run: dead times and true coincidences from them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.analysis.accumulators.hits import detector_codes
from gammapolars.coincidences.hit_intervals import DeadTime, binned, dead_time, extendable_log_odds
from gammapolars.core.flags import FLAGS
from gammapolars.core.types import Floats, Integers, Key
from gammapolars.core.units import PS_PER_S
from gammapolars.spectra.tallies import Tally
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
"""Standard deviations from which true coincidences are distinguished from random ones."""

ITERATIONS = 20

MOST_NEIGHBOURS = 64
"""No more hits after each are looked at: more lie within 1 us only where a clock does not advance."""

AT_ONCE = 200_000
"""This many hits are counted together, since there may be many detectors."""

COLUMNS = ("timestamp_ps", "board", "channel", "flags")

PAIRS = ("pairs", "a", "b")

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
    """Times between successive hits of each detector, and between hits of two, in one of 16 blocks of time.

    Rejected hits are there too, since they make detectors dead as others do; fake events are not.

    Args:
        mask: the flags that reject a hit.
    """

    sees_removed = True

    def __init__(self, mask: int = 0) -> None:
        self._mask = mask
        self._open: dict[int, dict[int, list[Rows]]] = {}
        """By run and block: the first and the last one, which hits may still come to."""
        self._over: list[Rows] = []
        """Blocks of one run that are over, and not counted yet: many are counted at once."""
        self._run = 1
        self._hits: dict[Key, Integers] = {}
        """(2,): all, and used ones."""
        self._intervals: dict[Key, Integers] = {}
        self._pairs = Tally("pair", "step", sums=dict.fromkeys(PAIRS, pl.Int64()))

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if hits.is_empty():
            return
        chosen = hits["timestamp_ps"] & ((EVERY - 1) << BLOCK) == 0
        times, board, channel, flags = (hits[name].filter(chosen).to_numpy() for name in COLUMNS)
        codes = board.astype(np.int64) << 16 | channel
        used = ((flags & self._mask) == 0).astype(np.int64)
        real = np.flatnonzero((flags & FLAGS["fake_event"]) == 0)
        self._add(run_of(hits), (times[real], codes[real], used[real]))

    def _add(self, run: int, rows: Rows) -> None:
        """Count the hits in blocks that are over, and keep the rest."""
        if not len(rows[0]):
            return
        blocks = rows[0] >> BLOCK
        first, last = int(blocks[0]), int(blocks[-1])
        begin, end = int(np.searchsorted(blocks, first + 1)), int(np.searchsorted(blocks, last))
        kept = self._open.setdefault(run, {})
        kept.setdefault(first, []).append(_part(rows, 0, begin))
        if last > first:
            self._later(run, _part(rows, begin, end))
            kept.setdefault(last, []).append(_part(rows, end, len(blocks)))
        for block in sorted(kept)[1:-1]:
            self._later(run, _joined(kept.pop(block)))

    def _later(self, run: int, rows: Rows) -> None:
        if run != self._run:
            self._count()
            self._run = run
        self._over.append(rows)
        if sum(len(times) for times, _, _ in self._over) >= AT_ONCE:
            self._count()

    def _count(self) -> None:
        """Count the blocks that are over: they are further apart than anything that is counted."""
        if not self._over:
            return
        times, codes, used = _joined(self._over)
        self._over = []
        if (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            times, codes, used = times[order], codes[order], used[order]
        if len(self._hits) <= MOST_DETECTORS:
            self._count_pairs(times, codes, used)
        order = np.argsort(detector_codes((codes >> 16).astype(np.uint16), codes.astype(np.uint16)), kind="stable")
        codes, times, used = codes[order], times[order], used[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        for begin, end in pairwise([*starts.tolist(), len(codes)]):
            key = _key(codes[begin])
            self._intervals[key] = self._intervals.get(key, 0) + binned(np.diff(times[begin:end])).astype(np.int64)
            self._hits[key] = self._hits.get(key, 0) + np.array([end - begin, used[begin:end].sum()])

    def _count_pairs(self, times: Integers, codes: Integers, used: Integers) -> None:
        found = []
        for apart in range(1, min(len(times), MOST_NEIGHBOURS)):
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
        pair = codes[a].astype(np.uint64) << np.uint64(32) | codes[b].astype(np.uint64)
        table = pl.DataFrame({"pair": pair, "step": step, "pairs": np.ones_like(step), "a": used[a], "b": used[b]})
        self._pairs.add(table.group_by("pair", "step").agg(pl.col(PAIRS).sum()))

    def state(self) -> State:
        self._count()
        return {
            "open": {
                run: {block: np.stack(_joined(parts)) for block, parts in blocks.items()}
                for run, blocks in self._open.items()
            },
            "hits": dict(self._hits),
            "intervals": dict(self._intervals),
            "pairs": self._pairs.state(),
        }

    def merge(self, state: State) -> None:
        self._count()
        for name, mine in (("hits", self._hits), ("intervals", self._intervals)):
            for key, counts in state[name].items():
                mine[key] = mine.get(key, 0) + counts
        self._pairs.merge(state["pairs"])
        for run, blocks in state["open"].items():
            for _, rows in sorted(blocks.items()):
                self._add(run, tuple(rows))

    def whole(self) -> "CloseSample":
        """The result, when no more hits come."""
        whole = CloseHits(self._mask)
        whole.merge({**self.state(), "open": {}})
        for run, blocks in self._open.items():
            for _, parts in sorted(blocks.items()):
                whole._later(run, _joined(parts))
        whole._count()
        return CloseSample(whole._hits, whole._intervals, whole._pairs.total())


class CloseSample:
    """The properties of detectors that follow from closely spaced hits.

    Args:
        hits: by detector, (2,): all, and used ones.
        intervals: by detector, times between successive hits in the bins of `SCALE`.
        pairs: by `pair` of detectors, the lower one first, and `step` of their time difference: how many `pairs`, with
            how many used hits of `a` and of `b` in them.
    """

    def __init__(self, hits: dict[Key, Integers], intervals: dict[Key, Integers], pairs: pl.DataFrame) -> None:
        self.hits, self.intervals, self.pairs = hits, intervals, pairs
        self._of_pair = pairs.partition_by("pair", as_dict=True) if pairs.height else {}

    def _counts(self, a: Key, b: Key) -> Floats | None:
        """(3, 2 STEPS + 1): all pairs of two detectors, those with a used, and those with b used."""
        found = self._of_pair.get(((a[0] << 16 | a[1]) << 32 | b[0] << 16 | b[1],))
        if found is None or len(self.hits) > MOST_DETECTORS:
            return None
        counts = np.zeros((len(PAIRS), 2 * STEPS + 1))
        counts[:, found["step"].to_numpy()] = found.select(PAIRS).to_numpy().T
        return counts

    def all_of_used(self, key: Key) -> float:
        """How many hits of a detector there are for each used one."""
        hits, used = self.hits.get(key, (1, 1))
        return float(hits / used) if used else 1.0

    def extendable_log_odds(self, key: Key, rate_cps: float) -> float:
        """Whether the dead time of a detector, with all of its hits, is prolonged: ln of the likelihood ratio."""
        return extendable_log_odds(self.intervals[key].astype(np.float64), rate_cps) if key in self.intervals else 0.0

    def dead_times(self) -> dict[Key, DeadTime]:
        """The dead time of each detector."""
        return {key: dead_time(counts.astype(np.float64)) for key, counts in self.intervals.items()}

    def correlated(
        self,
        a: Key,
        b: Key,
        rates_cps: tuple[float, float],
        within_ps: float,
        parts: tuple[float, float] = (1.0, 1.0),
    ) -> Correlated | None:
        """The true coincidences of two detectors, a the lower one; None where there are none to be seen.

        They are the pairs within a time of the most frequent time difference that random ones are not, which lie there
        with m_a m_b (1 - f) each side. For that, hits of both detectors must be dead for as long.

        Args:
            a: the lower detector.
            b: the higher one.
            rates_cps: counts/s of all hits of a and b, with the product that random coincidences have while both were
                recorded: where rates change, it is larger than that of their means.
            within_ps: the shorter dead time.
            parts: of the hits of a, and of b, that were recorded while the other detector was too.
        """
        counts = self._counts(a, b)
        if counts is None:
            return None
        smooth = np.convolve(counts[0], np.ones(3), "same")
        centre = int(smooth.argmax())
        reach = max(int(min(within_ps, REACH_PS) / (1 << STEP)), 1)
        window = slice(max(centre - reach, 0), centre + reach + 1)
        pairs = counts[:, window].sum(axis=1)
        side_s = counts[0, window].size * (1 << STEP) / PS_PER_S / 2
        hits, used = (np.array([self.hits[key][kind] for key in (a, b)], np.float64) for kind in (0, 1))
        hits, used = hits * np.array(parts), used * np.array(parts)
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
