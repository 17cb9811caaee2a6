"""Clocks of boards that run fast or slow, the [[clock]] tables of detectors.toml, in exact integers.

A board's clock that is fast by a rate r counts (1 + r) seconds in one: its excess count when it shows t is
the integral of r / (1 + r) from 0 to t. Where rates are given at several times, r / (1 + r) is a straight line between
them, and constant before the first and after the last. Integers of any size are added and divided, so that times are
right to a picosecond however late they are, and a clock's times never change their order.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from gammapolars.core.errors import DetectorsError
from gammapolars.core.units import MAX_PS, PS_PER_S, TIMES_PS
from gammapolars.detectors.values import format_table, number, shown

PARTS = 10**21
"""Rates are whole multiples of this part: over the longest time, 2^62 ps, far less than a picosecond."""

SLOPE_PARTS = 2**60
"""How rates change from one picosecond to the next is in this part of `PARTS`."""

PPM = 10**6

MAX_PPM = 1000.0
"""No clock of a digitizer is as far off."""

MOST_RATES = 10_000

LEAST_STEP_PS = 10**6
"""Rates that are given at times closer than a microsecond would change too steeply for the integers."""

CLOCK_KEYS = {
    "board": "",
    "rate_ppm": "rate offset of its clock, in parts per million",
    "rate_range_s": "times of the first and the last rate, the others equally spaced between them",
}
"""Keys of a [[clock]] table, in the order in which they are written, and the remark after each."""


class Stretch(NamedTuple):
    """A stretch of a clock's time in which its rate is constant or changes evenly.

    Attributes:
        begin_ps: where it begins.
        shift_ps: the excess count of the clock up to there.
        rate: the share of time that is too much at its beginning, in units of 1 / `PARTS`.
        slope: how much that changes in a picosecond, in units of 1 / `SLOPE_PARTS`.
    """

    begin_ps: int
    shift_ps: int
    rate: int
    slope: int

    def shift_at(self, time_ps: int) -> int:
        """How far the clock is ahead when it shows this time."""
        passed = time_ps - self.begin_ps
        share = self.rate + self.slope * passed // SLOPE_PARTS
        return self.shift_ps + (passed * share + PARTS // 2) // PARTS


@dataclass(frozen=True)
class BoardClock:
    """The clock of a board relative to the boards that have none in detectors.toml.

    Attributes:
        board: the board's number.
        rate_ppm: its rate offset, parts per million: one number, or a tuple of those at times equally spaced.
        rate_range_s: the times of the first and the last of several rates, by the board's own clock, seconds.
    """

    board: int
    rate_ppm: float | tuple[float, ...]
    rate_range_s: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        where = f"clock of board {self.board}"
        if not all(abs(rate) <= MAX_PPM for rate in self.rates):
            raise DetectorsError(f"{where}: rate_ppm must be between {-MAX_PPM:g} and {MAX_PPM:g}")
        if isinstance(self.rate_ppm, tuple) != (self.rate_range_s is not None):
            raise DetectorsError(f"{where}: rate_ppm must be a list if, and only if, rate_range_s is given")
        if self.rate_range_s is None:
            return
        if not 2 <= len(self.rates) <= MOST_RATES:
            raise DetectorsError(f"{where}: rate_ppm must be a number or a list of 2 to {MOST_RATES:,} of them")
        first, last = self.rate_range_s
        if not TIMES_PS[0] <= first * PS_PER_S < last * PS_PER_S <= TIMES_PS[1]:
            raise DetectorsError(f"{where}: rate_range_s must be two possible times of hits, the earlier first")
        if self.step_ps < LEAST_STEP_PS:
            raise DetectorsError(f"{where}: rates must be at least 1 us apart: there are too many in rate_range_s")

    @property
    def rates(self) -> tuple[float, ...]:
        """All its rates."""
        return self.rate_ppm if isinstance(self.rate_ppm, tuple) else (self.rate_ppm,)

    @property
    def first_ps(self) -> int:
        """The time of the first rate."""
        return round(self.rate_range_s[0] * PS_PER_S) if self.rate_range_s else 0

    @property
    def step_ps(self) -> int:
        """The time between two rates; of a single one, any."""
        if self.rate_range_s is None:
            return MAX_PS
        return round((self.rate_range_s[1] - self.rate_range_s[0]) * PS_PER_S / (len(self.rates) - 1))

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """The stretches of its time: before the first of several rates, between each two, after the last."""
        shares = [round(Fraction(rate) / (PPM + Fraction(rate)) * PARTS) for rate in self.rates]
        if self.rate_range_s is None:
            return (Stretch(0, 0, shares[0], 0),)
        begin, step = self.first_ps, self.step_ps
        total = 2 * shares[0] * begin  # twice the shift at a rate's time, so that it is a whole number of 1 / PARTS
        found = [Stretch(begin, _rounded(total), shares[0], 0)]
        for place, (share, following) in enumerate(pairwise(shares)):
            slope = (following - share) * SLOPE_PARTS // (2 * step)
            found.append(Stretch(begin + place * step, _rounded(total), share, slope))
            total += (share + following) * step
        end = begin + (len(shares) - 1) * step
        return (*found, Stretch(end, _rounded(total), shares[-1], 0))

    def shift_ps(self, time_ps: int) -> int:
        """How far the clock is ahead when it shows this time."""
        place = (time_ps - self.first_ps) // self.step_ps + 1
        return self.stretches[min(max(place, 0), len(self.stretches) - 1)].shift_at(time_ps)


def _rounded(twice: int) -> int:
    """Whole picoseconds of twice as many in units of 1 / `PARTS`."""
    return (twice + PARTS) // (2 * PARTS)


def parse_clocks(tables: object) -> tuple[BoardClock, ...]:
    """The [[clock]] tables of detectors.toml.

    Raises:
        DetectorsError: one holds an unknown key or a wrong value, or a board has two.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DetectorsError("'clock' must be an array of tables: write [[clock]]")
    return tuple(_clock(table) for table in tables)


