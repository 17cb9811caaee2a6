"""Times between successive hits of each detector."""

from collections.abc import Hashable, Iterator
from functools import cache
from typing import Generic, TypeVar

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.analysis.accumulators.hits import FewDetectors
from gammapolars.core.flags import FLAGS, has_any
from gammapolars.core.types import Floats, Integers, Key
from gammapolars.core.units import PS_PER_S
from gammapolars.streaming.slices import run_of

K = TypeVar("K", bound=Hashable)

Spans = dict[K, tuple[int, int]]


class Gaps(Generic[K]):
    """Times from each hit of one kind to the next, whatever batches they come in.

    Attributes:
        spans: the times (ps) of the first and the last hit by kind: a run, or a detector in a run.
    """

    def __init__(self) -> None:
        self.spans: Spans[K] = {}

    def before(self, kind: K, times_ps: Integers) -> Integers:
        """The times to these hits, in order, from those before them, ps: to the first of a kind there is none."""
        if not len(times_ps):
            return np.empty(0, np.int64)
        earlier = self.spans.get(kind)
        self.spans[kind] = earlier[0] if earlier else int(times_ps[0]), int(times_ps[-1])
        if earlier is None:
            return times_ps[1:] - times_ps[:-1]
        intervals = np.empty(len(times_ps), np.int64)
        intervals[0] = times_ps[0] - earlier[1]
        np.subtract(times_ps[1:], times_ps[:-1], out=intervals[1:])
        return intervals

    def state(self) -> Spans[K]:
        """The spans."""
        return dict(self.spans)

    def join(self, state: Spans[K]) -> dict[K, int]:
        """Add hits that follow.

        Returns:
            The time, ps, from the last hit before to the first of those, of each kind that has both.
        """
        seams = {kind: first - self.spans[kind][1] for kind, (first, _) in state.items() if kind in self.spans}
        for kind, (first, last) in state.items():
            self.spans[kind] = self.spans.get(kind, (first, 0))[0], last
        return seams


PER_OCTAVE = 32
OCTAVES = 60
"""Bins of times between hits: from 1 ps to 13 days, 2 % wide each."""

BINS = PER_OCTAVE * OCTAVES

CELL_BITS = 10
"""Leading bits of a time's mantissa, which give its bin unless an edge lies among the times that share them."""

_MANTISSA_BITS, _EXPONENT_OF_1 = 52, 1023
"""Of a Float64 (IEEE 754)."""

SUMS = ("counts", "seconds", "ps")
"""Sums in each bin: how many times, their whole seconds, and the remainder in picoseconds."""


