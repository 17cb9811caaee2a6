"""Sums of counts against a plain group-by."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.spectra import tallies
from gammapolars.spectra.tallies import Histogram, Tally, count_by
from tests.drawing import examples
from tests.hits import counted


def values(bits: int) -> st.SearchStrategy[int]:
    return (
        st.integers(0, 3) | st.sampled_from([2**bits - 1, 2**bits - 2, 2 ** (bits - 1)]) | st.integers(0, 2**bits - 1)
    )


LAYOUTS = [
    {"board": 16, "channel": 16, "flags": 32},
    {"board": 16, "channel": 16, "adc": 16},
    {"board_a": 16, "channel_a": 16, "board_b": 16, "channel_b": 16},
    {"bin": 32},
    {"flags": 32, "bin": 32},
    {"board_a": 16, "channel_a": 16, "board_b": 16, "channel_b": 16, "bin": 32},
]
DTYPES = {16: pl.UInt16, 32: pl.UInt32}


@st.composite
def tables(draw: st.DrawFn, layout: dict[str, int] | None = None) -> tuple[dict[str, int], pl.DataFrame]:
    """A layout of columns, and rows that fill it to its largest values."""
    bits = layout or draw(st.sampled_from(LAYOUTS))
    rows = draw(st.lists(st.tuples(*(values(width) for width in bits.values())), max_size=40))
    repeated = rows + rows[: draw(st.integers(0, 40))]
    return bits, pl.DataFrame(repeated, {name: DTYPES[width] for name, width in bits.items()}, orient="row")


@examples(100)
@given(tables())
def test_packed_counts_are_those_of_a_plain_group_by(drawn: tuple[dict[str, int], pl.DataFrame]) -> None:
    bits, table = drawn

    found = count_by(table, list(bits))

    expected = table.group_by(list(bits)).len("counts")
    assert found.schema == expected.schema
    assert found.sort(list(bits)).equals(expected.sort(list(bits)))


@examples(100)
@given(st.sampled_from(LAYOUTS).flatmap(lambda bits: st.lists(tables(bits), min_size=1, max_size=4)), st.data())
def test_a_histogram_adds_up_what_frames_count(
    drawn: list[tuple[dict[str, int], pl.DataFrame]], data: st.DataObject
) -> None:
    bits = drawn[0][0]
    histogram, chosen = Histogram(*bits), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "MAX_HISTOGRAM_BITS", data.draw(st.sampled_from([0, 4, 20])))
        for _, table in drawn:
            rows = data.draw(st.none() | st.lists(st.integers(0, max(table.height - 1, 0)), unique=True))
            rows = [] if table.is_empty() and rows else rows
            histogram.add(table, None if rows is None else np.array(rows, np.int64))
            chosen.append(table if rows is None else table[rows])

    found = histogram.total()

    expected = pl.concat(chosen).group_by(list(bits)).agg(counts=pl.len().cast(pl.UInt64)).sort(list(bits))
    if expected.is_empty():
        assert found.is_empty()
    else:
        assert found.equals(expected)
        assert found.schema == expected.schema


def test_further_columns_are_ignored() -> None:
    table = pl.DataFrame({"x": ["a", "b"], "adc": [7, 7]}, schema={"x": pl.String, "adc": pl.UInt16})

    assert count_by(table, ["adc"]).rows() == [(7, 2)]


@examples(60)
@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=12), st.sampled_from([1, 20, 2_000_000]))
def test_parts_add_up_to_the_whole_however_often_they_are_merged(parts: list[list[int]], merge_rows: int) -> None:
    tally = Tally("x")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "MERGE_ROWS", merge_rows)
        for part in parts:
            tally.add(count_by(pl.DataFrame({"x": part}, schema={"x": pl.UInt16}), ["x"]))

    total = tally.total()
    expected = counted(x for part in parts for x in part)
    assert total["counts"].sum() == sum(expected.values())
    if expected:
        assert total.rows() == sorted(expected.items())


def test_many_parts_are_merged_on_the_way() -> None:
    tally = Tally("x")
    for _ in range(1000):
        tally.add(pl.DataFrame({"x": [1, 2], "counts": [1, 10]}))

    assert tally.total().rows() == [(1, 1000), (2, 10_000)]
    assert len(tally._parts) <= 65


def test_counts_do_not_stop_at_32_bits() -> None:
    tally = Tally("x")
    for _ in range(3):
        tally.add(pl.DataFrame({"x": [1], "counts": [2**32 - 1]}, schema={"x": pl.UInt16, "counts": pl.UInt32}))

    assert tally.total().rows() == [(1, 3 * (2**32 - 1))]


def test_a_total_can_be_asked_for_in_between() -> None:
    tally = Tally("x")
    assert tally.total().is_empty()

    tally.add(pl.DataFrame({"x": [2], "counts": [1]}))
    first = tally.total()
    tally.add(pl.DataFrame({"x": [2], "counts": [1]}))

    assert first.rows() == [(2, 1)]
    assert tally.total().rows() == [(2, 2)]
