"""Lines of text files in ranges: together they are the file, in CoMPASS's layout, in ours and in other programs'."""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.detectors.columns import Column
from gammapolars.io import Losses, Reading
from gammapolars.io.input_file import open_file
from gammapolars.io.places import NO_HIT_PS, borders_of, times_at
from gammapolars.io.text import blocks
from tests.compassfiles import write_csv
from tests.drawing import examples
from tests.ranges import account, borders, read_in_ranges, read_whole
from tests.rootfiles import made_hits

HITS = 1000
KINDS = ("compass", "waveforms", "segment", "ours", "foreign")
FOREIGN = {"timestamp_ps": Column("t", "s"), "channel": Column("ch"), "adc": Column("E")}


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> object:
    """Blocks of a few kB, so that small files have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 4099)
        yield


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(HITS)


def write(path: Path, hits: pl.DataFrame, kind: str) -> Reading:
    """A text of some kind; how it is read."""
    if kind in ("compass", "waveforms", "segment"):
        write_csv(path, hits, header=kind != "segment", samples=9 * (kind == "waveforms"))
    elif kind == "ours":
        hits.write_csv(path)
    else:
        table = hits.select(t=pl.col("timestamp_ps") / 1e12, ch="channel", E="adc").with_row_index("n")
        lines = table.write_csv(separator=" ").splitlines()
        path.write_text("\n".join(["# of another program", *lines[:400], "# a remark", "", *lines[400:], ""]))
        return Reading(columns=FOREIGN)
    return Reading()


@examples(30)
@given(data=st.data())
def test_ranges_together_are_the_file_and_lose_what_it_loses(
    tmp_path_factory: pytest.TempPathFactory, hits: pl.DataFrame, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("x") / "run.csv"
    kind = data.draw(st.sampled_from(KINDS))
    columns = write(path, hits, kind).columns
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(500, len(octets) - 1))
        octets[place : place + 1] = data.draw(
            st.sampled_from([b"x", b"\n", b"", b"-", b"9" * 20, b"\r\n", b"z" * 5000, b"\0", b"9999999;"])
        )
    path.write_bytes(octets[: len(octets) - data.draw(st.sampled_from([0, 0, 5]))])
    whole, cut = (Reading(columns=columns, losses=Losses()) for _ in range(2))
    places = borders(open_file(path, Reading(columns=columns, losses=Losses())))
    few = data.draw(st.lists(st.sampled_from(places[1:-1]), unique=True))
    places = data.draw(st.sampled_from([places, [0, *sorted(few), places[-1]]]))

    expected = read_whole(path, whole)
    found = read_in_ranges(path, places, cut)

    assert_frame_equal(found, expected)
    assert account(cut.losses) == account(whole.losses)


@pytest.mark.parametrize("kind", KINDS)
def test_borders_are_line_starts_and_times_there_those_of_the_hits(
    tmp_path: Path, hits: pl.DataFrame, kind: str
) -> None:
    path = tmp_path / "run.csv"
    reading = write(path, hits, kind)
    file = open_file(path, reading)
    text = path.read_bytes()
    places = borders(file)

    assert len(places) > 5
    assert all(text[place - 1] == ord("\n") for place in places[1:])
    assert max(np.diff(places)) < 2 * 4099
    rows = [read_in_ranges(path, [0, place], reading).height for place in places[1:-1]]
    assert times_at(file, places) == [*hits["timestamp_ps"][[0, *rows]], NO_HIT_PS]


def test_a_coarse_time_is_noted_as_for_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    times = np.arange(1000) * 1e3 + 1.7e9
    pl.DataFrame({"t": times, "ch": 1}).write_csv(path)
    reading = partial(
        Reading, columns={"timestamp_ps": Column("t", "s", origin=1_700_000_000), "channel": Column("ch")}
    )
    whole, cut = reading(losses=Losses()), reading(losses=Losses())

    expected = read_whole(path, whole)
    found = read_in_ranges(path, borders(open_file(path, whole)), cut)

    assert_frame_equal(found, expected)
    assert len(whole.losses.notes) == 1
    assert cut.losses.notes == whole.losses.notes


def test_decoded_text_and_rollovers_are_read_as_a_whole(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = tmp_path / "run.csv"
    path.write_bytes(hits.write_csv().encode("utf-16"))

    assert borders_of(open_file(path, Reading())) is None
    hits.write_csv(path)
    assert borders_of(open_file(path, Reading(rollover_ps=10**15))) is None
