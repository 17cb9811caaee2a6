"""Times that go on over resets and rollovers: what is added to the times of each epoch of a recording."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from gammapolars.core.errors import TimeOrderError
from gammapolars.core.units import PS_PER_S, format_ps
from gammapolars.streaming.epochs import Border, Epoch, Kind

RESET_GAP_PS = PS_PER_S
"""What is put between the last hit before a reset and the reset itself, because the true time is not known.

Far more than any coincidence window, so that no pair forms across a reset; far less than a run, so that rates hold.
"""

MOST_INTERVALS = 100
"""A rollover's period is believed if the hole at the rollover is at most so many mean intervals between hits."""


@dataclass(frozen=True)
class Repair:
    """A reset or rollover of the timestamps, and how times were made to go on.

    Attributes:
        kind: what the flags tell.
        hit: number, from 1, of the hit with which the new epoch begins, in its file or stream.
        before_ps: time of the latest hit before, as given out.
        recorded_ps: recorded time of that hit.
        offset_ps: what is added to recorded times from there on.
        period_ps: the counter's period; None where it is not known, and a gap of `RESET_GAP_PS` was put.
    """

    kind: Kind
    hit: int
    before_ps: int
    recorded_ps: int
    offset_ps: int
    period_ps: int | None = None

    def __str__(self) -> str:
        added = f"a counter's period of {format_ps(self.period_ps)}" if self.period_ps else "the time between unknown"
        return (
            f"timestamp {self.kind} at hit {self.hit}, from {format_ps(self.before_ps)} to "
            f"{format_ps(self.recorded_ps)}: from there on {format_ps(self.offset_ps)} are added ({added})"
        )


OnRepair = Callable[[Repair], None]


class Clock:
    """Makes the times of successive epochs go on.

    After a reset the time that has passed is not known: the reset is put `RESET_GAP_PS` behind the latest hit before
    it. A counter that rolls over does so at a power of two of its steps: the smallest one above all times before it,
    if that leaves no hole in the hits. If it does, the step is not known, and a rollover is treated like a reset.
    """

    def __init__(self, on_repair: OnRepair | None = None) -> None:
        self.offset_ps = 0
        self._on_repair = on_repair

    def read(self, batch: pl.DataFrame) -> pl.DataFrame:
        """A batch with the times of this epoch as they go on."""
        if not self.offset_ps:
            return batch
        if int(batch["timestamp_ps"].max()) + self.offset_ps >= 2**63:  # type: ignore[arg-type]
            raise TimeOrderError("behind a timestamp reset, times exceed the 106 days that a run can be: split the run")
        return batch.with_columns(pl.col("timestamp_ps") + self.offset_ps)

    def restart(self, ended: list[Epoch], begun: list[tuple[Epoch, Epoch]]) -> None:
        """Go on to the next epoch.

        Args:
            ended: the epoch that ends, of all recordings.
            begun: of each recording that goes on, the epoch that ends and the one that begins.
        """
        ended = [epoch for epoch in ended if epoch.hits]
        borders = [begin.border for end, begin in begun if begin.border and begin.border.time_ps < end.last_ps]
        if not ended or not borders:
            return  # nothing came before, or all times go on
        border = min(borders, key=lambda border: border.time_ps)
        latest = max(epoch.last_ps for epoch in ended)
        before = latest + self.offset_ps
        kind: Kind = "reset" if any(border.kind == "reset" for border in borders) else "rollover"
        period = _period(ended, border) if kind == "rollover" else None
        self.offset_ps = self.offset_ps + period if period else before + RESET_GAP_PS
        if self._on_repair:
            self._on_repair(Repair(kind, border.hit, before, border.time_ps, self.offset_ps, period))


def _period(ended: list[Epoch], border: Border) -> int | None:
    """The period of the counter that rolled over, if times before and after it agree with one."""
    hits, latest = sum(epoch.hits for epoch in ended), max(epoch.last_ps for epoch in ended)
    step = math.gcd(*(epoch.step_ps for epoch in ended))
    if not step or latest < 0:
        return None
    period = step << (latest // step).bit_length()
    hole = period - latest + border.time_ps
    interval = (latest - min(epoch.first_ps for epoch in ended)) / hits
    return period if hole <= MOST_INTERVALS * interval else None
