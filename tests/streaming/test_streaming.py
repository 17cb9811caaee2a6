"""Lazy frames made of batches, time order, and slices that are complete in themselves."""

from collections.abc import Callable, Generator, Iterator
from time import sleep
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import InputError, TimeOrderError
from gammapolars.core.units import format_ps
from gammapolars.streaming import time_order
from gammapolars.streaming.slices import Slice, batches_of, in_parallel, lazy_frame, pieces, slices
from gammapolars.streaming.time_order import time_ordered
from tests.drawing import examples
from tests.hits import SIZES, CountedStream, frame, in_batches, numbered, runs, stream, times

ENGINES = pytest.mark.parametrize("engine", ["in-memory", "streaming"])
NUMBERS = pl.DataFrame({"x": range(100), "y": [number % 7 for number in range(100)]})


def numbers(rows: int = 10) -> CountedStream:
    return CountedStream(NUMBERS, rows)


@ENGINES
@pytest.mark.parametrize("rows", [1, 7, 100, 1000])
def test_a_lazy_frame_has_the_rows_of_its_batches_in_their_order(engine: Any, rows: int) -> None:
    assert numbers(rows).frame.collect(engine=engine).equals(NUMBERS)


@ENGINES
def test_a_lazy_frame_can_be_collected_again_and_again(engine: Any) -> None:
    source = numbers()

    first, second = source.frame.collect(engine=engine), source.frame.collect(engine=engine)

    assert first.equals(second)
    assert len(source.reads) == 2


def test_nothing_is_read_before_it_is_collected() -> None:
    source = numbers()

    source.frame.filter(pl.col("x") > 3).group_by("y").agg(pl.len()).collect_schema()

    assert source.reads == []


@ENGINES
def test_only_the_columns_that_a_query_needs_are_asked_for(engine: Any) -> None:
    source = numbers()

    found = source.frame.select(pl.col("y") * 2).collect(engine=engine)

    assert source.reads == [["y"]]
    assert found["y"].to_list() == (NUMBERS["y"] * 2).to_list()


@ENGINES
def test_further_columns_of_a_batch_are_dropped(engine: Any) -> None:
    assert numbers().frame.select("x").collect(engine=engine).columns == ["x"]


@ENGINES
def test_a_filter_applies_to_a_column_that_is_not_selected(engine: Any) -> None:
    found = numbers().frame.filter(pl.col("y") == 3).select("x").collect(engine=engine)

    assert found["x"].to_list() == list(range(3, 100, 7))


@ENGINES
def test_rows_are_counted_without_any_column(engine: Any) -> None:
    assert numbers().frame.select(pl.len()).collect(engine=engine).item() == 100


@examples(40)
@given(SIZES, st.integers(0, 110), st.integers(0, 110), st.booleans(), st.sampled_from(["in-memory", "streaming"]))
def test_slices_of_a_filtered_frame_are_those_of_a_plain_frame(
    rows: int, offset: int, length: int, filter_first: bool, engine: Any
) -> None:
    def query(lazy: pl.LazyFrame) -> pl.LazyFrame:
        filtered = lazy.filter(pl.col("y") > 2) if filter_first else lazy
        cut = filtered.slice(offset, length)
        return cut if filter_first else cut.filter(pl.col("y") > 2)

    assert query(numbers(rows).frame).collect(engine=engine).equals(query(NUMBERS.lazy()).collect())


@ENGINES
def test_the_first_rows_stop_the_reading_and_close_the_source(engine: Any) -> None:
    source = numbers()

    found = source.frame.head(15).collect(engine=engine)

    assert found["x"].to_list() == list(range(15))
    assert source.batches_read == 2
    assert source.is_closed()


def test_leaving_a_stream_of_batches_early_closes_the_source() -> None:
    source = CountedStream(pl.DataFrame({"x": range(100_000)}), 100)

    batches = batches_of(source.frame, batch_rows=100)
    first = next(batches)
    del batches

    assert first["x"][0] == 0
    assert source.batches_read < 1000


