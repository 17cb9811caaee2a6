"""When each detector recorded: its hits over time, and the longest times between them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.analysis.accumulators.hits import FewDetectors, detector_codes
from gammapolars.analysis.accumulators.intervals import Gaps
from gammapolars.core.flags import FLAGS, has_any
from gammapolars.core.types import Floats, Integers, Key
from gammapolars.core.units import PS_PER_S
from gammapolars.streaming.slices import run_of

LONGEST = 1000
"""This many of the longest times between hits are kept of each detector of a run."""

BINS = 1024
"""No more bins of time than this in a run."""

FINEST = 20
"""Bins are 2^20 ps = 1 us wide or more."""

UNLIKELY = 1e-9
"""A time between hits is a gap where one as long occurs at random less often than once in this many runs."""

NEAR_HITS = 30
NEAR_BINS = (4, 16, 64, 256, BINS)
"""The rate next to a gap is that of the fewest bins with enough hits, and of at least so many."""

LEAST_HITS = 5
"""With fewer hits next to it, nothing is known of the rate there."""


@dataclass
class _Timeline:
    """Used hits of one run by detector and time; bins are 2^shift ps wide and begin at whole multiples of that."""

    first_ps: int
    last_ps: int
    shift: int = FINEST
    first_bin: int = 0
    counts: dict[Key, Integers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first_bin = self.first_ps >> self.shift
        self.reach(self.first_ps, self.last_ps)

    def reach(self, first_ps: int, last_ps: int, shift: int = FINEST) -> None:
        """Let bins hold these times too, and be as wide as some others at the least."""
        first, last = min(first_ps, self.first_ps), max(last_ps, self.last_ps)
        while (last >> shift) - (first >> shift) >= BINS:
            shift += 1
        shift = max(shift, self.shift)
        coarser, first_bin = shift - self.shift, first >> shift
        if coarser or first_bin != self.first_bin:
            for key, counts in self.counts.items():
                wider = np.zeros(BINS, np.int64)
                filled = np.flatnonzero(counts)
                np.add.at(wider, ((filled + self.first_bin) >> coarser) - first_bin, counts[filled])
                self.counts[key] = wider
        self.first_ps, self.last_ps, self.shift, self.first_bin = first, last, shift, first_bin

    def add(self, key: Key, times_ps: Integers, weight: int = 1) -> None:
        """Take some times of one detector, in order; or take them away again, with the weight -1."""
        if not len(times_ps):
            return
        bins = np.arange(int(times_ps[0]) >> self.shift, (int(times_ps[-1]) >> self.shift) + 1)
        rows = np.append(np.searchsorted(times_ps, bins << self.shift), len(times_ps))
        self.add_counts(key, bins, weight * np.diff(rows))

    def add_counts(self, key: Key, bins: Integers, counts: Integers) -> None:
        """Take counts in some bins."""
        self.counts.setdefault(key, np.zeros(BINS, np.int64))[bins - self.first_bin] += counts

    def edges_ps(self) -> Floats:
        """The edges of all bins, ps after the first hit, which begin and end with the run's hits."""
        last_bin = self.last_ps >> self.shift
        edges = (np.arange(self.first_bin, last_bin + 2) << self.shift) - self.first_ps
        return np.asarray(np.clip(edges, 0, self.last_ps - self.first_ps), np.float64)


