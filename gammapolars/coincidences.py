"""Coincidences: pairs of hits of different detectors within a time window."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars import defaults, schema
from gammapolars.detectors import Detector
from gammapolars.errors import UsageError
from gammapolars.flags import has_any, parse_reject, union
from gammapolars.streaming import SLICE_HITS, Slice, in_parallel, lazy_frame, slices
from gammapolars.time_order import REORDER_PS
from gammapolars.units import PS_PER_S, Window, parse_window

PART_PAIRS = 4_000_000
"""A burst of hits is worked off in parts of about this many candidate pairs, to bound memory."""

Key = tuple[int, int]
"""A detector as (board, channel)."""


def pairs(
    hits: pl.LazyFrame,
    window: str | int | tuple[int, int] = defaults.WINDOW,
    *,
    reject: str | int = defaults.REJECT,
    start: Detector | Key | None = None,
    stop: Detector | Key | None = None,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """All pairs of hits of different detectors within a window, each stored once, in time order.

    Without `start` and `stop`, a is the earlier hit (of two at the same time that of the lower board, channel), so
    `dt_ps >= 0`. With them, a is the start detector's hit, b the stop detector's, and `dt_ps` is signed. The window is
    closed: `low <= dt_ps <= high`. Rejected hits neither pair nor hide a pair behind them. The result is the same
    whatever the size of slices.

    Args:
        hits: a table of hits, nearly in time order; every further column comes out twice, with `_a` and `_b`. Only
            hits of one `run` pair, where that column tells several apart.
        window: `250ns`, `LOW:HIGH`, picoseconds, or (low, high) in picoseconds.
        reject: flags that disqualify a hit, as on the command line: names, a mask, or `none`.
        start: the detector of a, or its (board, channel); together with `stop`.
        stop: the detector of b.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of pairs, sorted by the time of the earlier hit.

    Raises:
        TableError: the frame is no table of hits.
        UsageError: a window, flag or detector that cannot be.
        TimeOrderError: when collected, if hits lie too far back in time to be repaired.
    """
    rule = PairRule(window, reject=reject, start=start, stop=stop)
    columns = rule.require(hits)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        needed = hits if wanted is None else hits.select(rule.columns_for(wanted, columns))
        parts = slices(needed, rule.window.reach, reorder_ps=reorder_ps, slice_hits=slice_hits)
        yield from in_parallel(rule.pairs_in, parts)

    return lazy_frame(rule.schema(columns), batches)


def nearest(
    hits: pl.LazyFrame,
    start: Detector | Key,
    stop: Detector | Key,
    window: str | int | tuple[int, int] = defaults.WINDOW,
    *,
    reject: str | int = defaults.REJECT,
    reorder_ps: int = REORDER_PS,
    slice_hits: int = SLICE_HITS,
) -> pl.LazyFrame:
    """For each hit of a start detector the stop detector's hit that is nearest in time, if one lies in the window.

    Of the stop hits with `low <= dt_ps <= high` the one of smallest |dt| is taken (of two as near, the later one), by
    `join_asof` within slices. A stop hit can serve several starts.

    Args:
        hits: a table of hits, nearly in time order.
        start: the detector of a, or its (board, channel).
        stop: the detector of b.
        window: as for `pairs`; `0ns:1us` takes the first stop after each start.
        reject: flags that disqualify a hit.
        reorder_ps: how far back in time a hit may lie and still be put in its place.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table of pairs in the order of the starts, `dt_ps` signed.

    Raises:
        TableError, UsageError, TimeOrderError: as for `pairs`.
    """
    rule = PairRule(window, reject=reject, start=start, stop=stop)
    columns = rule.require(hits)

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        needed = hits if wanted is None else hits.select(rule.columns_for(wanted, columns))
        for part in slices(needed, rule.window.reach, reorder_ps=reorder_ps, slice_hits=slice_hits):
            yield rule.nearest_in(part)

    return lazy_frame(rule.schema(columns), batches)


class PairRule:
    """What makes two hits a coincidence: the window, the flags that disqualify, and the detectors asked for.

    Attributes:
        window: the closed window for `dt_ps`.
        reject: the masks that disqualify a hit, by flag name.
    """

    def __init__(
        self,
        window: str | int | tuple[int, int] = defaults.WINDOW,
        *,
        reject: str | int = defaults.REJECT,
        start: Detector | Key | None = None,
        stop: Detector | Key | None = None,
    ) -> None:
        self.window: Window = parse_window(window)
        self.reject = parse_reject(reject)
        self._mask = union(self.reject)
        if (start is None) != (stop is None):
            raise UsageError("a start detector needs a stop detector, and the reverse: name both or none")
        self._start, self._stop = _key(start), _key(stop)
        if self._start and self._start == self._stop:
            raise UsageError("start and stop are the same detector: hits of one detector are never a pair")
        if not self._start and self.window.high < 0:
            raise UsageError(f"window '{window}' lies below 0, and without a start detector no dt does")

    @property
    def width_ps(self) -> int:
        """The total width in which two detectors' chance pairs fall, whichever of the two is the earlier."""
        low, high = self.window
        return high - low if self._start else 2 * (high - max(low, 0))

    @property
    def detectors(self) -> tuple[Key, Key] | None:
        """Start and stop, if the rule is for these two only."""
        return (self._start, self._stop) if self._start and self._stop else None

    def require(self, hits: pl.LazyFrame) -> pl.Schema:
        """The schema of a table of hits, checked for what pairing needs."""
        needed = ["board", "channel", "timestamp_ps", *(["flags"] if self._mask else [])]
        return schema.require(hits, schema.HITS, columns=tuple(needed))

    def schema(self, columns: pl.Schema) -> pl.Schema:
        """The columns of the pairs, from those of the hits."""
        carried = _carried(columns)
        sides = {f"{name}_{side}": columns[name] for side in "ab" for name in carried}
        times = {"timestamp_ps": pl.Int64(), "dt_ps": pl.Int64()}
        return pl.Schema(sides | times | {name: columns[name] for name in _shared(columns)})

    def columns_for(self, wanted: list[str], columns: pl.Schema) -> list[str]:
        """The columns of the hits that are needed to make the wanted columns of pairs."""
        needed = {"board", "channel", "timestamp_ps", "flags", "run"} | {name[:-2] for name in wanted}
        return [name for name in columns if name in needed]

    def pairs_in(self, part: Slice) -> Iterator[pl.DataFrame]:
        """The pairs whose earlier hit is a slice's own, in bounded parts."""
        near = self._near(part)
        times = near["timestamp_ps"].to_numpy()
        first, end = 0, near.height
        if "_row" in near.columns:
            first, end = (int(near["_row"].search_sorted(row)) for row in (part.first, part.end))
        behind = np.searchsorted(times, times[first:end] + self.window.reach, side="right")
        partners = behind - np.arange(first + 1, end + 1)
        for low, high in _parts(partners):
            yield self._pairs_of(near, first + low, partners[low:high])

    def nearest_in(self, part: Slice) -> pl.DataFrame:
        """For each of a slice's own start hits the nearest stop hit in the window."""
        assert self._start
        assert self._stop
        time = pl.col("timestamp_ps")
        good = part.hits.lazy().filter(~has_any(self._mask)) if self._mask else part.hits.lazy()
        first_ps, last_ps = (part.hits["timestamp_ps"][row] for row in (part.first, part.end - 1))
        starts = part.own.lazy().filter(~has_any(self._mask)) if self._mask else part.own.lazy()
        starts = starts.filter(_is(self._start))
        reach = self.window.reach
        stops = good.filter(_is(self._stop) & time.is_between(first_ps - reach, last_ps + reach))
        carried = _carried(part.hits.columns)
        left = starts.select(*(pl.col(name).alias(f"{name}_a") for name in carried), time, *_shared(part.hits.columns))
        right = stops.select(*(pl.col(name).alias(f"{name}_b") for name in carried), _time_b=time)
        found = [
            left.with_columns(_key=time + edge)
            .join_asof(right, left_on="_key", right_on="_time_b", strategy=strategy)
            .select(pl.int_range(pl.len()).alias("_start"), *left.collect_schema(), *right.collect_schema())
            for strategy, edge in self._searches()
        ]
        dt = pl.col("_time_b") - time
        return (
            pl.concat(found)
            .with_columns(dt_ps=dt)
            .filter(pl.col("dt_ps").is_between(*self.window))
            .sort("_start", pl.col("dt_ps").abs(), -pl.col("dt_ps"), maintain_order=True)
            .unique("_start", keep="first", maintain_order=True)
            .select(*self.schema(part.hits.schema))
            .collect()
        )

    def _searches(self) -> list[tuple[Literal["forward", "backward"], int]]:
        """Where to look from for the smallest |dt| in the window, and in which direction."""
        low, high = self.window
        if low > 0:
            return [("forward", low)]
        if high < 0:
            return [("backward", high)]
        return [("forward", 0), ("backward", 0)]

    def _near(self, part: Slice) -> pl.DataFrame:
        """The hits that may pair: those with a neighbour within reach, not rejected, of a detector asked for.

        Distance to the direct neighbours is judged first, with rejected hits still there: it can only keep too many,
        and most hits fall at once.
        """
        hits = part.hits.lazy()
        if part.end - part.first < part.hits.height:
            hits = hits.with_row_index("_row")
        close = pl.col("timestamp_ps").diff() <= self.window.reach
        near = hits.filter(close.fill_null(False) | close.shift(-1, fill_value=False))
        if self._mask:
            near = near.filter(~has_any(self._mask))
        if self._start and self._stop:
            near = near.filter(_is(self._start) | _is(self._stop))
        return near.collect()

    def _pairs_of(self, near: pl.DataFrame, first: int, partners: npt.NDArray[Any]) -> pl.DataFrame:
        """The pairs of the hits from row `first` on with as many hits behind each as `partners` says."""
        earlier = np.arange(first, first + len(partners), dtype=np.uint32)
        starts = np.cumsum(partners) - partners
        i = np.repeat(earlier, partners)
        j = i + (np.arange(len(i), dtype=np.uint32) - np.repeat(starts, partners).astype(np.uint32)) + np.uint32(1)
        carried = _carried(near.columns)
        time_i, time_j = (pl.lit(near["timestamp_ps"]).gather(pl.col(row)) for row in "ij")
        side = {"a": "i", "b": "j"}
        gathered = [
            pl.lit(near[name]).gather(pl.col(row)).alias(f"{name}_{end}")
            for end, row in side.items()
            for name in carried
        ]
        gathered += [pl.lit(near[name]).gather(pl.col("i")).alias(name) for name in _shared(near.columns)]
        found = (
            pl.LazyFrame({"i": i, "j": j})
            .select(*gathered, timestamp_ps=time_i, dt_ps=time_j - time_i)
            .filter((pl.col("channel_a") != pl.col("channel_b")) | (pl.col("board_a") != pl.col("board_b")))
            .with_columns(self._turned(carried))
        )
        columns = self.schema(near.drop("_row", strict=False).schema)
        return found.filter(pl.col("dt_ps").is_between(*self.window)).select(*columns).collect()

    def _turned(self, carried: list[str]) -> list[pl.Expr]:
        """The columns of pairs with a and b exchanged where b is the start, or at equal times the lower detector."""
        if self._start:
            turn = (pl.col("board_b") == self._start[0]) & (pl.col("channel_b") == self._start[1])
        else:
            lower = (pl.col("board_b") < pl.col("board_a")) | (
                (pl.col("board_b") == pl.col("board_a")) & (pl.col("channel_b") < pl.col("channel_a"))
            )
            turn = (pl.col("dt_ps") == 0) & lower
        columns = [
            pl.when(turn).then(pl.col(f"{name}_{other}")).otherwise(pl.col(f"{name}_{side}")).alias(f"{name}_{side}")
            for side, other in ("ab", "ba")
            for name in carried
        ]
        if self._start:
            dt = pl.col("dt_ps")
            columns += [
                pl.when(turn).then(pl.col("timestamp_ps") + dt).otherwise(pl.col("timestamp_ps")).alias("timestamp_ps"),
                pl.when(turn).then(-dt).otherwise(dt).alias("dt_ps"),
            ]
        return columns


