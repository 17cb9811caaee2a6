"""Events, their sums and their triples, against plain loops over all hits."""

from importlib import import_module
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.coincidences import event_summary, events, triples
from gammapolars.coincidences.events import event_starts
from gammapolars.core.errors import InputError, TableError, TimeOrderError, UsageError
from gammapolars.core.schema import EVENTS, TRIPLES, require
from gammapolars.corrections import calibrate
from gammapolars.simulate import DEFAULT_DETECTORS, around_source, parse_sources, simulate
from gammapolars.streaming.slices import batches_of
from tests.brute import brute_events, brute_triples, detectors_of
from tests.drawing import examples
from tests.hits import PILE_UP, SIZES, CountedStream, frame, in_batches, numbered, runs, stream

REFS = st.sampled_from(["first", "last"])
WINDOWS = st.one_of(st.integers(0, 60), st.sampled_from([150, 10**6, 2**61]))
REORDER = 2000

EVENT_COLUMNS = ["adc", "event", "multiplicity", "time_in_event_ps"]

Rows = list[dict[str, Any]]


@st.composite
def several_runs(draw: st.DrawFn) -> pl.DataFrame:
    """Up to three runs one after another, numbered by their hits' adc all through."""
    parts = draw(st.lists(runs(most=20), min_size=1, max_size=3))
    table = pl.concat([part.with_columns(run=pl.lit(n, pl.UInt16)) for n, part in enumerate(parts, 1)])
    return table.with_columns(adc=pl.int_range(table.height, dtype=pl.UInt16))


def event_rows(found: list[Rows], least: int = 1) -> list[tuple[int, ...]]:
    return [
        (hit["adc"], number, len(detectors_of(event)), hit["timestamp_ps"] - event[0]["timestamp_ps"])
        for number, event in enumerate(found)
        if len(detectors_of(event)) >= least
        for hit in event
    ]


def in_order(table: pl.DataFrame) -> pl.DataFrame:
    return table.sort(*(["run"] if "run" in table.columns else []), "timestamp_ps", maintain_order=True)


def built(table: pl.DataFrame, window: int, rows: int = 10**9, **options: Any) -> pl.DataFrame:
    options = {"reorder_ps": REORDER} | options
    return events(stream(table, rows), window, **options).collect()


# Building


@examples(100)
@given(runs(), WINDOWS, REFS, SIZES, SIZES, st.integers(1, 3), st.sampled_from([0, 5, REORDER]))
def test_events_are_those_of_a_loop_over_all_hits(
    hits: pl.DataFrame, window: int, ref: str, rows: int, slice_hits: int, least: int, reorder_ps: int
) -> None:
    options: dict[str, Any] = {"slice_hits": slice_hits, "min_multiplicity": least, "reorder_ps": reorder_ps}

    found = built(hits, window, rows, window_ref=ref, **options)

    assert found.select(EVENT_COLUMNS).rows() == event_rows(brute_events(hits.to_dicts(), window, ref), least)


@examples(60)
@given(several_runs(), WINDOWS, REFS, SIZES, SIZES)
def test_no_event_goes_from_one_run_into_another(
    hits: pl.DataFrame, window: int, ref: str, rows: int, slice_hits: int
) -> None:
    found = built(hits, window, rows, window_ref=ref, slice_hits=slice_hits)

    assert found.select(EVENT_COLUMNS).rows() == event_rows(brute_events(hits.to_dicts(), window, ref))


@examples(100)
@given(runs(disorder=60), WINDOWS, REFS, SIZES, SIZES)
def test_events_of_disordered_hits_are_those_of_sorted_hits(
    hits: pl.DataFrame, window: int, ref: str, rows: int, slice_hits: int
) -> None:
    found = built(hits, window, rows, window_ref=ref, slice_hits=slice_hits, reorder_ps=60)

    assert found.select(EVENT_COLUMNS).rows() == event_rows(brute_events(in_order(hits).to_dicts(), window, ref))


@pytest.mark.parametrize("ref", ["first", "last"])
@pytest.mark.parametrize("mean_gap", [3, 20, 200])
def test_a_long_run_without_gaps_gives_the_same_whatever_the_slices(ref: str, mean_gap: int) -> None:
    rng = np.random.default_rng(mean_gap)
    times = np.cumsum(rng.exponential(mean_gap, 12_000).astype(int)).tolist()
    hits = frame(zip(times, rng.integers(0, 4, len(times)).tolist(), strict=True))

    whole = built(hits, 100, window_ref=ref)

    oracle = [
        (number, hit["timestamp_ps"]) for number, e in enumerate(brute_events(hits.to_dicts(), 100, ref)) for hit in e
    ]
    assert whole.select("event", "timestamp_ps").rows() == oracle
    assert built(hits, 100, 700, window_ref=ref, slice_hits=500, reorder_ps=0).equals(whole)