class RecordedTime(Accumulator):
    """When each detector of each run recorded: how many hits it has over time, and where it has none.

    Rejected hits count for the gaps, since they show that a detector was recorded, and not for the rates; fake events
    count for neither.

    Args:
        mask: the flags that reject a hit.
    """

    sees_removed = True

    def __init__(self, mask: int = 0) -> None:
        self._mask = mask
        self._few = FewDetectors()
        self._gaps: Gaps[tuple[int, Key]] = Gaps()
        self._hits: dict[tuple[int, Key], int] = {}
        self._longest: dict[tuple[int, Key], tuple[Integers, int]] = {}
        """(n, 2): the longest times between hits, and when they end, ps; and the least that is long enough."""
        self._timelines: dict[int, _Timeline] = {}

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        flags = int(np.bitwise_or.reduce(hits["flags"].to_numpy())) if "flags" in hits.columns and hits.height else 0
        if flags & FLAGS["fake_event"]:
            hits = hits.filter(~has_any(FLAGS["fake_event"]))
        if hits.is_empty():
            return
        run, times = run_of(hits), hits["timestamp_ps"]
        timeline = self._timeline(run, times[0], times[-1])
        rejected = hits["flags"] & self._mask != 0 if flags & self._mask else None
        for key, of_key in self._times(hits):
            self._add_intervals((run, key), of_key)
            timeline.add(key, of_key)
        for key, of_key in self._times(_part(hits, rejected)) if rejected is not None else ():
            timeline.add(key, of_key, -1)

    def _times(self, hits: pl.DataFrame) -> Iterator[tuple[Key, Integers]]:
        """The times of each detector's hits, in order."""
        times = hits["timestamp_ps"]
        if (masks := self._few.masks(hits)) is None:
            yield from self._grouped(hits, times.to_numpy())
            return
        for key, mask in masks.items():
            if len(of_key := times.filter(mask)):
                yield key, of_key.to_numpy()

    @staticmethod
    def _grouped(hits: pl.DataFrame, times: Integers) -> Iterator[tuple[Key, Integers]]:
        board, channel = hits["board"].to_numpy(), hits["channel"].to_numpy()
        codes = detector_codes(board, channel)
        order = np.argsort(codes, kind="stable")
        ends = [0, *(np.flatnonzero(np.diff(codes[order])) + 1).tolist(), len(codes)]
        for begin, end in pairwise(ends):
            if begin < end:
                rows = order[begin:end]
                yield (int(board[rows[0]]), int(channel[rows[0]])), times[rows]

    def _timeline(self, run: int, first_ps: int, last_ps: int, shift: int = FINEST) -> _Timeline:
        timeline = self._timelines.setdefault(run, _Timeline(first_ps, last_ps))
        timeline.reach(first_ps, last_ps, shift)
        return timeline

    def _add_intervals(self, kind: tuple[int, Key], times_ps: Integers) -> None:
        intervals = self._gaps.before(kind, times_ps)
        self._hits[kind] = self._hits.get(kind, 0) + len(times_ps)
        self._add_longest(kind, intervals, times_ps[len(times_ps) - len(intervals) :])

    def _add_longest(self, kind: tuple[int, Key], intervals_ps: Integers, ends_ps: Integers) -> None:
        known, least_ps = self._longest.get(kind, (np.empty((0, 2), np.int64), 0))
        longer = np.flatnonzero(intervals_ps >= least_ps)
        if not len(longer):
            return
        every = np.concatenate([known, np.stack([intervals_ps[longer], ends_ps[longer]], axis=1)])
        if len(every) > 4 * LONGEST:  # not each time: sorting takes long
            every = every[every[:, 0] >= np.partition(every[:, 0], -LONGEST)[-LONGEST]]
            every = _sorted(every)[:LONGEST]
            least_ps = int(every[-1, 0])
        self._longest[kind] = every, least_ps

    def _longest_of(self, kind: tuple[int, Key]) -> Integers:
        """(n, 2): the longest times between hits, and when they end, the longest first."""
        return _sorted(self._longest[kind][0])[:LONGEST] if kind in self._longest else np.empty((0, 2), np.int64)

    def state(self) -> State:
        return {
            "spans": self._gaps.state(),
            "hits": dict(self._hits),
            "longest": {
                kind: pl.DataFrame(self._longest_of(kind), ["interval_ps", "end_ps"]) for kind in self._longest
            },
            "timelines": {run: _state(timeline) for run, timeline in self._timelines.items()},
        }

    def merge(self, state: State) -> None:
        for kind, seam_ps in self._gaps.join(state["spans"]).items():
            first_ps = state["spans"][kind][0]
            self._add_longest(kind, np.array([seam_ps]), np.array([first_ps]))
        for kind, hits in state["hits"].items():
            self._hits[kind] = self._hits.get(kind, 0) + hits
        for kind, table in state["longest"].items():
            self._add_longest(kind, *table.to_numpy().T)
        for run, other in state["timelines"].items():
            timeline = self._timeline(run, other["first_ps"], other["last_ps"], other["shift"])
            for key, table in other["counts"].items():
                bins, counts = table.to_numpy().astype(np.int64).T
                wider, place = np.unique(bins >> (timeline.shift - other["shift"]), return_inverse=True)
                timeline.add_counts(key, wider, np.bincount(place, counts).astype(np.int64))

    def longest_ps(self, run: int) -> dict[Key, list[int]]:
        """The longest times between hits of each detector of a run, the longest first."""
        return {key: self._longest_of((run, key))[:, 0].tolist() for of_run, key in self._longest if of_run == run}

    def seconds(self) -> dict[Key, float]:
        """How long each detector was recorded, of all runs: from the first hit of any to the last, without its gaps."""
        total: dict[Key, float] = {}
        for times in self.of_runs().values():
            for key in times.gaps:
                total[key] = total.get(key, 0.0) + float(times.live_ps(key)[-1]) / PS_PER_S
        return total

    def of_runs(self) -> dict[int, "RunTime"]:
        """The recorded times of each run."""
        return {run: self._of_run(run, timeline) for run, timeline in sorted(self._timelines.items())}

    def _of_run(self, run: int, timeline: _Timeline) -> "RunTime":
        edges, bins = timeline.edges_ps(), (timeline.last_ps >> timeline.shift) - timeline.first_bin + 1
        counts = {key: timeline.counts[key][:bins].astype(np.float64) for key in sorted(timeline.counts)}
        gaps, own = {}, {}
        for key in sorted(key for of_run, key in self._hits if of_run == run):
            intervals, ends = self._longest_of((run, key)).T
            first, last = (time - timeline.first_ps for time in self._gaps.spans[run, key])
            own[key] = float(first), float(last)
            begins = np.concatenate([[0], ends - intervals - timeline.first_ps, [last]])
            stops = np.concatenate([[first], ends - timeline.first_ps, [edges[-1]]])
            gaps[key] = _gaps(np.stack([begins, stops], axis=1).astype(np.float64), counts.get(key), edges)
        return RunTime(timeline.first_ps, edges, counts, gaps, own)


