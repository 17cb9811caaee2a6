"""Expressions over neighbouring hits, slice by slice: as over the whole run, wherever it is cut."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.core.errors import UsageError
from tests.hits import SIZES, Hit, frame, runs, stream

REACH = 60


def since_last(hits: pl.LazyFrame) -> pl.LazyFrame:
    return hits.with_columns(since_ps=pl.col("timestamp_ps").diff().over("board", "channel"))


@given(hits=runs(), size=SIZES, batch=SIZES, later=st.booleans())
def test_neighbours_within_reach_are_seen_wherever_the_run_is_cut(
    hits: pl.DataFrame, size: int, batch: int, later: bool
) -> None:
    one = hits.with_columns(run=pl.lit(1, pl.UInt16))
    both = pl.concat([one, one.with_columns(run=pl.lit(2, pl.UInt16))]) if later else one

    found = gp.map_slices(stream(both, batch), since_last, REACH, slice_hits=size).collect()

    expected = []
    for place, hit in enumerate(both.iter_rows(named=True)):
        before = [
            hit["timestamp_ps"] - other["timestamp_ps"]
            for other in both[:place].iter_rows(named=True)
            if all(other[name] == hit[name] for name in ("board", "channel", "run"))
        ]
        expected.append(before[-1] if before and before[-1] <= REACH else None)
    within = found.select(pl.when(pl.col("since_ps") <= REACH).then("since_ps")).to_series()
    assert within.to_list() == expected
    assert found["adc"].to_list() == both["adc"].to_list()


def test_rows_may_be_left_out_but_not_the_mark_of_own_hits() -> None:
    hits = stream(frame([Hit(0), Hit(5), Hit(1000)]))

    kept = gp.map_slices(hits, lambda part: since_last(part).filter(pl.col("since_ps") < 10), "1ns", slice_hits=1)

    assert kept.select("timestamp_ps", "since_ps").collect().rows() == [(5, 5)]
    with pytest.raises(UsageError, match="drops the column 'own'"):
        gp.map_slices(hits, lambda part: part.select("timestamp_ps"), "1ns")
    with pytest.raises(UsageError, match="a single time"):
        gp.map_slices(hits, since_last, "0ns:1ns")