@examples(150)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=25), min_size=1, max_size=4), st.integers(0, 40), REFS
)
def test_events_begin_anew_at_breaks_where_times_may_step_back(parts: list[list[int]], window: int, ref: Any) -> None:
    times = [np.cumsum(part) for part in parts]
    breaks = np.concatenate([np.arange(len(part)) == 0 for part in parts])

    found = event_starts(np.concatenate(times), window, ref, breaks)

    assert found.tolist() == [bool(start) for part in times for start in event_starts(part, window, ref)]


def test_memory_is_bounded_where_a_run_has_no_gaps() -> None:
    """What waits between slices is the open event: nothing is read far ahead of what is given out."""
    hits = frame((3 * number, number % 4) for number in range(20_000))
    counted = CountedStream(hits, 100)

    largest, given_out = 0, 0
    for part in batches_of(events(counted.frame, 30, reorder_ps=0, slice_hits=100), batch_rows=100):
        largest = max(largest, part.height)
        given_out += part.height
        assert counted.batches_read * 100 - given_out < 10_000

    assert given_out == hits.height
    assert largest <= 2000


@pytest.mark.parametrize("ref", ["first", "last"])
@pytest.mark.parametrize("slice_hits", [7, 1000])
def test_an_event_that_never_ends_is_an_error_that_says_so(
    ref: str, slice_hits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("gammapolars.coincidences.events"), "MOST_HITS", 50)
    hits = frame((10 * number, number % 4) for number in range(200))

    with pytest.raises(InputError, match=r"more than 50 hits: 1 us is longer than the time between hits"):
        built(hits, 10**6, 9, window_ref=ref, slice_hits=slice_hits)
    assert built(hits, 490, window_ref="first", slice_hits=slice_hits)["event"].max() == 3


def test_the_window_is_closed_and_measured_from_what_is_asked_for() -> None:
    hits = frame([(0, 0), (10, 1), (20, 2), (31, 3)])

    assert built(hits, 10)["event"].to_list() == [0, 0, 1, 2]
    assert built(hits, 20)["event"].to_list() == [0, 0, 0, 1]
    assert built(hits, 10, window_ref="last")["event"].to_list() == [0, 0, 0, 1]


def test_two_hits_of_one_detector_belong_to_an_event_and_count_once() -> None:
    found = built(frame([(0, 1), (1, 1), (2, 2), (3, 1, 1)]), 10)

    assert found["multiplicity"].to_list() == [3] * 4


def test_rejected_hits_neither_prolong_an_event_nor_count() -> None:
    hits = frame([(0, 0), (8, 1, 0, 0, PILE_UP), (16, 2)])

    assert built(hits, 10, window_ref="last")["event"].to_list() == [0, 1]
    assert built(hits, 10, window_ref="last", reject="none")["event"].to_list() == [0, 0, 0]


def test_events_keep_their_numbers_whatever_multiplicity_is_asked_for() -> None:
    hits = frame([(0, 0), (100, 1), (101, 2), (200, 0), (300, 2), (300, 0)])

    assert built(hits, 10, min_multiplicity=2)["event"].to_list() == [1, 1, 3, 3]


def test_all_columns_come_along_and_the_table_is_one_of_events() -> None:
    hits = frame([(0, 0), (1, 1)]).with_columns(energy_kev=pl.lit(3.0), colour=pl.lit("red"))
    found = events(stream(hits), 10)

    assert require(found, EVENTS).names() == [*hits.columns, "event", "multiplicity", "time_in_event_ps"]
    assert found.collect()["colour"].to_list() == ["red", "red"]


def test_only_the_columns_that_are_needed_are_read() -> None:
    counted = CountedStream(frame([(0, 0), (1, 1)]).with_columns(energy_kev=pl.lit(3.0)))

    assert events(counted.frame, 10).select("event").collect()["event"].to_list() == [0, 0]

    assert counted.reads == [["board", "channel", "flags", "timestamp_ps"]]


def test_events_can_be_built_anew_from_events() -> None:
    once = built(frame([(0, 0), (1, 1), (9, 0)]), 20)

    assert built(once, 5)["event"].to_list() == [0, 0, 1]