def _part(hits: pl.DataFrame, chosen: pl.Series) -> pl.DataFrame:
    """Detectors and times of some hits, which are few."""
    return pl.DataFrame([hits[name].filter(chosen) for name in ("board", "channel", "timestamp_ps")])


def _sorted(longest: Integers) -> Integers:
    return longest[np.lexsort((longest[:, 1], -longest[:, 0]))]


def _state(timeline: _Timeline) -> State:
    filled = {key: np.flatnonzero(counts) for key, counts in timeline.counts.items()}
    return {
        "first_ps": timeline.first_ps,
        "last_ps": timeline.last_ps,
        "shift": timeline.shift,
        "counts": {
            key: pl.DataFrame({"bin": bins + timeline.first_bin, "counts": timeline.counts[key][bins]})
            for key, bins in filled.items()
        },
    }


def _gaps(intervals: Floats, counts: Floats | None, edges: Floats) -> Floats:
    """Those of some times without hits that are not random, in order: (n, 2), ps after the run's first hit.

    The rate next to each is the lower one of both sides, so that where it changed none is found.
    """
    if counts is None:
        return np.empty((0, 2))
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    length = intervals[:, 1] - intervals[:, 0]
    before = np.searchsorted(edges, intervals[:, 0], side="right") - 1  # the bin in which it begins
    after = np.minimum(
        np.searchsorted(edges, intervals[:, 1], side="right"), len(edges) - 1
    )  # after the one it ends in
    total = np.concatenate([[0.0], np.cumsum(counts)])
    rate = np.full(len(intervals), math.inf)
    for near, sign in ((before, -1), (after, 1)):
        rate = np.minimum(rate, _rate_beside(np.clip(near, 0, len(counts)), sign, total, edges))
    expected = np.where(np.isfinite(rate), rate, 0.0) * length
    return intervals[expected > math.log(max(total[-1], 1.0) / UNLIKELY)]