@ENGINES
def test_no_batch_at_all_is_an_empty_table(engine: Any) -> None:
    found = lazy_frame(NUMBERS.schema, lambda _: iter([])).filter(pl.col("x") > 1).collect(engine=engine)

    assert found.equals(NUMBERS.clear())


@ENGINES
@pytest.mark.parametrize(
    "error", [InputError("run.root: basket 3 is damaged"), TimeOrderError("late"), RuntimeError("anything")], ids=type
)
def test_an_error_of_the_source_comes_out_as_it_is(engine: Any, error: Exception) -> None:
    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        yield NUMBERS
        raise error

    with pytest.raises(type(error)) as raised:
        lazy_frame(NUMBERS.schema, batches).group_by("y").agg(pl.len()).collect(engine=engine)

    assert raised.value is error


def test_an_error_comes_through_a_stream_of_batches_too() -> None:
    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        yield NUMBERS
        raise InputError("run.root: basket 3 is damaged")

    with pytest.raises(InputError, match="basket 3 is damaged"):
        list(batches_of(lazy_frame(NUMBERS.schema, batches)))


def test_a_batch_of_other_dtypes_than_declared_is_an_error() -> None:
    wrong = lazy_frame({"x": pl.Int8(), "y": pl.Int64()}, lambda _: iter([NUMBERS]))

    with pytest.raises(pl.exceptions.PolarsError):
        wrong.collect()


@examples(30)
@given(SIZES, SIZES)
def test_batches_hold_all_rows_in_their_order(rows: int, wanted: int) -> None:
    found = list(batches_of(numbers(rows).frame.with_columns(z=pl.col("x") + 1), batch_rows=wanted))

    assert [x for batch in found for x in batch["x"]] == list(range(100))


# Time order


def plain_order(table: pl.DataFrame) -> pl.DataFrame:
    return table.sort("timestamp_ps", maintain_order=True)


def first_too_late(table: pl.DataFrame, reorder_ps: int) -> tuple[int, int, int] | None:
    """The first hit (counted from 1) that lies too far behind one before it, how far, and its time."""
    latest = None
    for number, time in enumerate(times(table), 1):
        latest = time if latest is None else max(latest, time)
        if latest - time > reorder_ps:
            return number, latest - time, time
    return None


@examples(100)
@given(runs(disorder=60), SIZES, st.integers(0, 80), st.sampled_from([1, 3, 1_000_000]))
def test_hits_come_in_time_order_or_the_first_that_cannot_is_named(
    hits: pl.DataFrame, rows: int, reorder_ps: int, flush: int
) -> None:
    late = first_too_late(hits, reorder_ps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_order, "FLUSH_HITS", flush)
        if late is None:
            ordered = list(time_ordered(in_batches(hits, rows), reorder_ps=reorder_ps))
            assert pl.concat([hits.clear(), *ordered]).equals(plain_order(hits))
            assert all(batch.height for batch in ordered)
        else:
            with pytest.raises(TimeOrderError) as raised:
                list(time_ordered(in_batches(hits, rows), reorder_ps=reorder_ps))
            number, back, time = late
            said = f"hit {number} is {format_ps(back)} earlier than a preceding hit (at {format_ps(time)})"
            assert said in str(raised.value)
            assert f"only {format_ps(reorder_ps)} can be repaired" in str(raised.value)


@pytest.mark.parametrize("rows", range(1, 6))
def test_a_step_back_of_just_the_buffer_is_repaired_and_one_more_is_not(rows: int) -> None:
    hits = frame([(0,), (100,), (90,), (101,)])

    assert times(list(time_ordered(in_batches(hits, rows), reorder_ps=10))) == [0, 90, 100, 101]
    with pytest.raises(
        TimeOrderError, match=r"hit 3 is 10 ps earlier than a preceding hit \(at 90 ps\).*9 ps.*reorder_ps"
    ):
        list(time_ordered(in_batches(hits, rows), reorder_ps=9))


def test_a_batch_waits_for_what_may_still_belong_before_its_end() -> None:
    """The batch behind it begins later, and the one behind that has a hit in it."""
    batches = [frame([(time,) for time in part]) for part in ([100, 110], [111, 150], [105, 151])]

    assert times(list(time_ordered(batches, reorder_ps=50))) == [100, 105, 110, 111, 150, 151]