def test_an_empty_run_has_no_events() -> None:
    nothing = stream(frame([]))

    assert events(nothing).collect().height == 0
    assert event_summary(events(nothing)).collect().height == 0
    assert triples(events(nothing)).collect().height == 0
    assert triples(nothing).collect().height == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"window": "-10ns:20ns"}, "single time, such as 250ns"),
        ({"window": "-10ns"}, "is empty"),
        ({"window_ref": "middle"}, "from the first or the last hit of an event, not from 'middle'"),
        ({"min_multiplicity": 0}, "at least one detector, not 0"),
        ({"reject": "nonsense"}, "unknown flag"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        events(stream(frame([(0, 0)])), **options)


def test_what_is_no_table_of_hits_is_refused() -> None:
    with pytest.raises(TableError, match="no column 'board'"):
        events(pl.LazyFrame({"energy": [1.0]}))
    with pytest.raises(TableError, match="no column 'event'"):
        event_summary(stream(frame([(0, 0)])))
    with pytest.raises(TimeOrderError):
        built(frame([(10**6, 0), (0, 1)]), 10, reorder_ps=5)


# One row an event


@examples(60)
@given(several_runs(), st.integers(0, 60), REFS, SIZES, SIZES)
def test_sums_are_those_of_a_loop_over_events(
    hits: pl.DataFrame, window: int, ref: str, rows: int, slice_hits: int
) -> None:
    # Energies that are exact in any order of summing, unknown for one detector.
    energy = pl.when(pl.col("channel") != 2).then(pl.col("adc") * 0.5)
    hits = hits.with_columns(energy_kev=energy)

    found = event_summary(
        events(stream(hits, rows), window, window_ref=ref, slice_hits=slice_hits, reorder_ps=REORDER),
        slice_hits=slice_hits,
    ).collect()

    expected = []
    for number, event in enumerate(brute_events(hits.to_dicts(), window, ref)):
        known = [hit["energy_kev"] for hit in event if hit["energy_kev"] is not None]
        names = [f"{board}/{channel}" for board, channel in sorted(detectors_of(event))]
        first = event[0]
        row = (number, first["run"], first["timestamp_ps"], len(names), len(event), names)
        expected.append((*row, sum(hit["adc"] for hit in event), sum(known) if known else None))
    assert found.rows() == expected
    assert found.columns[5:] == ["detectors", "sum_adc", "sum_energy_kev"]


def test_events_out_of_order_have_no_summary() -> None:
    table = built(frame([(0, 0), (100, 1)]), 10)

    with pytest.raises(TableError, match="not sorted by their number"):
        event_summary(stream(table.reverse())).collect()


# Triples


def triple_rows(table: pl.DataFrame, window: int | None) -> list[tuple[int, ...]]:
    """All threes of hits, each with each: adc of a, b, c, time of a, dt."""
    found = []
    for three in brute_triples(table.to_dicts(), window):
        first, *others = (hit["timestamp_ps"] for hit in three)
        found.append((*(hit["adc"] for hit in three), first, *(time - first for time in others)))
    return found


TRIPLE_COLUMNS = ["adc_a", "adc_b", "adc_c", "timestamp_ps", "dt_ab_ps", "dt_ac_ps"]


@examples(80)
@given(runs(most=30), st.integers(0, 80), SIZES, SIZES, st.sampled_from([1, 7, 10**6]))
def test_triples_are_those_of_every_three_hits(
    hits: pl.DataFrame, window: int, rows: int, slice_hits: int, part: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("gammapolars.coincidences.triples"), "PART_ROWS", part)
        found = triples(stream(hits, rows), window, slice_hits=slice_hits, reorder_ps=REORDER).collect()

    assert found.select(TRIPLE_COLUMNS).rows() == triple_rows(hits, window)


@examples(50)
@given(several_runs(), st.integers(0, 80), REFS, st.none() | st.integers(0, 60), SIZES, SIZES)
def test_triples_of_events_lie_in_one_event(
    hits: pl.DataFrame, window: int, ref: str, within: int | None, rows: int, slice_hits: int
) -> None:
    table = built(hits, window, window_ref=ref)

    found = triples(stream(table, rows), within, slice_hits=slice_hits).collect()

    assert found.select(TRIPLE_COLUMNS).rows() == triple_rows(table, within)
    assert found["event"].is_sorted()


def test_a_window_of_nothing_holds_hits_of_the_same_time_only() -> None:
    hits = frame([(0, 2), (0, 0), (0, 1), (1, 3)])

    assert triples(stream(hits), 0).collect().select("channel_a", "channel_b", "channel_c").rows() == [(0, 1, 2)]


def test_the_table_is_one_of_triples_with_further_columns_three_times() -> None:
    hits = numbered([(0, 0), (3, 1), (5, 2)]).with_columns(energy_kev=pl.col("adc") * 1.0, adc_short=pl.col("adc"))
    found = triples(stream(hits), 10)

    columns = require(found, TRIPLES).names()
    assert columns[:5] == ["board_a", "channel_a", "adc_a", "energy_kev_a", "adc_short_a"]
    assert found.collect().select("energy_kev_c", "adc_short_c", "dt_ab_ps", "dt_ac_ps").row(0) == (2.0, 2, 3, 5)
    assert triples(stream(hits), 10).select("dt_ac_ps").collect().rows() == [(5,)]


def test_a_burst_of_triples_comes_in_bounded_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("gammapolars.coincidences.triples"), "PART_ROWS", 1000)
    hits = frame((0, number % 6) for number in range(36))

    sizes = [part.height for part in batches_of(triples(stream(hits), 10), batch_rows=1)]

    assert sum(sizes) == 20 * 216  # three of six detectors, six hits each
    assert max(sizes) <= 1100