def _rate_beside(edge: Integers, sign: int, total: Floats, edges: Floats) -> Floats:
    """Hits per ps in bins next to some edges, on one side; infinite where there are too few hits."""
    rate = np.full(len(edge), math.inf)
    for bins in NEAR_BINS:
        other = np.clip(edge + sign * bins, 0, len(total) - 1)
        hits, time = np.abs(total[other] - total[edge]), np.abs(edges[other] - edges[edge])
        known = (hits >= (LEAST_HITS if bins == NEAR_BINS[-1] else NEAR_HITS)) & ~np.isfinite(rate) & (time > 0)
        rate[known] = hits[known] / time[known]
    return rate


@dataclass(frozen=True)
class RunTime:
    """When the detectors of one run recorded; times are in ps after the run's first hit.

    Attributes:
        first_ps: the time of that.
        edges_ps: (n + 1,) of bins of time.
        counts: used hits of each detector in these.
        gaps: of each detector (m, 2), ascending: where it was not recorded.
        own_ps: the times of each detector's first and last hit.
    """

    first_ps: int
    edges_ps: Floats
    counts: Mapping[Key, Floats]
    gaps: Mapping[Key, Floats]
    own_ps: Mapping[Key, tuple[float, float]]

    def is_cut_short(self, key: Key) -> bool:
        """Whether a detector has more gaps than are kept."""
        return key in self.gaps and len(self.gaps[key]) >= LONGEST

    def inner_gaps(self, key: Key) -> Floats:
        """(m, 2): a detector's gaps between its first hit and its last."""
        gaps, (first, last) = self.gaps[key], self.own_ps[key]
        return gaps[(gaps[:, 0] >= first) & (gaps[:, 1] <= last)]

    def live_ps(self, *keys: Key) -> Floats:
        """(n + 1,) the time up to each edge in which all of some detectors were recorded."""
        gaps = _union([self.gaps[key] for key in keys if key in self.gaps])
        if not len(gaps):
            return self.edges_ps
        lost = np.concatenate([[0.0], np.cumsum(gaps[:, 1] - gaps[:, 0])])
        so_far = np.stack([lost[:-1], lost[1:]], axis=1).ravel()
        return np.asarray(self.edges_ps - np.interp(self.edges_ps, gaps.ravel(), so_far), np.float64)

    def common_gaps(self) -> Floats:
        """(m, 2): where no detector was recorded."""
        common, *others = self.gaps.values() or [np.empty((0, 2))]
        for gaps in others:
            begins = np.maximum(common[:, None, 0], gaps[None, :, 0]).ravel()
            ends = np.minimum(common[:, None, 1], gaps[None, :, 1]).ravel()
            common = np.stack([begins, ends], axis=1)[ends > begins]
        return common


def _union(every: list[Floats]) -> Floats:
    """Stretches of time that lie in any of some gaps, ascending."""
    gaps = np.concatenate([np.empty((0, 2)), *every])
    if len(gaps) < 2 or len(every) < 2:
        return gaps
    gaps = gaps[np.argsort(gaps[:, 0], kind="stable")]
    ends = np.maximum.accumulate(gaps[:, 1])
    first = np.concatenate([[True], gaps[1:, 0] > ends[:-1]])
    return np.stack([gaps[first, 0], np.append(ends[:-1][first[1:]], ends[-1])], axis=1)
