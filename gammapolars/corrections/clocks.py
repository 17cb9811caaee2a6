"""Clocks of boards that run fast or slow: their excess count, as an expression of exact integers."""

from collections.abc import Callable

import polars as pl

from gammapolars.detectors import BoardClock, Detectors
from gammapolars.detectors.clocks import PARTS, SLOPE_PARTS, Stretch


def clock_shift(detectors: Detectors) -> pl.Expr:
    """The excess count of a hit's clock, in whole ps, by `board` and `timestamp_ps`; 0 for boards without a rate.

    A stretch of the clock's time is found by a division, since its rates are equally spaced, and its numbers by their
    place in a table. Products are of 128 bits: none can overflow, and a division is the only rounding.

    Args:
        detectors: their `clocks`.
    """
    time = pl.col("timestamp_ps")
    begins = dict(zip(detectors.clocks, _begins(detectors), strict=True))
    stretches = [stretch for clock in detectors.clocks for stretch in clock.stretches]

    def of_board(value: Callable[[BoardClock], int]) -> pl.Expr:
        return _by_board(detectors, value)

    place = (time - of_board(lambda clock: clock.first_ps)) // of_board(lambda clock: clock.step_ps) + 1
    last = of_board(lambda clock: len(clock.stretches) - 1)
    stretch = (of_board(lambda clock: begins[clock]) + pl.max_horizontal(pl.min_horizontal(place, last), 0)).cast(
        pl.UInt32
    )

    def of_stretch(value: Callable[[Stretch], int], dtype: type[pl.DataType] = pl.Int128) -> pl.Expr:
        return pl.lit(pl.Series([value(one) for one in stretches], dtype=dtype)).gather(stretch)

    passed = time - of_stretch(lambda one: one.begin_ps, pl.Int64)
    share = of_stretch(lambda one: one.rate)
    if any(one.slope for one in stretches):
        share = share + of_stretch(lambda one: one.slope) * passed // SLOPE_PARTS
    shift = of_stretch(lambda one: one.shift_ps, pl.Int64) + ((share * passed + PARTS // 2) // PARTS).cast(pl.Int64)
    return shift.fill_null(0)


def _begins(detectors: Detectors) -> list[int]:
    """Which stretch, of those of all clocks, each clock begins with."""
    begins = [0]
    for clock in detectors.clocks[:-1]:
        begins.append(begins[-1] + len(clock.stretches))
    return begins


def _by_board(detectors: Detectors, value: Callable[[BoardClock], int]) -> pl.Expr:
    """A number of each board's clock, by the hits' board; null where it has none."""
    boards = 1 + max(clock.board for clock in detectors.clocks)
    values = {clock.board: value(clock) for clock in detectors.clocks}
    table = pl.Series([values.get(board) for board in range(boards)], dtype=pl.Int64)
    board = pl.col("board")
    return pl.lit(table).gather(pl.when(board < boards).then(board))