# Simulated truth


@pytest.fixture(scope="module")
def simulated() -> pl.DataFrame:
    chunks = list(simulate(parse_sources(["Co-60=3kBq"]), around_source(DEFAULT_DETECTORS), hits=60_000, seed=11))
    hits = pl.concat([chunk.hits for chunk in chunks])
    truth = pl.concat([chunk.truth for chunk in chunks])
    return pl.concat([hits, truth], how="horizontal")


@pytest.mark.parametrize("ref", ["first", "last"])
def test_events_are_the_decays_where_nothing_overlaps(simulated: pl.DataFrame, ref: str) -> None:
    found = built(simulated, 200_000, window_ref=ref, reject="none", reorder_ps=10**9)

    # Decays and background whose hits are further than the window, and the spread of a decay, from any other.
    source = (
        pl.when(pl.col("decay") > 0).then(pl.col("decay").cast(pl.Int64)).otherwise(-1 - pl.col("hit").cast(pl.Int64))
    )
    table = found.with_columns(source=source)
    spans = (
        table.group_by("source")
        .agg(first=pl.col("timestamp_ps").min(), last=pl.col("timestamp_ps").max())
        .sort("first")
        .with_columns(before=pl.col("last").cum_max().shift(1), behind=pl.col("first").shift(-1))
    )
    far = 200_000
    alone = (pl.col("first") - pl.col("before") > far).fill_null(True) & (
        pl.col("behind") - pl.col("last") > far
    ).fill_null(True)
    short = pl.col("last") - pl.col("first") <= far
    clean = table.join(spans.filter(alone & short), on="source")
    assert clean["source"].n_unique() > 50_000
    assert (clean.group_by("source").len()["len"] > 1).sum() > 500
    assert clean.group_by("source").agg(pl.col("event").n_unique())["event"].max() == 1
    assert clean.group_by("event").agg(pl.col("source").n_unique())["source"].max() == 1
    true = clean.with_columns(true=pl.struct("board", "channel").n_unique().over("source"))
    assert (true["true"] == true["multiplicity"]).all()


def test_summed_energies_of_cobalt_show_the_sum_of_its_cascade(simulated: pl.DataFrame) -> None:
    calibrated = calibrate(simulated.lazy(), DEFAULT_DETECTORS).collect()

    table = event_summary(events(stream(calibrated, 5000), "200ns", reorder_ps=10**9, min_multiplicity=2)).collect()

    both = simulated.filter((pl.col("decay") > 0) & pl.col("full_energy") & (pl.col("deposits") == 1))
    true = both.group_by("decay").agg(n=pl.len(), sum=pl.col("deposit_kev").sum()).filter(pl.col("n") == 2).height
    near = table.filter((pl.col("sum_energy_kev") - 2505.7).abs() < 8).height
    assert true > 10
    assert true - 5 <= near <= true + 10


def test_cut_streams_of_simulated_hits_give_the_same_events(simulated: pl.DataFrame) -> None:
    hits = simulated.drop("nuclide")

    whole = built(hits, 10**7, reorder_ps=10**9)

    cut = pl.concat(in_batches(hits, 997))
    assert built(cut, 10**7, 997, slice_hits=311, reorder_ps=10**9).equals(whole)
