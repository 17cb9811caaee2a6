"""Epochs: stretches of a recording in which the digitizer's clock ran on, between resets and rollovers.

A hit that lies further back than the reorder buffer reaches, and that carries the flag of a reset or a rollover, begins
a new epoch. Flags are looked at nowhere else, except in files that are merged (`by_flag`), so that a recording without
such a step costs nothing. Epochs shorter than the reorder buffer are not distinguished.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import TimeOrderError
from gammapolars.core.flags import FLAGS
from gammapolars.core.units import PS_PER_S, format_ps
from gammapolars.streaming.steps_back import StepBack
from gammapolars.streaming.wild_times import NEAR_HITS, OnWild, refuse, without_wild_times

Kind = Literal["reset", "rollover"]

RESET = FLAGS["external_reset"]
ROLLOVER = FLAGS["rollover"] | FLAGS["fake_rollover"]

FAKE = FLAGS["fake_event"] | FLAGS["fake_rollover"]

MOST_RESETS = 1000
"""Where more hits in one batch, and most of them, flag a reset, the flag is stuck and means nothing on its own."""

STEP_HITS = 1000
"""The clock's step is the greatest common divisor of so many timestamps at least."""


WATCHED_PS = PS_PER_S // 100
"""Where hits may lie back further than this, it is looked whether a clock started again."""


@dataclass(frozen=True)
class Border:
    """The hit with which an epoch begins: its number in the recording, from 1, and its recorded time."""

    kind: Kind
    hit: int
    time_ps: int


class Epoch:
    """One epoch of a recording. Its batches are to be used up before the next epoch is asked for.

    Attributes:
        border: how it began; None for a recording's first epoch.
        begin_ps: recorded time of the hit with which it begins, as far as that is known before it is read.
        batches: its hits as recorded.
        hits: how many of them have been given out.
        first_ps: time of the first of them.
        last_ps: the latest time of them.
        step_back: the first hit that lies so far back, without a flag, that its clock may have rolled over or been
            reset, where hits may be in such disorder.
    """

    def __init__(
        self, border: Border | None, begin_ps: int, batches: Callable[["Epoch"], Iterator[pl.DataFrame]]
    ) -> None:
        self.border = border
        self.begin_ps = begin_ps
        self.hits = self.first_ps = self.last_ps = 0
        self.step_back: StepBack | None = None
        self._recent: deque[pl.Series] = deque()
        self._step_ps: int | None = None
        self.batches = batches(self)

    def add(self, times: pl.Series, last_ps: int) -> None:
        """Remember the hits given out."""
        if not self.hits:
            self.first_ps = int(times[0])
        self.hits += times.len()
        self.last_ps = last_ps
        self._recent.append(times)
        while sum(len(part) for part in self._recent) - len(self._recent[0]) >= STEP_HITS:
            self._recent.popleft()

    def close(self) -> None:
        """Keep the state, and no times any more."""
        self._step_ps = self.step_ps
        self._recent.clear()

    @property
    def step_ps(self) -> int:
        """The clock's step, as far as the last hits show it."""
        if self._step_ps is not None:
            return self._step_ps
        steps = np.array([np.gcd.reduce(times.to_numpy()) for times in self._recent], np.int64)
        return int(np.gcd.reduce(steps, initial=0))


def epochs(
    batches: Callable[[], Iterable[pl.DataFrame]],
    *,
    reorder_ps: int,
    begin_ps: int = 0,
    disorder: bool = False,
    by_flag: bool = False,
    on_wild: OnWild | None = None,
) -> Iterator[Epoch]:
    """Cut a recording where its clock starts again.

    Args:
        batches: opens the recording: frames with `timestamp_ps`, and `flags` if resets are to be found.
        reorder_ps: how far back hits may lie within an epoch.
        begin_ps: time of the first hit, where it is known.
        disorder: whether hits without a flag may lie back any further.
        by_flag: whether a channel's reset flag begins an epoch even where its time does not step back, if the hit
            before is of the same channel. In a file of one channel that is seldom hit, nothing else shows it.
        on_wild: called with hits with an impossible time, and whether they are left out; None: they are an error, where
            disorder is.

    Raises:
        TimeOrderError: from the batches of an epoch, where a hit lies further back and no flag explains it.
    """
    judge = on_wild or (None if disorder else refuse)
    tame = partial(without_wild_times, reorder_ps=reorder_ps, on_wild=judge) if judge else iter

    def tamed() -> Iterable[pl.DataFrame]:
        return tame(batch for batch in batches() if batch.height)

    cutter = _Cutter(tamed, reorder_ps, disorder=disorder, by_flag=by_flag)
    try:
        yield Epoch(None, begin_ps, cutter.until_border)
        while cutter.border:
            yield Epoch(cutter.border, cutter.border.time_ps, cutter.until_border)
    finally:
        cutter.release()


