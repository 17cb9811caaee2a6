"""Times and windows as text and as picoseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import UsageError
from gammapolars.core.units import MAX_PS, PS_PER_UNIT, Window, format_ps, parse_ps, parse_window


@pytest.mark.parametrize(
    ("text", "picoseconds"),
    [
        ("250ns", 250_000),
        ("250 ns", 250_000),
        ("  1us ", 1_000_000),
        ("0ps", 0),
        ("1.5us", 1_500_000),
        (".5ns", 500),
        ("2.ns", 2000),
        ("+3ps", 3),
        ("-50ns", -50_000),
        ("1e3ns", 1_000_000),
        ("1E-3us", 1000),
        ("2µs", 2_000_000),  # the micro sign
        ("2μs", 2_000_000),  # the Greek letter
        ("7ms", 7_000_000_000),
        ("1s", 10**12),
        ("0.001ns", 1),
        ("0.1ns", 100),  # no binary fraction: must not come out as 99 or 101
    ],
)
def test_a_time_is_read_to_the_picosecond(text: str, picoseconds: int) -> None:
    assert parse_ps(text) == picoseconds


@given(st.integers(-(MAX_PS // 10**12), MAX_PS // 10**12), st.sampled_from(sorted(PS_PER_UNIT)))
def test_whole_numbers_of_any_unit_are_exact(number: int, unit: str) -> None:
    assert parse_ps(f"{number}{unit}") == number * PS_PER_UNIT[unit]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("250", "has no unit"),
        ("250m", "unknown unit 'm'"),
        ("250NS", "unknown unit 'NS'"),
        ("ns", "is not a time"),
        ("", "is not a time"),
        ("1,5ns", "is not a time"),
        ("1 2ns", "is not a time"),
        ("nanns", "is not a time"),
        ("--1ns", "is not a time"),
        ("0.5ps", "not a whole number of picoseconds"),
        ("0.0001ns", "not a whole number of picoseconds"),
        ("1e99s", "longer than"),
        ("60000000s", "longer than"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_ps(text)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("250ns", (-250_000, 250_000)),
        ("-50ns:1us", (-50_000, 1_000_000)),
        ("10ns:20ns", (10_000, 20_000)),
        ("-20ns:-10ns", (-20_000, -10_000)),
        ("5ns:5ns", (5000, 5000)),
        ("0ps", (0, 0)),
        (7, (-7, 7)),
        ((3, 9), (3, 9)),
        (Window(-1, 4), (-1, 4)),
    ],
)
def test_a_window_is_read_from_text_numbers_and_pairs(
    window: str | int | tuple[int, int], expected: tuple[int, int]
) -> None:
    assert parse_window(window) == expected


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("1us:1ns", "is empty"),
        ("-5ns", "is empty"),
        (-5, "is empty"),
        ((2, 1), "is empty"),
        (2**63, "longer than"),
        ((-(2**62) - 1, 0), "longer than"),
        ("1ns:2ns:3ns", "more than two ends"),
        ("", "is not a time"),
        (":", "is not a time"),
        ("1ns:", "is not a time"),
        ("1:2ns", "has no unit"),
    ],
)
def test_what_is_no_window_is_refused_with_the_reason(window: str | int | tuple[int, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_window(window)


@pytest.mark.parametrize(("window", "reach"), [(Window(-7, 3), 7), (Window(-3, 7), 7), (Window(5, 9), 9)])
def test_the_reach_is_the_largest_difference_of_either_sign(window: Window, reach: int) -> None:
    assert window.reach == reach


def test_a_window_is_printed_as_people_write_it() -> None:
    assert str(parse_window("250ns")) == "±250 ns"
    assert str(parse_window("-50ns:1us")) == "-50 ns to 1 us"


@given(st.integers(-(10**6) + 1, 10**6 - 1), st.sampled_from(["ps", "ns", "us", "ms", "s"]))
def test_a_printed_time_of_six_digits_reads_back_the_same(number: int, unit: str) -> None:
    picoseconds = number * PS_PER_UNIT[unit]

    assert parse_ps(format_ps(picoseconds)) == picoseconds


@pytest.mark.parametrize(
    ("picoseconds", "text"),
    [(0, "0 ps"), (999, "999 ps"), (1000, "1 ns"), (-250_000, "-250 ns"), (1_500_000, "1.5 us"), (10**12, "1 s")],
)
def test_a_time_is_printed_in_the_largest_unit_that_fits(picoseconds: int, text: str) -> None:
    assert format_ps(picoseconds) == text
