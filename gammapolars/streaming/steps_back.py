"""Reasons why a clock steps back without a flag: it rolled over, it was reset, or hits are in disorder."""

from dataclasses import dataclass

from gammapolars.core.units import PS_PER_S, PS_PER_UNIT, format_ps
from gammapolars.core.wording import setting

MOST_INTERVALS = 100
"""A rollover's period is believed if the hole at the rollover is at most so many mean intervals between hits."""

LEAST_HITS, LEAST_BITS, NEAR_INTERVALS = 20, 12, 30
"""Without a flag a rollover is believed after so many hits, of counters of so many bits, and where time goes on at
less than so many mean intervals between hits."""

NEAR_ZERO = 100
"""A clock that was reset goes on at less than this part of the latest time."""


@dataclass(frozen=True)
class StepBack:
    """A hit that is earlier than those before it, without a flag that explains it.

    Attributes:
        hit: its number in the recording, from 1.
        time_ps: its time.
        latest_ps: the latest time before it.
        first_ps: the first time before it.
        hits: how many hits lie between these two.
        step_ps: the clock's step, of which all times are multiples.
    """

    hit: int
    time_ps: int
    latest_ps: int
    first_ps: int
    hits: int
    step_ps: int

    @property
    def bits(self) -> int | None:
        """The bits of a counter that rolled over here; None where it did not."""
        period = rollover_period(self.latest_ps, self.time_ps, self.first_ps, self.hits, self.step_ps)
        if period is None or self.hits < LEAST_HITS or self.time_ps > NEAR_INTERVALS * self.latest_ps / self.hits:
            return None
        bits = (period // self.step_ps).bit_length() - 1
        return bits if bits >= LEAST_BITS else None

    @property
    def is_reset(self) -> bool:
        """Whether it looks like a reset of the clock."""
        return self.latest_ps - self.time_ps > PS_PER_S and abs(self.time_ps) < self.latest_ps / NEAR_ZERO

    @property
    def started_again(self) -> bool:
        """Whether the clock began again, in one way or the other."""
        return self.bits is not None or self.is_reset

    @property
    def advice(self) -> str:
        """The probable cause, and the remedy."""
        if bits := self.bits:
            counter = f"{bits}:{_unit(self.step_ps)}"
            option = setting(f"--bits {counter}", f'bits="{counter}"')
            return (
                f"time starts again near 0, which looks like a counter of {bits} bits in steps of "
                f"{format_ps(self.step_ps)} that rolled over without a flag: give bits = {bits} with the column of "
                f"timestamp_ps in [columns] of detectors.toml, or {option}"
            )
        if self.is_reset:
            return (
                "time starts again near 0, which looks like a timestamp reset without a flag: read the "
                "data before and after it as separate runs"
            )
        return (
            f"allow more with {setting('--reorder', 'reorder_ps')}, or sort the run first with 'gammapolars convert "
            "RUN... --sort -o sorted.parquet'"
        )

    @property
    def back_ps(self) -> int:
        """How much earlier it is than the latest hit before it (ps)."""
        return self.latest_ps - self.time_ps

    @property
    def place(self) -> str:
        """Where it was met among hits that are put in order."""
        return f"hits are sorted by time, but hit {self.hit} is {format_ps(self.back_ps)} earlier than a preceding hit"

    def __str__(self) -> str:
        return f"{self.place}: {self.advice}"


def rollover_period(latest_ps: int, time_ps: int, first_ps: int, hits: int, step_ps: int) -> int | None:
    """The period of a counter that rolled over (ps), if times before and after agree with one; None: they do not.

    It is the smallest power of two of the clock's steps above all times before, if that leaves no hole in the hits.

    Args:
        latest_ps: the latest time before.
        time_ps: the time after the rollover.
        first_ps: the first time before.
        hits: how many hits lie between the first and the latest time.
        step_ps: of the clock.
    """
    if not step_ps or latest_ps < 0 or not hits:
        return None
    period = step_ps << (latest_ps // step_ps).bit_length()
    hole = period - latest_ps + time_ps
    return period if hole <= MOST_INTERVALS * (latest_ps - first_ps) / hits else None


def _unit(step_ps: int) -> str:
    """A step as options take it, such as 8ns."""
    unit = next(unit for unit in ("us", "ns", "ps") if step_ps % PS_PER_UNIT[unit] == 0)
    return f"{step_ps // PS_PER_UNIT[unit]}{unit}"