class _Cutter:
    """State of the reading of a recording."""

    def __init__(
        self, batches: Callable[[], Iterable[pl.DataFrame]], reorder_ps: int, *, disorder: bool, by_flag: bool
    ) -> None:
        self.border: Border | None = None
        self._open = batches
        self._batches: Iterator[pl.DataFrame] | None = None
        self._reorder_ps = reorder_ps
        self._disorder = disorder
        self._by_flag = by_flag
        self._row = 0
        self._ahead: pl.DataFrame | None = None
        self._latest: int | None = None
        self._before: pl.DataFrame | None = None

    def release(self) -> None:
        """Let go of the recording at once: an epoch and its batches know each other, and live until they are swept."""
        self._batches = self._ahead = self._before = None
        self._open = tuple

    def until_border(self, epoch: Epoch) -> Iterator[pl.DataFrame]:
        """The batches of one epoch; after the last of them `border` says how the next one begins."""
        self.border = self._latest = self._before = None
        while (batch := self._next()) is not None:
            cut = self._cut(epoch, batch)
            if cut is None:
                self._watch(epoch, batch["timestamp_ps"])
                yield self._give(epoch, batch)
                continue
            row, kind = cut
            border = Border(kind, self._row + row + 1, int(batch["timestamp_ps"][row]))
            if row:
                yield self._give(epoch, batch[:row])
            stragglers, self._ahead = self._parted(batch[row:])
            if stragglers.height:
                yield self._give(epoch, stragglers)
            self.border = border
            return

    def _next(self) -> pl.DataFrame | None:
        if self._ahead is not None:
            batch, self._ahead = self._ahead, None
            return batch
        if self._batches is None:
            self._batches = iter(self._open())
        return next((batch for batch in self._batches if batch.height), None)

    def _give(self, epoch: Epoch, batch: pl.DataFrame) -> pl.DataFrame:
        times = batch["timestamp_ps"]
        last = int(times[-1] if times.is_sorted() else times.max())  # type: ignore[arg-type]
        self._latest = last if self._latest is None else max(self._latest, last)
        self._row += batch.height
        self._before = batch.tail(NEAR_HITS)
        epoch.add(times, self._latest)
        return batch

    def _watch(self, epoch: Epoch, times: pl.Series) -> None:
        """Notice where times that may be in disorder look like those of a clock that started again."""
        if epoch.step_back or (self._reorder_ps < WATCHED_PS and not self._disorder):
            return
        if times.is_sorted() and (self._latest is None or times[0] >= self._latest - self._reorder_ps):
            return
        latest = self._latest_until(times)
        near_zero = (((latest - times) > WATCHED_PS) & (times < latest // 2)).arg_max()
        if near_zero is not None and latest[near_zero] - times[near_zero] > WATCHED_PS:
            step = self._step_at(epoch, times, near_zero, int(latest[near_zero]))
            epoch.step_back = step if step.started_again else None

    def _latest_until(self, times: pl.Series) -> pl.Series:
        """The latest time up to each hit."""
        return times.cum_max() if self._latest is None else times.cum_max().clip(lower_bound=self._latest)

    def _step_at(self, epoch: Epoch, times: pl.Series, row: int, latest: int) -> StepBack:
        step = int(np.gcd.reduce(times[:row].to_numpy(), initial=epoch.step_ps if epoch.hits else 0))
        first = epoch.first_ps if epoch.hits else int(times[0])
        return StepBack(self._row + row + 1, int(times[row]), latest, first, epoch.hits + row, step)

    def _cut(self, epoch: Epoch, batch: pl.DataFrame) -> tuple[int, Kind] | None:
        """The first row of the next epoch and how it begins, if it begins in this batch."""
        restart = self._restart_by_flag(batch) if self._by_flag else None
        step = self._step_back(epoch, batch if restart is None else batch[:restart])
        if step is not None:
            return step
        return None if restart is None else (restart, "reset")

    def _step_back(self, epoch: Epoch, batch: pl.DataFrame) -> tuple[int, Kind] | None:
        """The first row that lies too far back, by a flag.

        Raises:
            TimeOrderError: no flag explains why it does.
        """
        times = batch["timestamp_ps"]
        if times.is_empty():
            return None
        if times.is_sorted() and (self._latest is None or times[0] >= self._latest - self._reorder_ps):
            return None
        latest = self._latest_until(times)
        late = ((latest - times) > self._reorder_ps).arg_true().to_numpy()
        if not len(late):
            return None
        flags = self._flags_with_those_before(batch)
        before = len(flags) - batch.height
        flagged = (flags & (RESET | ROLLOVER)) != 0
        fakes = np.flatnonzero(flagged & ((flags & FAKE) != 0)) - before
        # The fake event before each late hit; far before it where there is none.
        nearest = np.append(fakes, -10 * NEAR_HITS)[np.searchsorted(fakes, late, side="right") - 1]
        announced = flagged[late + before] | (late - nearest <= NEAR_HITS)
        if not self._disorder and not announced[0]:
            raise self._out_of_order(self._step_at(epoch, times, int(late[0]), int(latest[int(late[0])])))
        if not announced.any():
            return None
        row = int(late[announced.argmax()])
        bits = np.bitwise_or.reduce(flags[max(row - NEAR_HITS + before, 0) : row + before + 1])
        return row, "reset" if bits & RESET else "rollover"

    def _flags_with_those_before(self, batch: pl.DataFrame) -> npt.NDArray[Any]:
        """The batch's flags preceded by those of the last hits of the epoch so far."""
        if "flags" not in batch.columns:
            return np.zeros(batch.height, np.uint32)
        before = [] if self._before is None else [self._before["flags"]]
        return pl.concat([*before, batch["flags"]]).to_numpy()

    def _restart_by_flag(self, batch: pl.DataFrame) -> int | None:
        """The first row in which a channel flags a reset directly after another hit of its own."""
        columns = ("flags", "board", "channel")
        if not set(columns) <= set(batch.columns):
            return None
        resets = int(((batch["flags"] & RESET) != 0).sum())
        if not resets or (resets > MOST_RESETS and resets > batch.height // 2):
            return None
        rows = batch.select(columns)
        if self._before is not None:
            rows = pl.concat([self._before.select(columns).tail(1), rows])
        flagged = (pl.col("flags") & RESET) != 0
        first = flagged & (pl.col("board").diff() == 0) & (pl.col("channel").diff() == 0)
        starts = rows.select(first.arg_true()).to_series()
        return int(starts[0]) - (rows.height - batch.height) if starts.len() else None

    def _parted(self, rest: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Hits of the epoch that ends, which another channel delivers after the border; and those of the next epoch.

        Stragglers lie near the latest time before, as long as the new epoch is not older than the reorder buffer, and
        their channel has not begun the new epoch: each channel keeps its own order.
        """
        assert self._latest is not None
        first = int(rest["timestamp_ps"][0])
        if first >= self._latest - self._reorder_ps:
            return rest[:0], rest
        while True:
            times = rest["timestamp_ps"].to_numpy()
            away = times - first > self._reorder_ps
            old = away & (np.abs(times - self._latest) <= self._reorder_ps)
            if "flags" in rest.columns:
                old &= (rest["flags"].to_numpy() & RESET) == 0
            old &= ~_behind_others_of_their_channel(rest, old)
            beyond = np.flatnonzero(away & ~old)
            if len(beyond):
                old[beyond[0] :] = False
                break
            following = self._next()
            if following is None:
                break
            rest = pl.concat([rest, following])
        mask = pl.Series(old)
        return rest.filter(mask), rest.filter(~mask)

    def _out_of_order(self, step: StepBack) -> TimeOrderError:
        return TimeOrderError(
            f"times are out of order: hit {step.hit} is {format_ps(step.latest_ps - step.time_ps)} earlier "
            f"than a preceding hit (at {format_ps(step.time_ps)}), and only {format_ps(self._reorder_ps)} "
            "can be repaired",
            step.advice,
        )


def _behind_others_of_their_channel(hits: pl.DataFrame, of: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which hits lie after a hit of the same channel that is not one `of` these."""
    if not {"board", "channel"} <= set(hits.columns):
        return np.zeros(hits.height, np.bool_)
    marked = hits.select("board", "channel", other=pl.Series(~of, dtype=pl.UInt8))
    return marked.select(pl.col("other").cum_max().over("board", "channel") == 1).to_series().to_numpy()