def _key(detector: Detector | Key | None) -> Key | None:
    return detector.key if isinstance(detector, Detector) else detector


def _is(key: Key) -> pl.Expr:
    return (pl.col("board") == key[0]) & (pl.col("channel") == key[1])


def _carried(columns: pl.Schema | list[str]) -> list[str]:
    """The columns of hits that a pair has twice: board, channel and adc first, then the others."""
    first = [name for name in ("board", "channel", "adc", "energy_kev") if name in columns]
    return first + [name for name in columns if name not in {*first, "timestamp_ps", "flags", "run", "_row"}]


def _shared(columns: pl.Schema | list[str]) -> list[str]:
    """The columns of hits that both hits of a pair have the same: their run, where there are several."""
    return ["run"] if "run" in columns else []


def _parts(partners: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Cut rows into stretches of about PART_PAIRS candidate pairs each, one row at the least."""
    total = np.cumsum(partners)
    first = 0
    while first < len(partners):
        done = total[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(total, done + PART_PAIRS, side="right")))
        yield first, last
        first = last


def chance_pairs(hits_a: int, hits_b: int, width_ps: int, real_time_s: float) -> float:
    """How many pairs two uncorrelated detectors make by chance: N = r_a r_b w T.

    Args:
        hits_a: hits of one detector in the time T.
        hits_b: hits of the other.
        width_ps: the window's total width w in picoseconds: 2 W for |dt| ≤ W.
        real_time_s: T in seconds.
    """
    return hits_a * hits_b * (width_ps / PS_PER_S) / real_time_s if real_time_s > 0 else 0.0