def test_hits_of_equal_time_keep_their_order_across_batches() -> None:
    hits = numbered([(5, 1), (5, 0), (3, 2), (5, 2), (3, 0)])

    ordered = pl.concat(time_ordered(in_batches(hits, 2), reorder_ps=10))

    assert ordered["adc"].to_list() == [2, 4, 0, 1, 3]


def test_empty_batches_are_passed_over() -> None:
    empty, hits = frame([]), frame([(1,), (2,)])

    assert times(list(time_ordered([empty, hits, empty, empty], reorder_ps=0))) == [1, 2]
    assert list(time_ordered([empty, empty])) == []
    assert list(time_ordered([])) == []


def test_ordered_batches_are_passed_on_while_the_stream_is_still_read() -> None:
    given: list[int] = []

    def batches() -> Iterator[pl.DataFrame]:
        for number in range(100):
            given.append(number)
            yield frame([(number * 1000 + k,) for k in range(10)])

    held = [len(given) - place for place, _ in enumerate(time_ordered(batches(), reorder_ps=100), 1)]

    assert max(held) <= 2


def test_a_disordered_stream_is_passed_on_in_parts_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_order, "FLUSH_HITS", 50)
    hits = frame([(10 * number - 15 * (number % 3),) for number in range(1000)])

    parts = list(time_ordered(in_batches(hits, 20), reorder_ps=100))

    assert pl.concat(parts).equals(plain_order(hits))
    assert max(part.height for part in parts) <= 50 + 20


# Slices


