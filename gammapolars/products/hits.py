"""Hits by run, detector and flags."""

import polars as pl

from gammapolars.tallies import Tally, count_by
from gammapolars.units import PS_PER_S

FLAG_KEYS = {"board": 16, "channel": 16, "flags": 32}

FEW_DETECTORS = 16


class HitTally:
    """Hits by run, detector and flags, and the times of each run's first and last hit.

    Attributes:
        spans: the times (ps) of the first and last hit by run; a run that has no number is run 1.
    """

    def __init__(self) -> None:
        self._tally = Tally("run", *FLAG_KEYS)
        self._seen: list[tuple[int, int]] = []
        self._usual_flags = 0
        self.spans: dict[int, tuple[int, int]] = {}

    def add_hits(self, hits: pl.DataFrame) -> None:
        """Take hits of one run."""
        if hits.is_empty():
            return
        run = int(hits["run"][0]) if "run" in hits.columns else 1
        counted = self._summed(hits)
        counted = self._counted(hits) if counted is None else counted
        self._tally.add(counted.with_columns(run=pl.lit(run, pl.UInt16)))
        time = pl.col("timestamp_ps")
        first, last = hits.select(first=time.min(), last=time.max()).row(0)  # as recorded, hits may be out of order
        before = self.spans.get(run, (first, last))
        self.spans[run] = (min(first, before[0]), max(last, before[1]))

    def _counted(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits by detector and flags, and what is learnt from them of those to come."""
        counted = count_by(hits, FLAG_KEYS)
        self._seen = sorted({*self._seen, *counted.select("board", "channel").unique().iter_rows()})
        self._usual_flags = counted.group_by("flags").agg(pl.col("counts").sum()).sort("counts")["flags"][-1]
        return counted

    def _summed(self, hits: pl.DataFrame) -> pl.DataFrame | None:
        """The same several times faster, where few detectors have been seen and most hits carry the usual flags.

        Then a sum for each detector, and a count of the few other hits alone, tell everything. None where they do not.
        """
        if not 0 < len(self._seen) <= FEW_DETECTORS:
            return None
        rare = hits.lazy().select(*FLAG_KEYS).filter(pl.col("flags") != self._usual_flags).collect()
        if rare.height > hits.height // 4:
            return None
        totals = hits.select(
            ((pl.col("board") == board) & (pl.col("channel") == channel)).sum().alias(f"{board}/{channel}")
            for board, channel in self._seen
        ).row(0)
        if sum(totals) != hits.height:
            return None
        counted = count_by(rare, FLAG_KEYS)
        usual = dict(zip(self._seen, totals, strict=True))
        for board, channel, _, count in counted.iter_rows():
            usual[board, channel] -= count
        rows = [(*key, self._usual_flags, count) for key, count in usual.items() if count]
        return pl.concat([pl.DataFrame(rows, counted.schema, orient="row"), counted])

    def add_pairs(self, pairs: pl.DataFrame) -> None:
        """Pairs change nothing here."""

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
        found = []
        for run, (first, last) in sorted(self.spans.items()):
            counted = used.filter(pl.col("run") == run).group_by("board", "channel").agg(pl.col("counts").sum())
            hits = {(board, channel): count for board, channel, count in counted.iter_rows()}
            found.append(((last - first) / PS_PER_S, hits))
        return found

    def _total(self) -> pl.DataFrame:
        table = self._tally.total()
        if table.is_empty():
            numbers = {"run": pl.UInt16, "board": pl.UInt16, "channel": pl.UInt16, "flags": pl.UInt32}
            return pl.DataFrame(schema=numbers | {"counts": pl.UInt64})
        return table

    def with_flags(self, masks: dict[str, int]) -> dict[str, int]:
        """How many hits carry each of some named flags, if any does; a hit with two counts under both."""
        table = self.by_flags()
        counted = {
            name: int(table.filter((pl.col("flags") & mask) != 0)["counts"].sum()) for name, mask in masks.items()
        }
        return {name: count for name, count in counted.items() if count}

    def by_detector(self, mask: int = 0) -> pl.DataFrame:
        """`board`, `channel`, `hits`, and `hits_used`: those without any bit of the mask."""
        counts = pl.col("counts")
        return (
            self.by_flags()
            .group_by("board", "channel")
            .agg(hits=counts.sum(), hits_used=counts.filter((pl.col("flags") & mask) == 0).sum())
            .sort("board", "channel")
        )
