"""Rows of Parquet and Arrow files in ranges, of hits and of other programs' tables: together they are the file."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.core.errors import InputError
from gammapolars.detectors.columns import Column
from gammapolars.io import Losses, Reading
from gammapolars.io.input_file import open_file
from gammapolars.io.places import NO_HIT_PS, borders_of, times_at
from tests.drawing import examples
from tests.ranges import account, borders, read_in_ranges, read_whole
from tests.rootfiles import made_hits

HITS = 500
FOREIGN = {"timestamp_ps": Column("t", "ns"), "channel": Column("ch"), "adc": Column("E")}


def write(table: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        table.write_parquet(path, row_group_size=120)
    else:
        table.write_ipc(path, record_batch_size=120)


@examples(30)
@given(data=st.data())
def test_ranges_together_are_the_file_and_lose_what_it_loses(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("x") / data.draw(st.sampled_from(["run.parquet", "run.arrow"]))
    hits = made_hits(HITS).with_columns(pl.col("adc").cast(pl.Int64))
    late = data.draw(st.lists(st.integers(0, HITS - 1), max_size=3))
    wide = pl.when(pl.int_range(pl.len()) < data.draw(st.sampled_from([0, 1, 50]))).then(70_000).otherwise("adc")
    hits = hits.with_columns(
        adc=wide, channel=pl.when(pl.int_range(pl.len()).is_in(late)).then(None).otherwise("channel")
    )
    columns = data.draw(st.sampled_from([{}, FOREIGN]))
    foreign = hits.select(t=pl.col("timestamp_ps") / 1e3, ch="channel", E="adc")
    write(foreign if columns else hits, path)
    whole, cut = (Reading(columns=columns, losses=Losses()) for _ in range(2))
    at = sorted(data.draw(st.lists(st.integers(0, HITS), max_size=5)))

    expected = read_whole(path, whole)
    found = read_in_ranges(path, [0, *at, HITS], cut)

    assert_frame_equal(found, expected)
    assert account(cut.losses) == account(whole.losses)
    file = open_file(path, Reading(columns=columns, losses=Losses()))
    assert borders(file)[-1] == HITS
    assert len(borders(file)) >= 4
    left = hits["timestamp_ps"].to_frame().with_row_index().filter(~pl.col("index").is_in(late))
    first = [left.filter(pl.col("index") >= place)["timestamp_ps"] for place in at]
    assert times_at(file, at) == [times[0] if len(times) else NO_HIT_PS for times in first]
    part = open_file(path, Reading(columns=columns, losses=Losses(), rows=(3, 33)))
    assert part.count() in (30, 30 - sum(3 <= row < 33 for row in {*late}))


def test_lists_and_rollovers_are_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    pl.DataFrame({"t": [[1, 2], [3]], "ch": [[0, 1], [0]]}).write_parquet(path)
    columns = {"timestamp_ps": Column("t", "ns"), "channel": Column("ch")}

    assert borders_of(open_file(path, Reading(columns=columns))) is None
    made_hits(9).write_parquet(path)
    assert borders_of(open_file(path, Reading(rollover_ps=10**15))) is None
    with pytest.raises(ValueError, match="rolls over"):
        open_file(path, Reading(rollover_ps=10**15, rows=(1, 5)))


def test_the_row_in_a_message_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    made_hits(20).with_columns(channel=pl.when(pl.int_range(20) == 13).then(None).otherwise("channel")).write_parquet(
        path
    )

    with pytest.raises(InputError, match=r"null in row 14\)"):
        read_in_ranges(path, [10, 20], Reading())


def test_a_file_that_has_changed_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    columns = {"timestamp_ps": Column("t"), "channel": Column("ch"), "adc": Column("E")}
    reading = Reading(columns=columns, rows=(5, 9))
    for largest, dtype in ((1000, pl.UInt16), (100_000, pl.Int64), (2000, pl.UInt16)):
        pl.DataFrame({"t": range(20), "ch": [0] * 20, "E": [largest] * 20}).write_parquet(path)

        part = open_file(path, reading).hits.collect()

        assert part["adc"].dtype == dtype
        assert part["timestamp_ps"].to_list() == [5, 6, 7, 8]
