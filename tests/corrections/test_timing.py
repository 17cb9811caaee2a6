"""Time offsets of detectors, applied to hits."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.coincidences import pairs
from gammapolars.core.errors import DetectorsError, TableError
from gammapolars.corrections import align, spread_ps, walk_ps
from gammapolars.detectors import Detector, Detectors
from tests.drawing import examples
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


@examples(40)
@given(runs(), OFFSETS, OFFSETS)
def test_aligned_hits_pair_as_if_they_had_been_recorded_so(hits: pl.DataFrame, first: int, second: int) -> None:
    detectors = shifted({0: first, 1: second})
    moved = pl.when(board=0, channel=0).then(first).when(board=0, channel=1).then(second).otherwise(0)
    expected = brute_pairs(hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - moved), (-40, 40))

    found = pairs(align(hits.lazy(), detectors), 40, reorder_ps=spread_ps(detectors))

    assert pair_rows(found) == expected


# Time walk.

COEFFICIENTS = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=4).map(tuple)


@st.composite
def walking(draw: st.DrawFn) -> Detector:
    """A detector on channel 0 to 2 of board 0 with an offset and a walk, with a range or without."""
    low = draw(st.none() | st.floats(0.5, 2000))
    limits = None if low is None else (low, low + draw(st.floats(0, 60_000)))
    return Detector(
        0,
        draw(st.integers(0, 2)),
        time_offset_ps=draw(OFFSETS),
        time_walk_ps=draw(COEFFICIENTS),
        time_walk_range=limits,
    )


def walk_by_hand(detector: Detector, adc: float) -> float:
    low, high = detector.time_walk_range or (1.0, 65535.0)
    x = min(max(adc, low), high)
    return math.fsum(b * x ** (-power / 2) for power, b in enumerate(detector.time_walk_ps or (), 1))


@examples(60)
@given(walking(), st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_walk_is_what_the_formula_gives_and_the_spread_bounds_it(detector: Detector, values: list[int]) -> None:
    hits = frame([(10**6, channel, 0, adc) for adc in [0, *values] for channel in range(3)])
    detectors = Detectors((detector, Detector(0, 7, time_walk_ps=(1.0,))))

    moved = 10**6 - align(hits.lazy(), detectors).collect()["timestamp_ps"].to_numpy()

    own = (hits["channel"] == detector.channel).to_numpy()
    expected = [walk_by_hand(detector, adc) + detector.time_offset_ps for adc in hits["adc"].to_numpy()[own].tolist()]
    assert (moved[~own] == 0).all()
    np.testing.assert_allclose(moved[own], expected, atol=0.5 + 1e-6)
    np.testing.assert_allclose(walk_ps(detector, values), [walk_by_hand(detector, adc) for adc in values], atol=1e-6)
    assert max(moved.max(), 0) - min(moved.min(), 0) <= spread_ps(detectors)


@examples(40)
@given(runs(), walking(), walking())
def test_hits_without_walk_pair_as_if_they_had_been_recorded_so(
    hits: pl.DataFrame, first: Detector, second: Detector
) -> None:
    detectors = Detectors((first, second) if first.key != second.key else (first,))
    late = [
        round(walk_by_hand(known, row["adc"])) + known.time_offset_ps
        if (known := detectors.at(row["board"], row["channel"])) in detectors.all
        else 0
        for row in hits.iter_rows(named=True)
    ]
    moved = hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - pl.Series(late, dtype=pl.Int64))
    aligned = align(hits.lazy(), detectors)
    assert (aligned.collect()["timestamp_ps"] - moved["timestamp_ps"]).abs().max() in (0, 1, None)  # halves may round

    found = pairs(aligned, 40, reorder_ps=spread_ps(detectors), slice_hits=7)

    assert sorted(pair_rows(found)) == sorted(brute_pairs(aligned.collect(), (-40, 40)))


def test_walk_follows_the_adc_that_a_steady_gain_would_give() -> None:
    hits = frame([(1000, 0, 0, 200), (1000, 0, 0, 100)]).with_columns(gain_factor=pl.Series([0.5, 1.0]))
    detectors = Detectors((Detector(0, 0, time_walk_ps=(1000.0,)),))

    assert align(hits.lazy(), detectors).collect()["timestamp_ps"].to_list() == [900, 900]


def test_walk_needs_an_adc_and_an_end() -> None:
    hits = frame([(1000, 0)]).lazy()
    with pytest.raises(TableError, match="no column 'adc'"):
        align(hits.drop("adc"), Detectors((Detector(0, 0, time_walk_ps=(1.0,)),)))
    endless = Detectors((Detector(0, 0, "NaI", time_walk_ps=(1e300, -1e308), time_walk_range=(1e-9, 5.0)),))
    with pytest.raises(DetectorsError, match="time walk of NaI has no end"):
        align(hits, endless)
