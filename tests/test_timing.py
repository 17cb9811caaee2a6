"""Time offsets of detectors, applied to hits."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gammapolars.coincidences import pairs
from gammapolars.detectors import Detector, Detectors
from gammapolars.timing import align, spread_ps
from tests.hits import brute_pairs, frame, pair_rows, runs

OFFSETS = st.integers(-50, 50)


def shifted(offsets: dict[int, int]) -> Detectors:
    """Detectors of board 0 with these offsets."""
    return Detectors(tuple(Detector(0, channel, time_offset_ps=offset) for channel, offset in offsets.items()))


def test_a_detector_that_comes_late_is_moved_back_and_others_stay() -> None:
    hits = frame([(100, 0), (100, 1), (100, 2), (100, 0, 1)])

    found = align(hits.lazy(), shifted({0: 30, 1: -5})).collect()

    assert found["timestamp_ps"].to_list() == [70, 105, 100, 100]
    assert found.drop("timestamp_ps").equals(hits.drop("timestamp_ps"))
    assert found.schema == hits.schema


def test_without_offsets_nothing_is_done() -> None:
    hits = frame([(100, 0)]).lazy()

    assert align(hits, shifted({0: 0})) is hits
    assert align(hits, Detectors()) is hits


def test_one_detector_alone_with_an_offset_is_moved_against_the_others() -> None:
    assert spread_ps(shifted({0: 30})) == 30
    assert align(frame([(100, 0), (100, 1)]).lazy(), shifted({0: 30})).collect()["timestamp_ps"].to_list() == [70, 100]


def test_the_spread_counts_from_detectors_without_offset() -> None:
    assert spread_ps(Detectors()) == 0
    assert spread_ps(shifted({0: 30, 1: 20})) == 30
    assert spread_ps(shifted({0: -30, 1: -20})) == 30
    assert spread_ps(shifted({0: -30, 1: 20})) == 50


def test_hits_can_come_to_lie_before_zero() -> None:
    found = align(frame([(0, 0)]).lazy(), shifted({0: 4000})).collect()

    assert found["timestamp_ps"].to_list() == [-4000]


@settings(max_examples=40, deadline=None)
@given(runs(), OFFSETS, OFFSETS)
def test_aligned_hits_pair_as_if_they_had_been_recorded_so(hits: pl.DataFrame, first: int, second: int) -> None:
    detectors = shifted({0: first, 1: second})
    moved = pl.when(board=0, channel=0).then(first).when(board=0, channel=1).then(second).otherwise(0)
    expected = brute_pairs(hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - moved), (-40, 40))

    found = pairs(align(hits.lazy(), detectors), 40, reorder_ps=spread_ps(detectors))

    assert pair_rows(found) == expected
