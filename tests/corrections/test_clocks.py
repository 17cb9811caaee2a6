"""Clocks of boards that run fast or slow, as detectors.toml gives them, corrected in hits."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.coincidences import pairs
from gammapolars.core.errors import DetectorsError
from gammapolars.core.units import TIMES_PS
from gammapolars.corrections import align, corrected_time
from gammapolars.detectors import BoardClock, Detector, Detectors, combined, parse_detectors, updated_text
from tests.drawing import examples
from tests.hits import SIZES, brute_pairs, frame, pair_rows, runs, stream

RATES = st.floats(-1000, 1000)
TIMES = st.integers(*TIMES_PS)


@st.composite
def clocks(draw: st.DrawFn, board: int = 1, *, longest_s: float = 1e6) -> BoardClock:
    """The clock of a board with one rate, or with several at times of a drawn range."""
    rates = tuple(draw(st.lists(RATES, min_size=1, max_size=6)))
    if len(rates) == 1:
        return BoardClock(board, rates[0])
    first = draw(st.floats(-longest_s, longest_s))
    return BoardClock(board, rates, (first, first + longest_s * draw(st.floats(0.01, 1))))


def exact_shift(clock: BoardClock, time_ps: int) -> Fraction:
    """The integral of r / (1 + r) over a clock's time, in fractions."""
    shares = [Fraction(rate) / (10**6 + Fraction(rate)) for rate in clock.rates]
    knots = [clock.first_ps + place * clock.step_ps for place in range(len(shares))]

    def from_first(time: int) -> Fraction:
        total = shares[0] * min(time - knots[0], 0) + shares[-1] * max(time - knots[-1], 0)
        for (begin, end), (one, other) in zip(pairwise(knots), pairwise(shares), strict=True):
            passed = min(max(time - begin, 0), end - begin)
            total += one * passed + (other - one) * passed**2 / (2 * (end - begin))
        return total

    return from_first(time_ps) + shares[0] * knots[0]


def corrected(clock: BoardClock, times: list[int]) -> list[int]:
    hits = frame([(time, 0, clock.board) for time in times])
    query = hits.lazy().with_columns(timestamp_ps=corrected_time(hits.columns, Detectors(clocks=(clock,))))
    return query.collect()["timestamp_ps"].to_list()


def test_a_clock_that_is_fast_by_5_ppm_counts_so_much_too_much() -> None:
    # 1 s and 5 us by this clock are 1 s.
    assert corrected(BoardClock(1, 5.0), [10**12 + 5 * 10**6, 0, 1000 * (10**12 + 5 * 10**6)]) == [10**12, 0, 10**15]


def test_a_rate_that_rises_evenly_moves_times_by_its_mean() -> None:
    clock = BoardClock(1, (0.0, 2.0, 2.0), (10.0, 30.0))

    times = [seconds * 10**12 for seconds in (5, 10, 20, 30)]

    moved = [time - new for time, new in zip(times, corrected(clock, times), strict=True)]

    assert moved == pytest.approx([0, 0, 10 * 10**6, 30 * 10**6], abs=60)  # r / (1 + r) is 2 ppm less 4e-12


@examples(200)
@given(clocks(), st.lists(TIMES, min_size=1, max_size=20))
def test_shifts_are_those_of_exact_fractions_to_a_picosecond(clock: BoardClock, times: list[int]) -> None:
    found = corrected(clock, times)

    assert found == [time - clock.shift_ps(time) for time in times]
    for time, new in zip(times, found, strict=True):
        assert abs(new - (time - exact_shift(clock, time))) <= (0.501 if len(clock.rates) == 1 else 1.001)


@examples(100)
@given(clocks(longest_s=1e-3), st.lists(st.integers(-(10**9), 2 * 10**9), min_size=2, max_size=40))
def test_a_clock_never_changes_the_order_of_its_own_hits(clock: BoardClock, times: list[int]) -> None:
    found = corrected(clock, sorted(times))

    assert found == sorted(found)