def _clock(table: dict[str, Any]) -> BoardClock:
    where = f"clock of board {shown(table.get('board', '?'))}"
    if unknown := table.keys() - CLOCK_KEYS.keys():
        raise DetectorsError(f"{where} has the unknown key '{min(unknown)}' (known: {', '.join(CLOCK_KEYS)})")
    if missing := [key for key in ("board", "rate_ppm") if key not in table]:
        raise DetectorsError(f"{where} has no {missing[0]}")
    board = table["board"]
    if type(board) is not int or not 0 <= board < 2**16:
        raise DetectorsError(f"{where}: board must be a whole number from 0 to 65535, not {shown(board)}")
    rate = table["rate_ppm"]
    rates = _numbers(rate, f"{where}: rate_ppm") if isinstance(rate, list) else number(rate, f"{where}: rate_ppm")
    ends = _numbers(table["rate_range_s"], f"{where}: rate_range_s") if "rate_range_s" in table else None
    if ends is not None and len(ends) != 2:
        raise DetectorsError(f"{where}: rate_range_s must be two times, not {shown(table['rate_range_s'])}")
    return BoardClock(board, rates, (ends[0], ends[1]) if ends else None)


def _numbers(value: object, where: str) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise DetectorsError(f"{where} must be a list of numbers, not {shown(value)}")
    return tuple(number(item, where) for item in value)


def values_of_clock(clock: BoardClock) -> dict[str, Any]:
    """The values of a [[clock]] table, in their order in it."""
    return {key: getattr(clock, key) for key in CLOCK_KEYS}


def format_clock(clock: BoardClock) -> str:
    """The [[clock]] table of a clock."""
    return format_table("[[clock]]", values_of_clock(clock), CLOCK_KEYS)


def combined(first: BoardClock | None, further: BoardClock) -> BoardClock:
    """The clock by which both corrections are made at once: the first, and the further one of the corrected times.

    Rates of the two multiply: 1 + r = (1 + r1) (1 + r2). Where both change, there are rates from the earliest to the
    latest time of either, as close as the closer ones.
    """
    if first is None:
        return further
    changing = [clock for clock in (first, further) if clock.rate_range_s]
    if not changing:
        return BoardClock(further.board, _product(first.rates[0], further.rates[0]))
    begin = min(clock.first_ps for clock in changing)
    end = max(clock.first_ps + (len(clock.rates) - 1) * clock.step_ps for clock in changing)
    steps = math.ceil((end - begin) / min(clock.step_ps for clock in changing))
    steps = len(changing[0].rates) - 1 if len(changing) == 1 else min(steps, MOST_RATES - 1)
    times = [begin + (end - begin) * place / steps for place in range(steps + 1)]
    rates = tuple(_product(rate_at(first, time), rate_at(further, time)) for time in times)
    ends = changing[0].rate_range_s if len(changing) == 1 else (begin / PS_PER_S, end / PS_PER_S)
    return BoardClock(further.board, rates, ends)


def rate_at(clock: BoardClock, time_ps: float) -> float:
    """The rate of a clock at a time, ppm."""
    place = min(max((time_ps - clock.first_ps) / clock.step_ps, 0.0), len(clock.rates) - 1.0)
    low = math.floor(place)
    high = min(low + 1, len(clock.rates) - 1)
    return clock.rates[low] + (clock.rates[high] - clock.rates[low]) * (place - low)


def _product(first_ppm: float, second_ppm: float) -> float:
    return first_ppm + second_ppm + first_ppm * second_ppm / PPM
