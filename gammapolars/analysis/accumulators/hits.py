"""Hits by run, detector and flags."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import polars as pl

from gammapolars.analysis.accumulators.accumulator import Accumulator, State
from gammapolars.analysis.accumulators.repeats import Repeats
from gammapolars.core.types import Integers, Key
from gammapolars.core.units import PS_PER_S
from gammapolars.spectra.tallies import Tally, count_by
from gammapolars.streaming.slices import run_of

FEW_DETECTORS = 16

FIRST_ROWS = 1000


class FewDetectors:
    """Remembers the detectors of a run: to compare with each of a few is several times faster than to group by them."""

    def __init__(self) -> None:
        self._seen: frozenset[Key] = frozenset()

    def masks(self, hits: pl.DataFrame) -> dict[Key, pl.Series] | None:
        """Which rows are hits of which detector, as (board, channel); None where more than a few have been seen.

        Every row is of one of them; a detector that has been seen before may have none. A mask is a series, whose bits
        are compared, counted and filtered by several times faster than an array's bytes.
        """
        if len(self._seen) > FEW_DETECTORS:
            return None
        masks = self._compared(hits)
        for first in (FIRST_ROWS, hits.height):  # the first rows mostly have all detectors
            if sum(int(mask.sum()) for mask in masks.values()) == hits.height:
                return masks
            self._seen |= {*hits.head(first).select("board", "channel").unique().iter_rows()}
            if len(self._seen) > FEW_DETECTORS:
                return None
            masks = self._compared(hits)
        return masks

    def _compared(self, hits: pl.DataFrame) -> dict[Key, pl.Series]:
        board, channel = hits["board"], hits["channel"]
        of_board = {number: board == number for number in {number for number, _ in self._seen}}
        return {key: (channel == key[1]) & of_board[key[0]] for key in sorted(self._seen)}


def detector_codes(board: Integers, channel: Integers) -> Integers:
    """A number per hit that identifies its detector; of 16 bits where that is enough, for they are sorted much faster.

    Args:
        board: (n,), u16.
        channel: (n,), u16.
    """
    if not len(board) or (board.max() < 256 and channel.max() < 256):
        return board << np.uint16(8) | channel
    return board.astype(np.uint32) << np.uint32(16) | channel


COLUMNS = {"board": pl.UInt16, "channel": pl.UInt16, "flags": pl.UInt32}
FLAG_KEYS = tuple(COLUMNS)

FEW_ROWS = 1000
"""Up to this many hits with unusual flags are counted one by one, however few hits there are."""

FEW_KEYS = 1000
"""More combinations of detector and unusual flags than this, as in a damaged file, are counted in tables."""


class HitTally(Accumulator):
    """Hits by run, detector and flags, the times of each run's first and last hit, and hits that repeat others.

    Attributes:
        spans: the times (ps) of the first and last hit by run; a run that has no number is run 1.
        repeats: hits at the time of another one of their detector, where hits come in time order.
    """

    sees_removed = True

    def __init__(self) -> None:
        self._tally = Tally("run", *FLAG_KEYS)
        self._few = FewDetectors()
        self._usual_flags = 0
        self._counts: Counter[tuple[int, int, int, int]] = Counter()
        self.spans: dict[int, tuple[int, int]] = {}
        self.repeats = Repeats()

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        if hits.is_empty():
            return
        run = run_of(hits)
        self.repeats.add_hits(hits)
        if not self._compared(hits, run):
            counts = count_by(hits, FLAG_KEYS)
            self._usual_flags = counts.group_by("flags").agg(pl.col("counts").sum()).sort("counts")["flags"][-1]
            self._tally.add(counts.with_columns(run=pl.lit(run, pl.UInt16)))
        times = hits["timestamp_ps"]
        self._extend(run, int(times.min()), int(times.max()))  # type: ignore[arg-type]  # hits may be out of order

    def _extend(self, run: int, first: int, last: int) -> None:
        before = self.spans.get(run, (first, last))
        self.spans[run] = (min(first, before[0]), max(last, before[1]))

    def _compared(self, hits: pl.DataFrame, run: int) -> bool:
        """Count several times faster, where few detectors have been seen and most hits carry the usual flags.

        Then the number of rows of each detector, and a count of only the few other hits, are enough. False where they
        are not: nothing is counted then.
        """
        flags = hits["flags"].to_numpy()
        rare = np.flatnonzero(flags != self._usual_flags)
        masks = self._few.masks(hits) if len(rare) <= FEW_ROWS + hits.height // 4 else None
        if masks is None:
            return False
        board, channel = (hits[name].to_numpy()[rare].astype(np.uint64) for name in ("board", "channel"))
        keys, counts = np.unique(
            board << np.uint64(48) | channel << np.uint64(32) | flags[rare].astype(np.uint64), return_counts=True
        )
        if len(keys) > FEW_KEYS:
            return False
        usual = {key: int(mask.sum()) for key, mask in masks.items()}
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            detector = key >> 48, key >> 32 & 0xFFFF
            usual[detector] -= count
            self._counts[run, *detector, key & 0xFFFFFFFF] += count
        for detector, count in usual.items():
            self._counts[run, *detector, self._usual_flags] += count
        return True

    def state(self) -> State:
        return {"hits": self._total(), "spans": dict(self.spans), "repeats": self.repeats.state()}

    def merge(self, state: State) -> None:
        self._tally.add(state["hits"])
        for run, span in state["spans"].items():
            self._extend(run, *span)
        self.repeats.merge(state["repeats"])

    @property
    def real_time_s(self) -> float:
        """From the first hit to the last, summed over runs."""
        return sum(last - first for first, last in self.spans.values()) / PS_PER_S

    @property
    def first_ps(self) -> int | None:
        """The time of the first hit; of several runs, by their own clocks, the least."""
        return min((first for first, _ in self.spans.values()), default=None)

    @property
    def last_ps(self) -> int | None:
        """The time of the last hit; of several runs, by their own clocks, the largest."""
        return max((last for _, last in self.spans.values()), default=None)

    def by_flags(self) -> pl.DataFrame:
        """`board`, `channel`, `flags`, `counts`, of all runs."""
        return self._total().group_by(*FLAG_KEYS).agg(pl.col("counts").sum()).sort(*FLAG_KEYS)

    def in_runs(self, mask: int = 0) -> list[tuple[float, dict[tuple[int, int], int]]]:
        """For each run its real time (s), and its hits without any bit of the mask by (board, channel)."""
        used = self._total().filter((pl.col("flags") & mask) == 0)
        by_run = []
        for run, (first, last) in sorted(self.spans.items()):
            of_run = used.filter(pl.col("run") == run).group_by("board", "channel").agg(pl.col("counts").sum())
            hits = {(board, channel): count for board, channel, count in of_run.iter_rows()}
            by_run.append(((last - first) / PS_PER_S, hits))
        return by_run

    def _total(self) -> pl.DataFrame:
        schema = pl.Schema({"run": pl.UInt16, **COLUMNS, "counts": pl.UInt64})
        rows = [(*key, count) for key, count in self._counts.items() if count]
        total = Tally("run", *FLAG_KEYS)
        total.add(pl.DataFrame(rows, schema, orient="row"))
        total.add(self._tally.total())
        return total.total() if total.rows else pl.DataFrame(schema=schema)

    def with_flags(self, masks: Mapping[str, int], *, without: int = 0) -> dict[str, int]:
        """How many hits carry each of some named flags, if any does; a hit with two counts under both.

        Args:
            masks: the flags.
            without: hits with these do not count.
        """
        table = self.by_flags()
        if without:
            table = table.filter((pl.col("flags") & without) == 0)
        counts = {
            name: int(table.filter((pl.col("flags") & mask) != 0)["counts"].sum()) for name, mask in masks.items()
        }
        return {name: count for name, count in counts.items() if count}

    def marked_by(self, mask: int) -> dict[Key, int]:
        """How many hits of each detector carry any bit of a mask, where any do."""
        marked = self.by_flags().filter((pl.col("flags") & mask) != 0)
        by_detector = marked.group_by("board", "channel").agg(pl.col("counts").sum()).sort("board", "channel")
        return {(board, channel): count for board, channel, count in by_detector.iter_rows()}

    def by_detector(self, mask: int = 0) -> pl.DataFrame:
        """`board`, `channel`, `hits`, and `hits_used`: those without any bit of the mask."""
        counts = pl.col("counts")
        return (
            self.by_flags()
            .group_by("board", "channel")
            .agg(hits=counts.sum(), hits_used=counts.filter((pl.col("flags") & mask) == 0).sum())
            .sort("board", "channel")
        )