def drifting(first: BoardClock, second: BoardClock, offset: int) -> Detectors:
    return Detectors((Detector(1, 0, time_offset_ps=offset),), clocks=(first, second))


@examples(100)
@given(runs(disorder=30), st.integers(-(10**12), 10**12), RATES, RATES, st.integers(-50, 50), SIZES)
def test_corrected_hits_come_in_order_and_pair_as_if_they_had_been_recorded_so(
    hits: pl.DataFrame, start: int, first: float, second: float, offset: int, batch: int
) -> None:
    # Times a million times longer, so that clocks move hits past each other.
    hits = hits.with_columns(timestamp_ps=pl.col("timestamp_ps") * 10**6 + start)
    known = drifting(BoardClock(0, first), BoardClock(1, second), offset)
    shifts = [
        known.clocks[board].shift_ps(time) + (offset if (board, channel) == (1, 0) else 0)
        for board, channel, time in hits.select("board", "channel", "timestamp_ps").iter_rows()
    ]
    ordered = hits.sort("timestamp_ps", maintain_order=True)
    moved = hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - pl.Series(shifts, dtype=pl.Int64))
    reach = 40 * 10**6

    aligned = align(stream(hits, batch), known, reorder_ps=30 * 10**6)

    found = aligned.collect()
    expected = moved[[hits["adc"].to_list().index(adc) for adc in ordered["adc"]]]
    assert found.equals(expected.sort("timestamp_ps", maintain_order=True))
    assert pair_rows(pairs(aligned, reach, reorder_ps=0)) == brute_pairs(moved, (-reach, reach))


def test_nothing_is_read_before_it_is_asked_for_and_then_only_what_is_needed() -> None:
    hits = frame([(100, 0), (200, 0, 1)])

    aligned = align(hits.lazy(), Detectors(clocks=(BoardClock(1, 5.0),)))

    assert aligned.collect_schema() == hits.schema
    assert aligned.select("adc").collect().equals(hits.select("adc"))
    assert aligned.select(pl.len()).collect().item() == 2


def test_runs_are_corrected_by_themselves_and_follow_each_other() -> None:
    times = [10**15, 10**15 + 1, 5, 6]
    hits = frame([(time, 0, place % 2) for place, time in enumerate(times)]).with_columns(
        run=pl.Series([1, 1, 2, 2], dtype=pl.UInt16)
    )
    clock = BoardClock(1, 1.0)

    found = align(stream(hits, 3), Detectors(clocks=(clock,))).collect()

    assert found["run"].to_list() == [1, 1, 2, 2]
    assert found["timestamp_ps"].to_list() == [10**15 + 1 - clock.shift_ps(10**15 + 1), 10**15, 5, 6]


@examples(50)
@given(st.floats(-400, 400), st.floats(-400, 400), st.lists(st.integers(0, 10**15), min_size=1, max_size=10))
def test_two_corrections_after_each_other_are_one(first: float, second: float, times: list[int]) -> None:
    one, other = BoardClock(1, first), BoardClock(1, second)

    both = corrected(combined(one, other), times)

    assert both == pytest.approx(corrected(other, corrected(one, times)), abs=3)


def test_a_further_rate_adds_to_each_of_several() -> None:
    old = BoardClock(1, (1.0, 2.0, 4.0), (0.0, 10.0))

    assert combined(old, BoardClock(1, 1.0)).rates == pytest.approx((2.0, 3.0, 5.0), abs=1e-5)
    assert combined(BoardClock(1, 1.0), old).rates == pytest.approx((2.0, 3.0, 5.0), abs=1e-5)
    assert combined(None, old) is old


def test_rates_that_both_change_are_given_over_the_times_of_both() -> None:
    first, further = BoardClock(1, (0.0, 2.0), (0.0, 10.0)), BoardClock(1, (1.0, 1.0, 4.0), (5.0, 20.0))

    both = combined(first, further)

    assert both.rate_range_s == (0.0, 20.0)
    assert len(both.rates) == 4  # 7.5 s apart at most
    times = [0.0, 20 / 3, 40 / 3, 20.0]
    sums = [np.interp(t, [0, 10], [0, 2]) + np.interp(t, [5, 12.5, 20], [1, 1, 4]) for t in times]
    assert both.rates == pytest.approx(sums, abs=1e-4)