class Intervals(Accumulator):
    """Times between successive hits of each detector, in bins of their logarithm, with their sums.

    Hits with flags count too, saturated and piled up ones as well: they have made the detector busy like any other, and
    without them two intervals would become a long one. Fake events do not: the digitizer writes them to mark a time,
    and nothing was detected. Nothing is counted across two runs.

    Attributes:
        shortest_ps: by detector.
    """

    sees_removed = True

    def __init__(self) -> None:
        self.shortest_ps: dict[Key, int] = {}
        self._sums: dict[Key, Integers] = {}  # (SUMS, bins): in whole numbers, so that no order of adding matters
        self._gaps: Gaps[tuple[int, Key]] = Gaps()
        self._few = FewDetectors()

    @staticmethod
    def edges_ps() -> Floats:
        """The bins' edges; below the first lie times of 0."""
        return np.asarray(2.0 ** (np.arange(BINS + 1) / PER_OCTAVE), np.float64)

    @property
    def counts(self) -> dict[Key, Floats]:
        """By detector, (bins,)."""
        return {key: sums[0].astype(np.float64) for key, sums in self._sums.items()}

    @property
    def sums_ps(self) -> dict[Key, Floats]:
        """The sum of the intervals in each bin, so that means above any bin's edge are exact."""
        return {key: sums[1] * float(PS_PER_S) + sums[2] for key, sums in self._sums.items()}

    @property
    def spans(self) -> Spans[tuple[int, Key]]:
        """The times (ps) of a detector's first and last hit, by run and detector."""
        return self._gaps.spans

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run, in time order."""
        if "flags" in hits.columns and (hits["flags"] & FLAGS["fake_event"] != 0).any():
            hits = hits.filter(~has_any(FLAGS["fake_event"]))
        if hits.is_empty():
            return
        run = run_of(hits)
        for key, times_ps in self._times(hits):
            self._add(key, self._gaps.before((run, key), times_ps))

    def _times(self, hits: pl.DataFrame) -> Iterator[tuple[Key, Integers]]:
        """The times of each detector's hits, in order."""
        times = hits["timestamp_ps"]
        if (masks := self._few.masks(hits)) is not None:
            yield from ((key, times.filter(mask).to_numpy()) for key, mask in masks.items())
            return
        ends = ("board", "channel")
        for (board, channel), part in hits.select(*ends, times).group_by(*ends, maintain_order=True):
            yield (int(board), int(channel)), part["timestamp_ps"].to_numpy()

    def _add(self, key: Key, intervals: Integers) -> None:
        if not len(intervals):
            return
        bins, sums_ps = bins_of(intervals), np.zeros(BINS, np.int64)
        np.add.at(sums_ps, bins, intervals)
        sums = np.stack([np.bincount(bins, minlength=BINS), *np.divmod(sums_ps, PS_PER_S)])
        self._add_sums(key, sums, int(intervals.min()))

    def _add_sums(self, key: Key, sums: Integers, shortest_ps: int) -> None:
        total = self._sums.setdefault(key, np.zeros((len(SUMS), BINS), np.int64))
        total += sums
        carried, total[2] = np.divmod(total[2], PS_PER_S)
        total[1] += carried
        self.shortest_ps[key] = min(shortest_ps, self.shortest_ps.get(key, shortest_ps))

    def state(self) -> State:
        tables = {key: pl.DataFrame(sums.T, list(SUMS)).with_row_index("bin") for key, sums in self._sums.items()}
        filled = {key: table.filter(pl.col("counts") > 0) for key, table in tables.items()}
        return {"sums": filled, "shortest_ps": dict(self.shortest_ps), "spans": self._gaps.state()}

    def merge(self, state: State) -> None:
        for (_, key), seam_ps in self._gaps.join(state["spans"]).items():
            self._add(key, np.array([seam_ps]))
        for key, table in state["sums"].items():
            sums = np.zeros((len(SUMS), BINS), np.int64)
            sums[:, table["bin"].to_numpy()] = table.select(SUMS).to_numpy().T
            self._add_sums(key, sums, state["shortest_ps"][key])


def bins_of(intervals_ps: Integers) -> Integers:
    """The bins of some times between hits, (n,), below `BINS`.

    The logarithm of all of them would take as long as reading them.
    """
    values = np.maximum(intervals_ps, 1).astype(np.float64)
    cells = (values.view(np.int64) >> (_MANTISSA_BITS - CELL_BITS)) - (_EXPONENT_OF_1 << CELL_BITS)
    bins = _bins_of_cells().take(cells, mode="clip").astype(np.int64)
    if len(divided := np.flatnonzero(bins < 0)):
        bins[divided] = _by_logarithm(values[divided])
    return bins


@cache
def _bins_of_cells() -> Integers:
    """The bin of the times that share an exponent and leading bits of the mantissa, ascending; -1 where they differ."""
    cells = np.arange((OCTAVES << CELL_BITS) + 1, dtype=np.int64) + (_EXPONENT_OF_1 << CELL_BITS)
    edges = (cells << (_MANTISSA_BITS - CELL_BITS)).view(np.float64)
    first, last = _by_logarithm(edges[:-1]), _by_logarithm(np.nextafter(edges[1:], 0.0))
    return np.where(first == last, first, -1).astype(np.int16)


def _by_logarithm(times_ps: Floats) -> Integers:
    place = np.clip(np.floor(np.log2(times_ps) * PER_OCTAVE), 0, BINS - 1)
    return np.asarray(place, np.int64)
