"""Sums of counts against a plain group-by."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.spectra import tallies, weighted_tallies
from gammapolars.spectra.tallies import Histogram, Tally, WideningTally, count_by
from gammapolars.spectra.weighted_tallies import WeightedTally, count_by_weight
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


# Weights

THIRD = 1 / 3
KEYED = st.tuples(st.integers(0, 2), st.integers(-1, 1))


def weighed(rows: list[tuple[tuple[int, int], float]]) -> pl.DataFrame:
    return pl.DataFrame([(x, y, w) for (x, y), w in rows], {"x": pl.Int8, "y": pl.Int8, "w": pl.Float64}, orient="row")


def merged(rows: pl.DataFrame, edges: list[int]) -> WeightedTally:
    """Rows that were counted in parts, each by a tally of its own."""
    whole = WeightedTally("x", "y")
    for begin, end in zip([0, *edges], [*edges, rows.height], strict=True):
        part = WeightedTally("x", "y")
        part.add(count_by_weight(rows[begin:end], ["x", "y"], "w"))
        whole.merge(part.state())
    return whole


@examples(100)
@given(
    st.lists(st.tuples(KEYED, st.sampled_from([1.0, -THIRD, -0.1, 0.7 * THIRD, 0.0])), max_size=60),
    st.lists(st.integers(0, 60), max_size=4).map(sorted),
    st.permutations(range(60)),
    st.sampled_from([64, 64, 3]),
)
def test_sums_of_few_weights_are_the_same_to_the_bit_in_any_order_and_parts(
    drawn: list[tuple[tuple[int, int], float]], edges: list[int], order: list[int], most: int
) -> None:
    rows = weighed(drawn)
    shuffled = weighed([drawn[place] for place in order if place < len(drawn)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weighted_tallies, "MOST_WEIGHTS", most)
        tallies = merged(rows, [min(edge, rows.height) for edge in edges]), merged(shuffled, [])

    one, other = (tally.total() for tally in tallies)

    if rows.is_empty():
        assert one.is_empty()
        return
    if rows["w"].n_unique() <= most:
        assert one.equals(other)
        assert tallies[0].total("y").equals(tallies[1].total("y"))
    w = pl.col("w")
    for tally, keys in ((tallies[0], ["x", "y"]), (tallies[1], ["x", "y"]), (tallies[1], ["y"])):
        expected = rows.group_by(keys).agg(counts=w.sum(), variance=(w * w).sum()).sort(keys)
        assert_frame_equal(tally.total(*keys), expected, rel_tol=1e-12, abs_tol=1e-12)


def test_where_each_row_has_a_weight_of_its_own_the_sums_are_of_floats() -> None:
    rng = np.random.default_rng(1)
    rows = pl.DataFrame({"x": rng.integers(0, 9, 5000), "y": 0, "w": rng.normal(1, 3, 5000)})

    tally = merged(rows, [700, 701, 2000])

    w = pl.col("w")
    expected = rows.group_by("x", "y").agg(counts=w.sum(), variance=(w * w).sum()).sort("x")
    assert_frame_equal(tally.total(), expected, rel_tol=1e-12)
    assert tally.state().columns == ["x", "y", "counts", "variance"]


def test_few_weights_of_many_parts_are_too_many_together() -> None:
    rows = pl.DataFrame({"x": 0, "y": 0, "w": np.arange(1.0, 101.0)})

    tally = merged(rows, [40, 50, 90])

    assert tally.total().rows() == [(0, 0, 5050.0, 338_350.0)]


def test_rows_without_a_weight_do_not_count_and_infinite_ones_do() -> None:
    rows = pl.DataFrame({"x": [1, 1, 2], "y": 0, "w": [None, 2.0, np.inf]})

    assert merged(rows, []).total().rows() == [(1, 0, 2.0, 4.0), (2, 0, np.inf, np.inf)]


def test_rows_without_weights_weigh_1_each() -> None:
    tally = WeightedTally("x")
    tally.add(count_by_weight(pl.DataFrame({"x": [3, 3, 1]}), ["x"]))

    assert tally.total().rows() == [(1, 1.0, 1.0), (3, 2.0, 2.0)]
    assert tally.rows == 2


# Bins that become wider


@examples(100)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(-40, 40)), max_size=12), max_size=6), st.integers(1, 30)
)
def test_bins_become_just_as_wide_as_they_must(parts: list[list[tuple[int, int]]], most_rows: int) -> None:
    tally = WideningTally("kind", "bin", width=3, most_rows=most_rows)
    for part in parts:
        rows = pl.DataFrame(part, {"kind": pl.UInt8, "value": pl.Int64}, orient="row")
        tally.add(count_by_weight(rows.select("kind", bin=pl.col("value") // tally.width), ["kind", "bin"])[1.0])

    total = tally.total()

    values = [value for part in parts for value in part]
    width = 3
    while (n := len({(kind, value // width) for kind, value in values})) > most_rows and n > len(
        {(kind, value // (2 * width)) for kind, value in values}
    ):
        width *= 2
    assert tally.width == width
    assert total.rows() == [(*key, n) for key, n in sorted(counted((k, v // width) for k, v in values).items())]
