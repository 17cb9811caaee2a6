"""Counters of time that roll over without a flag: their times made to go on, from file to file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError
from gammapolars.core.types import Integers
from gammapolars.core.units import TIMES_PS, format_ps
from gammapolars.core.wording import setting
from gammapolars.io.reading import Losses
from gammapolars.streaming.slices import batches_of

LATE = 8
"""A hit may be earlier than the one before it by an eighth of the period; beyond, the counter has rolled over."""

LEAST_JUMPS, MOST_JUMPS = 3, 0.1
"""Where the hits of one board seem to be a period apart so often, several boards have counters of their own."""


def gap_advice(period_ps: int) -> str:
    """The meaning, and the remedy, if times step back of a counter that was made to go on."""
    return (
        f"its counter rolls over after {format_ps(period_ps)}, and may have a gap without hits of more than "
        f"{format_ps(period_ps - period_ps // LATE)}, after which rollovers cannot be counted: read the "
        "data before and after the gap as separate runs; if hits are only late, allow more with "
        f"{setting('--reorder', 'reorder_ps')}"
    )


class CommonStart:
    """The counters of one run, taken to have begun together: noted, where their last hits say that they may not have.

    A counter that began late shows the times since its own start, less whole periods as all counters do: how many of
    them passed before its first hit is not recorded.

    Args:
        counters: how many there are, each going on through files of its own.
        losses: is given the note.
    """

    def __init__(self, counters: int, losses: Losses) -> None:
        self._counters = counters
        self._losses = losses
        self._ends: dict[Path, int | None] = {}

    def ended(self, path: Path, end_ps: int | None, period_ps: int) -> None:
        """Compare the counters, once all have been read.

        Args:
            path: of a counter's last file.
            end_ps: the time of the counter's last hit, made to go on (ps); None: it has none.
            period_ps: of the counters.
        """
        self._ends[path] = end_ps
        ends = {path: end for path, end in self._ends.items() if end is not None}
        if len(self._ends) < self._counters or len(ends) < 2:
            return
        first, last = min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)
        apart = ends[last] - ends[first]
        if apart > period_ps // 2:
            self._losses.note(
                first,
                f"its last hit is {format_ps(apart)} earlier than that of {last.name}, and their counters "
                "are assumed to have started together: if one started later, its times are wrong by whole "
                f"periods of {format_ps(period_ps)} (corrected by time_offset_ps of its detectors)",
            )


class Counter:
    """The counter of a file, or of one of several files that follow one another.

    A step back of an eighth of the period or more is a rollover, and a step forward of seven eighths or more leads to a
    hit that came late, from before one. So a gap without a hit may be as long as seven eighths of the period.

    Args:
        period_ps: after which the counter begins again (ps).
        follows: the counter of the file before, which goes on in this one.
    """

    def __init__(self, period_ps: int, follows: "Counter | None" = None) -> None:
        self.period_ps = period_ps
        self._follows = follows
        self._hits: pl.LazyFrame | None = None
        self._end: _State | None = None
        self.start: CommonStart | None = None
        """Where other counters are those of the same run, and this is that of the last file that it goes on in."""

    def of(self, hits: pl.LazyFrame) -> None:
        """Remember the hits whose counter it is, by which the files that follow know how often it has rolled over."""
        self._hits = hits

    def continuous(self, batches: Iterator[pl.DataFrame], path: Path, losses: Losses) -> Iterator[pl.DataFrame]:
        """The batches of the whole file with times that go on.

        Args:
            batches: of hits, or of columns of theirs with `timestamp_ps`; with `board`, it is seen whether one counter
                can be that of all boards.
            path: of the file.
            losses: is given a note of how often the counter rolled over.

        Raises:
            InputError: times go on for too long, or are not those of one such counter.
        """
        state = _State(self._follows.end) if self._follows else _State()
        begun = state.rolled
        for batch in batches:
            recorded = batch["timestamp_ps"].to_numpy()
            times = state.read(recorded, self.period_ps)
            self._check(batch, recorded, times, path)
            if len(times) and not TIMES_PS[0] <= times.min() <= times.max() <= TIMES_PS[1]:
                raise InputError(f"{path}: its counter of {format_ps(self.period_ps)} rolls over for more than 53 days")
            yield batch.with_columns(timestamp_ps=pl.Series(times))
        if state.rolled > begun:
            losses.note(
                path,
                f"its counter rolled over {state.rolled - begun} times, each after "
                f"{format_ps(self.period_ps)}: times were made continuous",
            )
        self._end = state
        if self.start:
            self.start.ended(path, state.end_ps(self.period_ps), self.period_ps)

    def _check(self, batch: pl.DataFrame, recorded: Integers, times: Integers, path: Path) -> None:
        """Raise where the times are not those of one counter with this period."""
        if not len(recorded):
            return
        period, late = self.period_ps, self.period_ps // LATE
        if int(recorded.max()) - int(recorded.min()) >= period + late:
            raise InputError(
                f"{path}: its times span more than one counter period of {format_ps(period)}: the counter has more bits"
            )
        if "board" not in batch.columns or batch["board"].n_unique() == 1:
            return
        busiest = batch["board"].mode()[0]
        steps = np.diff(times[(batch["board"] == busiest).to_numpy()])
        jumps = int(np.count_nonzero((steps >= period - late) | (steps <= -late)))
        if jumps >= LEAST_JUMPS and jumps > MOST_JUMPS * len(steps):
            raise InputError(
                f"{path}: the counters of its boards do not roll over together: write the hits of each "
                "board to a separate file"
            )

    @property
    def end(self) -> "_State":
        """The state of the counter after the file's last hit."""
        if self._end is None and self._hits is not None:
            for _ in batches_of(self._hits.select("timestamp_ps")):
                pass
        return self._end or _State()


class _State:
    """The value of a counter, and how often it has rolled over; as another one, of the file before."""

    def __init__(self, before: "_State | None" = None) -> None:
        self.last_ps: int | None = before.last_ps if before else None
        self.rolled: int = before.rolled if before else 0

    def end_ps(self, period_ps: int) -> int | None:
        """The time of the last hit, made to go on (ps); None: there was none."""
        return None if self.last_ps is None else self.last_ps + self.rolled * period_ps

    def read(self, times: Integers, period_ps: int) -> Integers:
        """Times that go on (ps), of times as the counter showed them."""
        if not len(times):
            return times
        steps = np.diff(times, prepend=times[0] if self.last_ps is None else self.last_ps)
        late = period_ps // LATE
        rolled = self.rolled + np.cumsum((steps <= -late).astype(np.int64) - (steps >= period_ps - late))
        self.last_ps, self.rolled = int(times[-1]), int(rolled[-1])
        return times + rolled * period_ps
