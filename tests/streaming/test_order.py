"""Several files merged in time, against their sorted concatenation."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.coincidences import pairs
from gammapolars.io import open_runs, scan
from gammapolars.io.order import Source, merged, share_of_rows
from tests.drawing import examples
from tests.hits import SIZES, frame, in_batches, times


class Files:
    """Sources that count how many of them are open.

    Attributes:
        open: how many are being read.
        most_open: the most that ever were at the same time.
        opened: the sources' numbers, in the order in which they were opened.
        given: rows given out so far.
    """

    def __init__(self, *tables: pl.DataFrame, rows: int = 3) -> None:
        self.open = self.most_open = self.given = 0
        self.opened: list[int] = []
        self._rows = rows
        self.sources = [self._source(number, table) for number, table in enumerate(tables)]

    def _source(self, number: int, table: pl.DataFrame) -> Source:
        def batches() -> Iterator[pl.DataFrame]:
            self.opened.append(number)
            self.open += 1
            self.most_open = max(self.open, self.most_open)
            for batch in in_batches(table, self._rows):
                self.given += batch.height
                yield batch
            self.open -= 1

        return Source(table["timestamp_ps"][0] if table.height else 0, batches)


def file(number: int, at: list[int]) -> pl.DataFrame:
    """A file's hits at these times: the channel tells the file, the adc the place in it."""
    return frame((time, number, 0, place) for place, time in enumerate(at))


@st.composite
def files(draw: st.DrawFn) -> list[pl.DataFrame]:
    """Up to five files that follow each other, overlap, lie in each other, touch, or are empty."""
    tables = []
    for number in range(draw(st.integers(0, 5))):
        first = draw(st.integers(0, 60) | st.sampled_from([0, 100, 200]))
        gaps = draw(st.lists(st.integers(0, 3) | st.integers(0, 30), max_size=15))
        tables.append(file(number, [first + sum(gaps[: place + 1]) for place in range(len(gaps))]))
    return tables


@examples(200)
@given(files(), SIZES)
def test_all_hits_come_once_in_time_order_and_each_files_in_its_own(tables: list[pl.DataFrame], rows: int) -> None:
    parts = list(merged(Files(*tables, rows=rows).sources))

    found = pl.concat([frame([]), *parts])
    together = pl.concat([frame([]), *tables])
    assert found.equals(together.sort("timestamp_ps", maintain_order=True)), "ties come in the order of the files"
    assert all(part.height for part in parts)


