"""Rules of pairs are values: equal by what they say, copied with changes, and sent to other processes."""

import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.coincidences import PairRule
from gammapolars.coincidences.regions import Clock
from gammapolars.core.errors import UsageError
from gammapolars.core.units import Window
from gammapolars.detectors import Detector
from tests.hits import frame

ENDS: dict[str, Any] = {"start": (0, 1), "stop": (0, 2)}
CLOCK = {(0, 1): Clock(2000, 0), (0, 2): Clock(4000, 500)}


def in_gates(high: float) -> PairRule:
    gate = pl.col("adc").is_between(5, high)
    return PairRule("1us", **ENDS).of_nearest_in((gate, None))


RULES = [
    PairRule(),
    PairRule("0ns:2us", reject="none"),
    PairRule("100ns", reject="saturation,0x8000", **ENDS),
    PairRule("1us", nearest=True, **ENDS),
    PairRule("50ns", random=("1us:2us", "3us:4us")),
    PairRule("50ns").with_random("1us:2us", CLOCK),
    in_gates(9),
    in_gates(8),
]


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_equal_by_value_also_after_a_journey(rule: PairRule) -> None:
    copy = pickle.loads(pickle.dumps(rule))

    assert copy == rule == replace(rule)
    assert [copy == other for other in RULES].count(True) == 1
    assert hash(copy) == hash(rule)
    assert (copy.regions, copy.reach, copy.mask) == (rule.regions, rule.reach, rule.mask)
    with pytest.raises(FrozenInstanceError):
        rule.nearest = False  # type: ignore[misc]


def test_texts_numbers_and_detectors_make_the_same_rule() -> None:
    by_text = PairRule("1ns", reject="saturation", start=Detector(0, 1, "A"), stop=Detector(0, 2, "B"))

    assert by_text == PairRule(1000, reject={"saturation": 0x480}, **ENDS)
    assert by_text.detectors == ((0, 1), (0, 2))
    assert by_text.window == Window(-1000, 1000)


def test_rules_with_random_windows_keep_the_rest() -> None:
    rule = PairRule("10ns", reject="0x480", **ENDS)

    with_random = rule.with_random(["1us:3us", "2us:4us"], CLOCK)

    assert with_random.regions
    assert with_random.regions.random == (Window(1_000_000, 4_000_000),)
    assert replace(with_random, random=(), clock={}) == rule


@pytest.mark.parametrize("window", [2.5, True, (0.5, 2), (0, 2.0), [0, 2], None])
def test_windows_in_python_are_whole_picoseconds_or_have_a_unit(window: Any) -> None:
    with pytest.raises(
        UsageError, match="is not a whole number of picoseconds: give an integer, or a time with a unit, such as"
    ):
        PairRule(window)


@pytest.mark.parametrize("window", ["-1ns:2ns", "-3ns:2ns", (-5, 10), (-5, 0)])
def test_without_a_start_no_window_begins_below_0(window: Any) -> None:
    with pytest.raises(UsageError, match="begins below 0, but without a start detector dt is never negative"):
        PairRule(window)
    assert PairRule(window, start=(0, 0), stop=(0, 1)).window.low < 0


def test_a_window_from_0_is_the_same_without_start_and_stop() -> None:
    hits = frame([(1000 * n, n % 2, 0, n, 0) for n in range(1, 9)]).lazy()
    assert gp.pairs(hits, "0ns:2us").collect().equals(gp.pairs(hits, "2us").collect())
    assert gp.pairs(hits, 2_000_000).collect().equals(gp.pairs(hits, "2us").collect())
