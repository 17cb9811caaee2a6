"""Hits whose time cannot be are named and left out, wherever they lie, and nothing else is."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from gammapolars.core.errors import TimeOrderError
from gammapolars.streaming.time_order import time_ordered
from gammapolars.streaming.wild_times import WildTime, without_wild_times
from tests.hits import frame, in_batches

MS, S = 10**9, 10**12
BIT = 2**31 * 8000
RESET = 0x4


def steady(hits: int = 2000, seconds: int = 10, seed: int = 1) -> list[int]:
    """Times of hits at random."""
    times: list[int] = np.sort(np.random.default_rng(seed).integers(S, (1 + seconds) * S, hits)).tolist()
    return times


def tamed(times: Sequence[int], rows: int = 10**9, *, leaves_out: bool = True) -> tuple[list[int], list[WildTime]]:
    """The times that are left, and what was told of the others."""
    told: list[WildTime] = []

    def on_wild(wild: WildTime) -> bool:
        told.append(wild)
        return leaves_out

    batches = in_batches(frame((time,) for time in times), rows)
    left = list(without_wild_times(batches, MS, on_wild))
    return [time for batch in left for time in batch["timestamp_ps"]], sorted(told)


OFF = {
    "late": {1000: BIT},
    "early": {1000: -BIT},
    "the first, late": {0: BIT},
    "the last, early": {1999: -BIT},
    "far too early, behind the first": {1: -BIT},
    "several": {3: BIT, 700: -BIT, 701: BIT, 1500: BIT // 8, 1996: BIT},
    "two in a row": {800: BIT, 801: BIT},
    "within the run": {900: 2 * S, 1300: -2 * S},
}


@pytest.mark.parametrize("rows", [10**9, 400, 150])
@pytest.mark.parametrize("name", OFF)
def test_hits_that_are_off_are_left_out(name: str, rows: int) -> None:
    times, off = steady(), OFF[name]
    wrong = [time + off.get(place, 0) for place, time in enumerate(times)]

    left, told = tamed(wrong, rows)

    assert left == [time for place, time in enumerate(times) if place not in off]
    assert [wild.hit - 1 for wild in told] == list(off)
    assert [np.sign(wild.off_ps) for wild in told] == np.sign(list(off.values())).tolist()


@pytest.mark.parametrize(("place", "by_ps"), [(0, -BIT), (1999, BIT)])
@pytest.mark.parametrize("rows", [10**9, 400])
def test_hits_before_and_behind_all_others(place: int, by_ps: int, rows: int) -> None:
    times = steady()
    times[place] += by_ps

    left, told = tamed(times, rows)

    assert left == times[:place] + times[place + 1 :]
    assert [(wild.hit, wild.at_end) for wild in told] == [(place + 1, True)]
    assert "17.2 s" in str(told[0])
    assert str(told[0]).endswith(f"{'later' if place else 'earlier'} than all others")
    assert tamed(times, rows, leaves_out=False)[0] == times
    assert [time for batch in time_ordered([frame((t,) for t in times)]) for time in batch["timestamp_ps"]] == times


def test_the_hit_that_is_off_is_named() -> None:
    times = steady()
    times[1000] += BIT

    with pytest.raises(TimeOrderError, match=r"hit 1,001 is 17\.2 s later than the hits around it"):
        list(time_ordered([frame((time,) for time in times)]))


@pytest.mark.parametrize(
    "times",
    [
        [*steady(1000), *steady(1000, seed=2)],
        [*steady(1000), *(time - S for time in steady(1000))],
        [time for pair in zip(steady(1000), (time + BIT for time in steady(1000)), strict=True) for time in pair],
        [*steady(1000), *(time + 100 * S for time in steady(1000))],
        [*range(0, 90 * S, S), 20 * S],
        [time + 2 * MS * (place % 50 == 0) for place, time in enumerate(range(0, 1000 * MS, MS // 2))],
        [burst * S + hit for burst in range(30) for hit in range(50)] + [31 * S],
    ],
    ids=["two runs", "again", "each second", "a pause", "few", "late buffers", "beam pulses"],
)
@pytest.mark.parametrize("rows", [10**9, 300])
def test_nothing_else_is_off(times: list[int], rows: int) -> None:
    left, told = tamed(times, rows)

    assert left == times
    assert told == []


def test_a_clock_that_starts_again_by_a_flag_is_not_off() -> None:
    times = steady(1000)
    hits = frame([(time, 0) for time in times] + [(0, 0, 0, 0, RESET)] + [(time - S, 0) for time in times])

    given = pl.concat(time_ordered(in_batches(hits, 700)))

    assert given.height == 2001
    assert given["timestamp_ps"].is_sorted()