def whole(cut: list[Slice], hits: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([hits.clear(), *(part.own for part in cut)])


@examples(150)
@given(runs(flags=False), SIZES, SIZES, st.integers(0, 200), st.booleans())
def test_each_hit_is_one_slices_own_and_has_all_hits_within_reach_beside_it(
    hits: pl.DataFrame, rows: int, slice_hits: int, reach: int, as_frame: bool
) -> None:
    source = stream(hits, rows) if as_frame else in_batches(hits, rows)

    cut = list(slices(source, reach, reorder_ps=0, slice_hits=slice_hits))

    assert whole(cut, hits).equals(hits)
    for part in cut:
        assert 0 <= part.first < part.end <= part.hits.height
        near = hits.filter(
            pl.any_horizontal(pl.col("timestamp_ps").is_between(t - reach, t + reach) for t in times(part.own))
        )
        assert set(near["adc"]) <= set(part.hits["adc"])
        assert part.hits["timestamp_ps"].is_sorted()
        # What stands in a slice is one stretch of the stream: no hit twice, none left out.
        assert part.hits["adc"].to_list() == list(range(part.hits["adc"][0], part.hits["adc"][-1] + 1))


@examples(60)
@given(runs(flags=False, disorder=30), SIZES, SIZES, st.integers(0, 100))
def test_slices_of_a_disordered_stream_are_those_of_the_ordered_one(
    hits: pl.DataFrame, rows: int, slice_hits: int, reach: int
) -> None:
    cut = list(slices(in_batches(hits, rows), reach, reorder_ps=2000, slice_hits=slice_hits))

    assert whole(cut, hits).equals(plain_order(hits))


def test_a_stream_with_gaps_is_cut_at_them_once_enough_hits_have_gathered() -> None:
    hits = frame([(1000 * group + k,) for group in range(200) for k in range(5)])

    cut = list(slices(in_batches(hits, 20), 100, reorder_ps=0, slice_hits=50))

    assert all(part.own.height == part.hits.height for part in cut), "no hit need stand in two slices"
    assert max(part.hits.height for part in cut) <= 50 + 20
    assert len(cut) >= 1000 // (50 + 20)
    assert all(part.own["timestamp_ps"][0] % 1000 == 0 for part in cut)


def test_a_stream_without_gaps_is_cut_all_the_same_and_memory_stays_bounded() -> None:
    hits = frame([(10 * number,) for number in range(2000)])  # a reach of 100 ps holds 10 hits on each side

    cut = list(slices(in_batches(hits, 20), 100, reorder_ps=0, slice_hits=50))

    assert whole(cut, hits).equals(hits)
    assert max(part.hits.height for part in cut) <= 4 * 50 + 20 + 2 * 10
    assert len(cut) > 5
    for part in cut:
        first, last = part.own["timestamp_ps"][0], part.own["timestamp_ps"][-1]
        beside = hits.filter(pl.col("timestamp_ps").is_between(first - 100, last + 100))
        assert set(times(beside)) <= set(times(part.hits)), "hits just at the reach stand in the slice too"


def test_a_gap_must_be_wider_than_the_reach() -> None:
    exactly, wider = ([(0,), (1,), (1 + gap,), (2 + gap,)] for gap in (100, 101))

    assert len(list(slices(in_batches(frame(exactly), 3), 100, reorder_ps=0, slice_hits=3))) == 1
    assert len(list(slices(in_batches(frame(wider), 3), 100, reorder_ps=0, slice_hits=3))) == 2


@pytest.mark.parametrize("reach", [0, 10, 2**40, 2**62])
@pytest.mark.parametrize("hits", [[], [(7,)]], ids=["no hit", "one hit"])
def test_runs_of_no_hit_or_one(hits: list[tuple[int]], reach: int) -> None:
    cut = list(slices(stream(frame(hits)), reach, slice_hits=1))

    assert [times(part.own) for part in cut] == [[time for (time,) in hits]] * len(hits)


def test_slices_come_while_the_stream_is_still_read() -> None:
    source = CountedStream(frame([(1000 * number,) for number in range(30_000)]), 300)

    next(slices(source.frame, 10, reorder_ps=0, slice_hits=1000))

    assert source.batches_read < 100


def test_slices_name_the_hit_that_is_out_of_order() -> None:
    cut: Callable[[], list[Slice]] = lambda: list(slices(stream(frame([(50,), (0,)])), 1, reorder_ps=49))  # noqa: E731

    with pytest.raises(TimeOrderError, match="hit 2 is 50 ps earlier"):
        cut()


def test_what_is_computed_in_parallel_comes_in_order() -> None:
    def three(item: int) -> Iterator[tuple[int, int]]:
        sleep(0.002 * (item % 3))
        yield from ((item, part) for part in range(item % 4))

    found = list(in_parallel(three, range(40)))

    assert found == [(item, part) for item in range(40) for part in range(item % 4)]


def test_only_the_first_of_what_an_item_yields_is_computed_ahead() -> None:
    begun: list[tuple[int, int]] = []

    def many(item: int) -> Iterator[int]:
        for part in range(1000):
            begun.append((item, part))
            yield part

    results = in_parallel(many, range(10))
    assert isinstance(results, Generator)
    next(results)
    results.close()

    assert all(part == 0 for item, part in begun if item > 0)
    assert len({item for item, _ in begun}) < 10


@pytest.mark.parametrize("where", ["function", "items"])
def test_an_error_in_parallel_work_passes_through(where: str) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        if where == "items":
            raise TimeOrderError("items")

    def function(item: int) -> Iterator[int]:
        if where == "function" and item == 3:
            raise TimeOrderError("function")
        yield item

    with pytest.raises(TimeOrderError, match=where):
        list(in_parallel(function, items()))


@pytest.mark.parametrize("uneven", [False, True])
def test_pieces_are_the_rows_in_order_each_in_one_piece(uneven: bool) -> None:
    table = NUMBERS
    for rows in (10_000, 1, 50_000):
        table = table.vstack(pl.concat([NUMBERS] * (rows // 100 + 1)).rechunk()[:rows])
    table = table.with_columns(table["y"].rechunk()) if uneven else table

    found = list(pieces(table))

    assert pl.concat(found).equals(table)
    assert [piece.n_chunks("all") for piece in found] == [[1, 1]] * len(found)
    assert len(found) == (1 if uneven else table.n_chunks())
    assert uneven or len(found) > 1
