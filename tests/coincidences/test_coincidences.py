"""Pairs and nearest stops, against a comparison of every hit with every other."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.coincidences import PairRule, chance_pairs, nearest, pairs
from gammapolars.coincidences import rule as coincidences
from gammapolars.core.errors import TableError, TimeOrderError, UsageError
from gammapolars.core.schema import PAIRS, require
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detector, Detectors
from gammapolars.streaming.slices import slices
from tests.drawing import examples, repetitions
from tests.hits import (
    FINE_TIMESTAMP,
    PAIR_COLUMNS,
    PILE_UP,
    SATURATION,
    SIZES,
    CountedStream,
    brute_nearest,
    brute_pairs,
    frame,
    numbered,
    pair_rows,
    runs,
    stream,
    windows,
)

START, STOP = (0, 1), (1, 0)
REORDER = 2000
"""More than the disorder of any drawn run."""

PARTS = st.sampled_from([1, 7, 4_000_000])
"""Sizes of the parts in which bursts are worked off."""


def found_pairs(hits: pl.DataFrame, window: Any, rows: int = 10**9, slice_hits: int = 10**6, **options: Any) -> Any:
    options = {"reorder_ps": REORDER} | options
    return pair_rows(pairs(stream(hits, rows), window, slice_hits=slice_hits, **options))


# Against every hit with every other


@examples(100)
@given(runs(), windows(signed=False), SIZES, SIZES, PARTS, st.sampled_from([0, 5, REORDER]))
def test_pairs_are_those_of_every_hit_with_every_other_in_the_order_of_the_earlier(
    hits: pl.DataFrame, window: tuple[int, int], rows: int, slice_hits: int, part: int, reorder_ps: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coincidences, "PART_PAIRS", part)
        found = found_pairs(hits, window, rows, slice_hits, reorder_ps=reorder_ps)

    assert found == brute_pairs(hits, window)


@examples(80)
@given(runs(), windows(), SIZES, SIZES, PARTS)
def test_pairs_of_a_start_and_a_stop_detector_are_signed(
    hits: pl.DataFrame, window: tuple[int, int], rows: int, slice_hits: int, part: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coincidences, "PART_PAIRS", part)
        found = found_pairs(hits, window, rows, slice_hits, start=START, stop=STOP)

    assert found == brute_pairs(hits, window, ends=(START, STOP))


@examples(80)
@given(runs(), windows(), SIZES, SIZES)
def test_nearest_is_the_stop_of_smallest_dt_in_the_window(
    hits: pl.DataFrame, window: tuple[int, int], rows: int, slice_hits: int
) -> None:
    found = nearest(stream(hits, rows), START, STOP, window, reorder_ps=REORDER, slice_hits=slice_hits).collect()

    assert found.select("adc_a", "timestamp_ps", "dt_ps").rows() == brute_nearest(hits, window, (START, STOP))
    stops = {(row["adc"], row["timestamp_ps"]) for row in hits.iter_rows(named=True)}
    assert {(row["adc_b"], row["timestamp_ps"] + row["dt_ps"]) for row in found.iter_rows(named=True)} <= stops
    assert set(found.select("board_a", "channel_a").rows()) <= {START}
    assert set(found.select("board_b", "channel_b").rows()) <= {STOP}


@pytest.mark.parametrize("seed", range(2))
def test_of_stops_at_the_same_time_the_same_is_taken_whatever_the_slices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, 60, 300)).tolist()
    hits = numbered(zip(at, rng.integers(0, 2, 300).tolist(), rng.integers(0, 2, 300).tolist(), strict=True))
    whole = nearest(hits.lazy(), START, STOP, 5).collect()

    for rows, slice_hits in ((1000, 1000), (7, 5), (50, 20)):
        cut = nearest(stream(hits, rows), START, STOP, 5, reorder_ps=0, slice_hits=slice_hits).collect()

        assert cut.rows() == whole.rows()


@examples(100)
@given(runs(disorder=60), windows(signed=False), SIZES, SIZES)
def test_pairs_of_disordered_hits_are_those_of_sorted_hits(
    hits: pl.DataFrame, window: tuple[int, int], rows: int, slice_hits: int
) -> None:
    assert found_pairs(hits, window, rows, slice_hits, reorder_ps=60) == brute_pairs(hits, window)


@examples(60)
@given(runs(), st.sampled_from(["none", "pile_up", 0x80, "saturation,fine_timestamp", 0xFFFFFFFF]), SIZES)
def test_only_the_flags_asked_for_reject(hits: pl.DataFrame, reject: str | int, slice_hits: int) -> None:
    masks = {
        "none": 0,
        "pile_up": PILE_UP,
        0x80: SATURATION,
        "saturation,fine_timestamp": 0x4480,
        0xFFFFFFFF: 2**32 - 1,
    }

    found = found_pairs(hits, 40, slice_hits=slice_hits, reject=reject)

    assert found == brute_pairs(hits, (-40, 40), mask=masks[reject])


@pytest.mark.slow
@examples(repetitions(4000))
@given(runs(most=120, disorder=60), windows(signed=False), windows(), SIZES, SIZES, PARTS)
def test_many_more_runs(
    hits: pl.DataFrame,
    window: tuple[int, int],
    signed: tuple[int, int],
    rows: int,
    slice_hits: int,
    part: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coincidences, "PART_PAIRS", part)
        assert found_pairs(hits, window, rows, slice_hits) == brute_pairs(hits, window)
        ends: dict[str, Any] = {"start": START, "stop": STOP}
        assert found_pairs(hits, signed, rows, slice_hits, **ends) == brute_pairs(hits, signed, ends=(START, STOP))


# One rule at a time


def dts(*hits: tuple[int, ...], window: Any = 100, **options: Any) -> list[int]:
    """The dt of all pairs of hits given as (time, channel, board, adc, flags)."""
    return [row[-1] for row in found_pairs(frame(hits), window, **options)]


def test_the_window_is_closed_at_its_upper_end() -> None:
    assert dts((0, 0), (100, 1)) == [100]
    assert dts((0, 0), (101, 1)) == []


def test_the_window_is_closed_at_both_ends_when_it_has_two() -> None:
    hits = [(0, 0), (9, 1), (10, 2), (20, 3), (21, 4)]

    assert dts(*hits, window=(10, 20)) == [10, 20, 11, 12, 10, 11]


@pytest.mark.parametrize(("low", "high", "expected"), [(-20, -10, [-10, -20]), (-10, 20, [20, -10]), (0, 20, [20])])
def test_a_signed_window_is_closed_at_both_ends(low: int, high: int, expected: list[int]) -> None:
    stops = [(979, 0, 1), (980, 0, 1), (990, 0, 1), (1020, 0, 1), (1021, 0, 1)]

    found = dts((1000, 1), *stops, window=(low, high), start=START, stop=STOP, reorder_ps=30)

    assert sorted(found) == sorted(expected)


def test_a_window_of_nothing_holds_hits_of_the_same_time_only() -> None:
    assert dts((5, 0), (5, 1), (6, 2), window=0) == [0]


def test_hits_of_one_detector_are_never_a_pair() -> None:
    assert dts((0, 0), (0, 0), (50, 0)) == []


def test_the_same_channel_of_two_boards_is_two_detectors() -> None:
    assert found_pairs(frame([(0, 3, 0), (7, 3, 1)]), 100) == [(0, 3, 0, 1, 3, 0, 0, 7)]


def test_of_two_hits_at_the_same_time_the_lower_detector_comes_first() -> None:
    expected = (0, 7, 2, 1, 3, 1, 5, 0)

    assert found_pairs(frame([(5, 3, 1, 1), (5, 7, 0, 2)]), 0) == [expected]
    assert found_pairs(frame([(5, 7, 0, 2), (5, 3, 1, 1)]), 0) == [expected]
    assert found_pairs(frame([(5, 2, 0, 1), (5, 1, 0, 2)]), 0) == [(0, 1, 2, 0, 2, 1, 5, 0)]


def test_of_two_hits_at_different_times_the_earlier_comes_first_whatever_its_number() -> None:
    assert found_pairs(frame([(5, 9, 9), (6, 0, 0)]), 10) == [(9, 9, 0, 0, 0, 0, 5, 1)]


def test_the_start_is_a_even_if_it_comes_later_or_at_the_same_time() -> None:
    ends: dict[str, Any] = {"start": STOP, "stop": START}
    hits = frame([(0, 1, 0, 11), (4, 0, 1, 12), (4, 1, 0, 13)])

    assert found_pairs(hits, 10, **ends) == [(1, 0, 12, 0, 1, 11, 4, -4), (1, 0, 12, 0, 1, 13, 4, 0)]


def test_a_rejected_hit_neither_pairs_nor_hides_a_pair_behind_it() -> None:
    hits = [(0, 0), (1, 1, 0, 0, PILE_UP), (2, 2, 0, 0, SATURATION), (3, 3, 0, 0, 0x400), (4, 4, 0, 0, 0x8), (5, 5)]

    assert found_pairs(frame(hits), 10) == [(0, 0, 0, 0, 5, 0, 0, 5)]


def test_many_rejected_hits_between_two_good_ones_hide_nothing() -> None:
    between = [(1, 1 + number % 5, 0, 0, PILE_UP) for number in range(500)]

    assert dts((0, 0), *between, (2, 9), slice_hits=3, window=5) == [2]


def test_a_rejected_stop_does_not_stand_before_a_good_one() -> None:
    hits = numbered([(0, 1), (1, 0, 1, 0, PILE_UP), (2, 0, 1)])

    assert nearest(hits.lazy(), START, STOP, 10).collect()["dt_ps"].to_list() == [2]


def test_the_fine_timestamp_flag_rejects_nothing() -> None:
    assert dts((0, 0, 0, 0, FINE_TIMESTAMP), (1, 1, 0, 0, FINE_TIMESTAMP)) == [1]


def test_of_two_stops_as_near_the_later_is_taken() -> None:
    assert nearest(frame([(0, 0, 1), (5, 1), (10, 0, 1)]).lazy(), START, STOP, 10).collect()["dt_ps"].to_list() == [5]


def test_one_stop_can_serve_several_starts() -> None:
    hits = frame([(0, 1), (1, 1), (3, 0, 1)])

    assert nearest(hits.lazy(), START, STOP, 10).collect()["dt_ps"].to_list() == [3, 2]


def test_a_window_of_one_side_takes_the_first_stop_on_this_side() -> None:
    hits = frame([(9, 0, 1), (10, 1), (30, 0, 1), (40, 0, 1)]).lazy()

    assert nearest(hits, START, STOP, (0, 50)).collect()["dt_ps"].to_list() == [20]
    assert nearest(hits, START, STOP, (25, 50)).collect()["dt_ps"].to_list() == [30]
    assert nearest(hits, START, STOP, (-50, 0)).collect()["dt_ps"].to_list() == [-1]


def test_a_window_below_zero_looks_past_the_stops_that_are_too_near() -> None:
    hits = frame([(0, 0, 1), (20, 0, 1), (35, 0, 1), (40, 1)]).lazy()

    assert nearest(hits, START, STOP, (-50, -10)).collect()["dt_ps"].to_list() == [-20]
    assert nearest(hits, START, STOP, (-50, -30)).collect()["dt_ps"].to_list() == [-40]


@pytest.mark.parametrize("detectors", [(START, STOP), (Detector(*START), Detector(*STOP, name="stop"))])
def test_start_and_stop_are_detectors_or_their_numbers(detectors: tuple[Any, Any]) -> None:
    start, stop = detectors
    hits = frame([(0, 1), (3, 0, 1), (4, 5, 5)])

    assert found_pairs(hits, 10, start=start, stop=stop) == [(0, 1, 0, 1, 0, 0, 0, 3)]
    assert nearest(hits.lazy(), start, stop, 10).collect().height == 1


# Runs of unusual shape


@pytest.mark.parametrize("window", [0, 250_000, 2**62])
@pytest.mark.parametrize("hits", [[], [(7,)], [(7,), (8,)]], ids=["no hit", "one hit", "one detector"])
def test_runs_without_a_pair_are_empty_tables(hits: list[tuple[int]], window: int) -> None:
    for found in (pairs(frame(hits).lazy(), window), nearest(frame(hits).lazy(), START, STOP, window)):
        assert found.collect().equals(pl.DataFrame(schema=dict(PAIRS.columns)).select(found.collect_schema().names()))


@pytest.mark.parametrize("part", [1, 100, 4_000_000])
@pytest.mark.parametrize("slice_hits", [1, 50, 10**6])
def test_a_burst_of_many_hits_pairs_each_with_each(monkeypatch: pytest.MonkeyPatch, part: int, slice_hits: int) -> None:
    monkeypatch.setattr(coincidences, "PART_PAIRS", part)
    hits = numbered((number // 3, number % 8) for number in range(90))

    assert found_pairs(hits, 1000, 40, slice_hits) == brute_pairs(hits, (0, 1000))


@pytest.mark.parametrize(("part", "largest"), [(500, 500), (1, 199)])
def test_a_burst_comes_in_parts_of_bounded_size(monkeypatch: pytest.MonkeyPatch, part: int, largest: int) -> None:
    monkeypatch.setattr(coincidences, "PART_PAIRS", part)
    hits = frame((0, number) for number in range(200))

    (whole,) = slices(hits.lazy(), 10)
    parts = list(PairRule(10).pairs_in(whole))

    assert sum(part.height for part in parts) == 200 * 199 // 2
    assert max(part.height for part in parts) <= largest


def test_times_far_from_zero_lose_no_picosecond() -> None:
    month = 30 * 86_400 * 10**12

    assert found_pairs(frame([(month, 0), (month + 1, 1)]), 1) == [(0, 0, 0, 0, 1, 0, month, 1)]
    assert found_pairs(frame([(-month, 0), (-month + 1, 1)]), 1) == [(0, 0, 0, 0, 1, 0, -month, 1)]


@pytest.mark.parametrize("window", [10**6, 2**40, "50s", 2**62])
@pytest.mark.parametrize("slice_hits", [1, 10, 1000])
def test_a_window_wider_than_slices_or_the_run_pairs_everything(window: Any, slice_hits: int) -> None:
    hits = numbered((100 * number, number % 4) for number in range(60))

    assert found_pairs(hits, window, 7, slice_hits) == brute_pairs(hits, (0, 2**62))


# Columns, and the queries built on top


def test_pairs_are_a_table_of_pairs() -> None:
    for found in (pairs(frame([]).lazy()), nearest(frame([]).lazy(), START, STOP)):
        require(found, PAIRS)
        assert set(found.collect_schema()) == set(PAIR_COLUMNS)


EXTRA = numbered([(0, 0), (4, 1), (4, 0), (6, 2, 1), (1000, 0), (1001, 1)]).with_columns(
    adc_short=pl.col("adc") + 100, place=pl.format("hit {}", "adc"), x=pl.col("timestamp_ps").cast(pl.Float32)
)


@pytest.mark.parametrize("find", [lambda hits: pairs(hits, 10), lambda hits: nearest(hits, (0, 0), (0, 1), 10)])
def test_every_further_column_is_carried_for_both_hits(find: Callable[[pl.LazyFrame], pl.LazyFrame]) -> None:
    found = find(EXTRA.lazy()).collect()

    assert found.height > 0
    assert {name[:-2] for name in found.columns if name.endswith("_a")} == {*EXTRA.columns} - {"timestamp_ps", "flags"}
    assert (found["place_a"] == found.select(pl.format("hit {}", "adc_a")).to_series()).all()
    assert (found["place_b"] == found.select(pl.format("hit {}", "adc_b")).to_series()).all()
    assert (found["adc_short_b"] == found["adc_b"] + 100).all()
    assert found["x_a"].to_list() == found["timestamp_ps"].cast(pl.Float32).to_list()
    assert found["x_b"].to_list() == (found["timestamp_ps"] + found["dt_ps"]).cast(pl.Float32).to_list()


def test_calibrated_energies_are_carried_and_equal_those_of_calibrated_pairs() -> None:
    detectors = Detectors((Detector(0, 0, energy=(1.0, 2.0)), Detector(0, 1, energy=(0.0, 3.0))))

    before = pairs(calibrate(EXTRA.lazy(), detectors), 10).collect()
    after = calibrate(pairs(EXTRA.lazy(), 10), detectors).collect()

    assert before.select(sorted(before.columns)).equals(after.select(sorted(after.columns)))
    assert before["energy_kev_a"].null_count() < before.height


def test_only_what_a_query_needs_is_read() -> None:
    source = CountedStream(EXTRA)

    pairs(source.frame, 10).select("dt_ps").collect()
    pairs(source.frame, 10, reject="none").select("dt_ps", "place_b").collect()

    needed = ["board", "channel", "flags", "timestamp_ps"]
    assert source.reads[0] == needed
    assert source.reads[1] is not None
    assert set(source.reads[1]) <= {*needed, "place"}


def test_a_frame_without_adc_or_flags_pairs_all_the_same() -> None:
    bare = frame([(0, 0), (1, 1)]).lazy()

    assert pairs(bare.drop("adc"), 10).collect().columns == [
        "board_a",
        "channel_a",
        "board_b",
        "channel_b",
        "timestamp_ps",
        "dt_ps",
    ]
    assert pairs(bare.drop("flags"), 10, reject="none").collect().height == 1
    with pytest.raises(TableError, match="no column 'flags'"):
        pairs(bare.drop("flags"), 10)


@pytest.mark.parametrize("name", ["board", "channel", "timestamp_ps"])
def test_a_frame_without_a_needed_column_is_refused_at_once(name: str) -> None:
    with pytest.raises(TableError, match=f"no column '{name}'"):
        pairs(frame([]).lazy().drop(name))


def test_a_column_of_another_dtype_is_refused_at_once() -> None:
    with pytest.raises(TableError, match=r"'timestamp_ps' of a table of hits should be Int64, not Float64"):
        pairs(frame([]).lazy().cast({"timestamp_ps": pl.Float64}))


RUN = numbered(
    (137 * number - number % 2, number % 5, number % 2, 0, PILE_UP * (number % 7 == 0)) for number in range(500)
)


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_further_queries_compose(engine: Any) -> None:
    everything = pl.DataFrame(brute_pairs(RUN, (0, 400)), PAIR_COLUMNS, orient="row")
    found = pairs(stream(RUN, 33), 400, slice_hits=40)

    chosen = found.filter(pl.col("channel_a") == 2).select("dt_ps", "adc_b").collect(engine=engine)
    grouped = found.group_by("channel_a").agg(n=pl.len()).sort("channel_a").collect(engine=engine)
    first = found.filter(pl.col("dt_ps") > 200).head(9).collect(engine=engine)

    assert chosen.rows() == everything.filter(pl.col("channel_a") == 2).select("dt_ps", "adc_b").rows()
    assert grouped["n"].to_list() == everything.group_by("channel_a").len().sort("channel_a")["len"].to_list()
    assert first.select(PAIR_COLUMNS).rows() == everything.filter(pl.col("dt_ps") > 200).head(9).rows()
    assert found.select(pl.len()).collect(engine=engine).item() == everything.height


def test_nothing_is_read_before_pairs_are_collected_and_twice_gives_the_same() -> None:
    source = CountedStream(RUN, 50)

    found = pairs(source.frame, 400)
    close = nearest(source.frame, START, STOP, 400)
    found.filter(pl.col("dt_ps") > 3).collect_schema()
    assert source.reads == []

    assert found.collect().equals(found.collect())
    assert close.collect().equals(close.collect())
    assert len(source.reads) == 4


def test_the_first_pairs_are_found_without_reading_the_whole_run() -> None:
    source = CountedStream(numbered((1000 * (number // 2), number % 2) for number in range(60_000)), 100)

    found = pairs(source.frame, 10, reorder_ps=0, slice_hits=200).head(5).collect()

    assert found.height == 5
    assert source.batches_read < 300
    assert source.is_closed()


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
@pytest.mark.parametrize(
    "find", [lambda hits: pairs(hits, 5, reorder_ps=20), lambda hits: nearest(hits, START, STOP, 5, reorder_ps=20)]
)
def test_a_hit_too_far_back_is_named_whatever_the_batches(
    find: Callable[[pl.LazyFrame], pl.LazyFrame], rows: int
) -> None:
    hits = stream(frame([(0, 0), (100, 1), (80, 2), (79, 0), (10, 3), (200, 1)]), rows)

    with pytest.raises(
        TimeOrderError, match=r"hit 4 is 21 ps earlier than a preceding hit \(at 79 ps\), and only 20 ps"
    ):
        find(hits).collect()


# Arguments


def test_a_start_needs_a_stop_and_another_one() -> None:
    hits = frame([]).lazy()

    with pytest.raises(UsageError, match="give both or neither"):
        pairs(hits, start=START)
    with pytest.raises(UsageError, match="give both or neither"):
        pairs(hits, stop=STOP)
    with pytest.raises(UsageError, match="same detector"):
        pairs(hits, start=START, stop=START)


def test_a_window_below_zero_needs_a_start() -> None:
    hits = frame([(0, 0), (5, 1)]).lazy()

    with pytest.raises(UsageError, match="is below 0"):
        pairs(hits, (-10, -1))
    assert pairs(hits, (-10, -1), start=(0, 1), stop=(0, 0)).collect()["dt_ps"].to_list() == [-5]


def test_unknown_flags_and_units_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="unknown flag"):
        pairs(frame([]).lazy(), reject="pileup")
    with pytest.raises(UsageError, match="unknown unit"):
        pairs(frame([]).lazy(), "250nm")


# Chance


@pytest.mark.parametrize(
    ("window", "ends", "width"),
    [
        (100, {}, 200),
        ((0, 100), {}, 200),
        ((20, 100), {}, 160),
        ((-30, 100), {"start": START, "stop": STOP}, 130),
        ((-100, -20), {"start": START, "stop": STOP}, 80),
    ],
)
def test_the_width_counts_both_orders_of_two_detectors_where_neither_is_the_start(
    window: Any, ends: dict[str, Any], width: int
) -> None:
    assert PairRule(window, **ends).width_ps == width


def test_chance_pairs_are_the_product_of_rates_width_and_time() -> None:
    assert chance_pairs(1000, 2000, 500_000, 100.0) == pytest.approx(10.0 * 20.0 * 500e-9 * 100.0)
    assert chance_pairs(1000, 2000, 500_000, 0.0) == 0.0


@pytest.mark.parametrize(
    ("window", "ends"),
    [
        ("250ns", {}),
        ("0ns:250ns", {}),
        ("100ns:400ns", {}),
        ("-50ns:250ns", {"start": (0, 0), "stop": (0, 1)}),
        ("-400ns:-100ns", {"start": (0, 0), "stop": (0, 1)}),
    ],
)
def test_uncorrelated_sources_make_as_many_pairs_as_chance_says(window: str, ends: dict[str, Any]) -> None:
    rng = np.random.default_rng(11)
    real_time_s, hits_a, hits_b = 2.0, 150_000, 100_000
    at = np.concatenate([rng.integers(0, int(real_time_s * 1e12), count) for count in (hits_a, hits_b)])
    channel = np.repeat([0, 1], [hits_a, hits_b])
    order = np.argsort(at)
    hits = pl.LazyFrame({"channel": channel[order], "timestamp_ps": at[order]}).select(
        board=pl.lit(0, pl.UInt16), channel=pl.col("channel").cast(pl.UInt16), timestamp_ps="timestamp_ps"
    )
    expected = chance_pairs(hits_a, hits_b, PairRule(window, **ends).width_ps, real_time_s)

    found = pairs(hits, window, reject="none", **ends).select(pl.len()).collect().item()

    assert expected > 1000
    assert abs(found - expected) < 4 * np.sqrt(expected)