@examples(100)
@given(files(), st.lists(SIZES, min_size=5, max_size=5), st.permutations(range(5)), st.integers(0, 40))
def test_ties_come_by_detector_whatever_the_order_of_the_files_and_the_size_of_batches(
    tables: list[pl.DataFrame], rows: list[int], order: list[int], late: int
) -> None:
    sources = []
    for number in order:
        if number < len(tables) and (table := tables[number]).height:
            # The first of each two hits comes behind the second, as far as the reorder buffer reaches.
            swapped = table.with_columns(read=pl.int_range(pl.len()) // 2).sort("read", "adc", descending=[False, True])
            back = swapped["timestamp_ps"].diff().fill_null(0).min()
            read = swapped.drop("read") if isinstance(back, int) and -back <= late else table
            batches = in_batches(read, rows[number])
            sources.append(Source(read["timestamp_ps"][0], lambda batches=batches: iter(batches), (0, number)))  # type: ignore[misc]

    found = pl.concat([frame([]), *merged(sources, reorder_ps=late)])

    expected = pl.concat([frame([]), *tables]).sort("timestamp_ps", "channel", "adc")
    assert found.sort("timestamp_ps", "channel", "adc").equals(expected)
    assert found.select("timestamp_ps", "channel").equals(expected.select("timestamp_ps", "channel"))


@examples(60)
@given(st.lists(st.integers(0, 20).map(lambda count: list(range(count))), min_size=1, max_size=6), SIZES)
def test_of_files_that_follow_each_other_one_is_open_at_a_time(lengths: list[list[int]], rows: int) -> None:
    run = Files(
        *(file(number, [1000 * number + at for at in given]) for number, given in enumerate(lengths)), rows=rows
    )

    found = pl.concat([frame([]), *merged(list(reversed(run.sources)))])

    assert run.most_open <= 1
    assert times(found) == sorted(times(found))
    assert found.height == sum(len(given) for given in lengths)


def test_files_that_follow_each_other_are_passed_on_as_they_are() -> None:
    tables = [file(0, [1, 2, 3, 4]), file(1, [5, 6]), file(2, [7])]

    parts = list(merged(Files(*tables, rows=4).sources))

    assert [part.rows() for part in parts] == [table.rows() for table in tables]


def test_files_are_opened_in_the_order_of_their_first_hits() -> None:
    run = Files(file(0, [50, 60]), file(1, [10, 20]), file(2, [30, 40]))

    assert times(list(merged(run.sources))) == [10, 20, 30, 40, 50, 60]
    assert run.opened == [1, 2, 0]


def test_a_file_within_anothers_span_is_merged_and_closed_when_it_ends() -> None:
    run = Files(file(0, list(range(0, 400, 10))), file(1, [15, 25]), rows=2)

    merging = merged(run.sources)
    first = [time for _ in range(4) for time in times(next(merging))]

    assert 25 in first
    assert first == sorted(first)
    assert run.open == 1, "the file that has ended is no longer held"
    assert [*first, *times(list(merging))] == sorted([*range(0, 400, 10), 15, 25])


def test_no_file_and_empty_files_give_no_hits() -> None:
    assert list(merged([])) == []
    assert list(merged(Files(file(0, []), file(1, [])).sources)) == []
    assert times(list(merged(Files(file(0, []), file(1, [1, 2]), file(2, [])).sources))) == [1, 2]


def test_one_to_two_batches_of_each_overlapping_file_are_held() -> None:
    # Four detectors, a file each: all overlap over the whole run.
    rows = 10
    run = Files(*(file(number, list(range(number, 4000, 4))) for number in range(4)), rows=rows)

    taken, held = 0, []
    for part in merged(run.sources):
        taken += part.height
        held.append(run.given - taken)

    assert taken == 4000
    assert run.most_open == 4
    assert max(held) <= 4 * 3 * rows  # and one that waits in each reorder buffer


def test_hits_of_equal_time_come_in_the_order_of_the_files() -> None:
    found = pl.concat(merged(Files(file(0, [5, 5, 6]), file(1, [5, 6]), file(2, [5])).sources))

    assert found["timestamp_ps"].to_list() == [5, 5, 5, 5, 6, 6]
    assert found["channel"].to_list() == [0, 0, 1, 2, 0, 1]


def test_a_late_second_file_is_not_opened_before_the_stream_is_near_it() -> None:
    run = Files(file(0, list(range(100))), file(1, [90, 95]), rows=10)

    merging = merged(run.sources)
    next(merging)

    assert run.opened == [0]
    assert times(list(merging)) == sorted([*range(10, 100), 90, 95])


def test_pairs_of_a_file_for_each_channel_are_those_of_one_file_byte_by_byte(tmp_path: Path) -> None:
    hits = frame((time // 3, time * 7 % 12, time % 2, time % 1000) for time in range(3000))
    hits = hits.sort("timestamp_ps", "board", "channel", maintain_order=True)
    hits.write_parquet(tmp_path / "one.parquet")
    for (channel, board), own in hits.partition_by("channel", "board", as_dict=True).items():
        own.write_parquet(tmp_path / f"board{board}_channel{channel}.parquet")  # 10 comes before 2

    several, one = (pairs(scan(tmp_path / name), 5).collect() for name in ("board*.parquet", "one.parquet"))

    assert one.height > 10_000
    assert several.equals(one)


def test_many_files_share_the_memory_of_a_few() -> None:
    assert share_of_rows(1) == share_of_rows(2) == 500_000
    assert 64 * share_of_rows(64) <= 2_000_000
    assert share_of_rows(10**6) > 10_000


@pytest.mark.parametrize("names", [["a.parquet", "b.parquet"], ["b.parquet", "a.parquet"]])
def test_a_run_of_several_files_is_their_merged_hits(tmp_path: Path, names: list[str]) -> None:
    first, second = file(0, [1, 3, 5, 20]), file(1, [2, 4, 6, 7])
    first.write_parquet(tmp_path / "a.parquet")
    second.write_parquet(tmp_path / "b.parquet")

    hits = scan(*(tmp_path / name for name in names))

    assert times(hits.collect()) == [1, 2, 3, 4, 5, 6, 7, 20]
    assert hits.select("channel").collect()["channel"].to_list() == [0, 1, 0, 1, 0, 1, 1, 0]
    assert hits.filter(pl.col("timestamp_ps") > 4).select("adc").head(2).collect()["adc"].to_list() == [2, 2]


def test_disorder_within_each_file_is_repaired_before_they_are_merged(tmp_path: Path) -> None:
    file(0, [3, 1, 8, 5]).write_parquet(tmp_path / "a.parquet")
    file(1, [4, 2, 9]).write_parquet(tmp_path / "b.parquet")

    run = open_runs(tmp_path / "*.parquet", reorder_ps=10)

    assert times(run.hits.collect()) == [1, 2, 3, 4, 5, 8, 9]
