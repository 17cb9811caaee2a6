"""Pairs of a slice, found by numpy, against the same by expressions of polars: rows, order and types."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.coincidences import PairRule
from gammapolars.coincidences import partners as by_numpy
from gammapolars.coincidences import rule as coincidences
from gammapolars.coincidences.rule import b_is_lower, both_sides, common, swapped
from gammapolars.core.flags import has_any
from gammapolars.detectors.hits import is_of
from gammapolars.streaming.slices import Slice, slices
from tests.drawing import examples
from tests.hits import SIZES, in_batches, runs, windows

RULES: list[dict[str, Any]] = [
    {"reject": "none"},
    {},
    {"start": (0, 1), "stop": (1, 0)},
    {"start": (1, 0), "stop": (0, 2), "reject": "none"},
    {"random": ["200ps:260ps"]},
    {"random": ["70ps:90ps", "100ps:500ps"], "start": (0, 1), "stop": (1, 0)},
]


def pairs_by_expressions(rule: PairRule, part: Slice) -> pl.DataFrame:
    """The pairs whose earlier hit is a slice's own."""
    close = pl.col("timestamp_ps").diff() <= rule.reach
    near = part.hits.lazy().with_row_index("_row")
    near = near.filter(close.fill_null(value=False) | close.shift(-1, fill_value=False), ~has_any(rule.mask))
    if rule.start and rule.stop:
        near = near.filter(is_of(rule.start) | is_of(rule.stop))
    hits = near.collect()
    times = hits["timestamp_ps"].to_numpy()
    first, end = (int(hits["_row"].search_sorted(row)) for row in (part.first, part.end))
    partners = np.searchsorted(times, times[first:end] + rule.reach, side="right") - np.arange(first + 1, end + 1)
    rows = [(first + row, first + row + k) for row, count in enumerate(partners) for k in range(1, count + 1)]
    earlier, later = ([pair[place] for pair in rows] for place in (0, 1))
    names = both_sides(hits.columns)
    dt = pl.col("dt_ps")
    is_swapped = is_of(rule.start, "_b") if rule.start else (dt == 0) & b_is_lower()
    columns = swapped(names, is_swapped)
    if rule.start:
        columns += [timestamp.alias("timestamp_ps") for timestamp in _time_of_start(is_swapped)]
        columns += [pl.when(is_swapped).then(-dt).otherwise(dt)]
    pairs = (
        pl.DataFrame(
            [
                hits[name][rows].alias(f"{name}_{side}")
                for side, rows in (("a", earlier), ("b", later))
                for name in names
            ]
        )
        .with_columns(
            timestamp_ps=hits["timestamp_ps"][earlier],
            dt_ps=hits["timestamp_ps"][later] - hits["timestamp_ps"][earlier],
        )
        .with_columns(hits[name][earlier] for name in common(hits.columns))
        .lazy()
        .filter((pl.col("channel_a") != pl.col("channel_b")) | (pl.col("board_a") != pl.col("board_b")))
        .with_columns(columns)
    )
    inside = rule.regions.weighted(pairs) if rule.regions else pairs.filter(dt.is_between(*rule.window))
    return inside.select(*rule.schema(part.hits.schema)).collect()


def _time_of_start(is_swapped: pl.Expr) -> Iterator[pl.Expr]:
    time = pl.col("timestamp_ps")
    yield pl.when(is_swapped).then(time + pl.col("dt_ps")).otherwise(time)


@examples(200)
@given(
    runs(),
    windows(signed=False),
    SIZES,
    SIZES,
    st.sampled_from(RULES),
    st.sampled_from([1, 5, 4_000_000]),
    st.booleans(),
)
def test_pairs_are_those_of_expressions(
    hits: pl.DataFrame,
    window: tuple[int, int],
    rows: int,
    slice_hits: int,
    options: dict[str, Any],
    part: int,
    several_columns: bool,
) -> None:
    if several_columns:
        hits = hits.with_columns(
            run=pl.lit(3, pl.UInt16),
            note=pl.col("adc").cast(pl.String),
            energy_kev=pl.when(pl.col("channel") > 0).then(pl.col("adc") * 0.5),
        )
    if "random" in options:  # which lies outside
        high = min(window[1], 60)
        window = (-high if "start" in options else 0, high)
    rule = PairRule(window, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coincidences, "PART_PAIRS", part)
        patch.setattr(by_numpy, "BLOCK_HITS", part)
        patch.setattr(by_numpy, "FEW", min(part, 8))
        for one in slices(iter(in_batches(hits, rows)), rule.reach, reorder_ps=0, slice_hits=slice_hits):
            parts = [*rule.pairs_in(one)]

            found = pl.concat(parts) if parts else pl.DataFrame(schema=rule.schema(hits.schema))
            assert_frame_equal(found, pairs_by_expressions(rule, one))