# In detectors.toml.

TEXT = """\
# two crates
[[clock]]   # the upper one
board = 1
rate_ppm = 5.0   # of the manual

[[detector]]
channel = 3

[[clock]]
rate_range_s = [0, 10]
board = 2
rate_ppm = [1, 2.5]
"""


def test_clocks_come_back_from_the_text_of_a_file() -> None:
    found = parse_detectors(TEXT)

    assert found.clocks == (BoardClock(1, 5.0), BoardClock(2, (1.0, 2.5), (0.0, 10.0)))
    assert found.clock(2) == found.clocks[1]
    assert found.clock(0) is None
    assert updated_text(found) == TEXT


def test_new_rates_stand_where_the_old_ones_did() -> None:
    old = parse_detectors(TEXT)
    new = Detectors(
        old.all,
        clocks=(BoardClock(1, (4.0, 6.0), (0.0, 1.5)), BoardClock(2, (1.0, 3.0), (0.0, 10.0)), BoardClock(4, -7.25)),
        text=old.text,
    )

    text = updated_text(new)

    assert parse_detectors(text) == new
    assert text == TEXT.replace(
        "rate_ppm = 5.0   # of the manual\n",
        "rate_ppm = [4.0, 6.0]   # of the manual\nrate_range_s = [0.0, 1.5]   # times of the first and the last rate, "
        "the others equally spaced between them\n",
    ).replace("[1, 2.5]", "[1, 3.0]") + (
        "\n[[clock]]\nboard = 4\nrate_ppm = -7.25   # rate offset of its clock, in parts per million\n"
    )


def test_clocks_in_one_line_are_updated_in_it() -> None:
    old = parse_detectors("clock = [{board = 1, rate_ppm = 5}]\n")
    new = Detectors(clocks=(BoardClock(1, 6.0), BoardClock(2, 7.0)), text=old.text)

    assert updated_text(new) == "clock = [{board = 1, rate_ppm = 6.0}, {board = 2, rate_ppm = 7.0}]\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("clock = 3", "must be an array of tables"),
        ("[[clock]]\nboard = 1", "has no rate_ppm"),
        ("[[clock]]\nrate_ppm = 1", "has no board"),
        ("[[clock]]\nboard = -1\nrate_ppm = 1", "board must be a whole number"),
        ("[[clock]]\nboard = 1\nrate_ppm = 1001", "must be between -1000 and 1000"),
        ("[[clock]]\nboard = 1\nrate_ppm = nan", "must be a finite number"),
        ("[[clock]]\nboard = 1\nrate_ppm = '5'", "must be a finite number"),
        ("[[clock]]\nboard = 1\nrate_ppm = 1\nrates = 2", "unknown key 'rates'"),
        ("[[clock]]\nboard = 1\nrate_ppm = [1, 2]", "rate_ppm must be a list if, and only if, rate_range_s is given"),
        ("[[clock]]\nboard = 1\nrate_ppm = 1\nrate_range_s = [0, 1]", "if, and only if, rate_range_s is given"),
        ("[[clock]]\nboard = 1\nrate_ppm = [1]\nrate_range_s = [0, 1]", "a number or a list of 2 to"),
        ("[[clock]]\nboard = 1\nrate_ppm = [1, 2]\nrate_range_s = [1, 0]", "the earlier first"),
        ("[[clock]]\nboard = 1\nrate_ppm = [1, 2]\nrate_range_s = [0, 1e30]", "possible times of hits"),
        ("[[clock]]\nboard = 1\nrate_ppm = [1, 2]\nrate_range_s = [0, 1e-9]", "at least"),
        ("[[clock]]\nboard = 1\nrate_ppm = 1\n[[clock]]\nboard = 1\nrate_ppm = 2", "described twice"),
    ],
)
def test_clocks_that_cannot_be_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(DetectorsError, match=complaint):
        parse_detectors(text)
