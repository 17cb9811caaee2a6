"""Reading CoMPASS BIN files: every layout, waveforms of any length, files without a header, and damage."""

import os
import struct
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.schema import HITS
from gammapolars.io.compass import bin as bin_files
from gammapolars.io.compass import bin as compass_bin
from gammapolars.io.compass.bin_layout import Layout, layouts_named, layouts_of_header
from gammapolars.io.reading import Losses, Reading
from tests.binfiles import (
    LAYOUTS,
    Damaged,
    columns_of,
    encode,
    header_of,
    made_hits,
    read_plainly,
    write_bin,
    write_bytes,
)
from tests.commandline import gammapolars
from tests.drawing import examples

PLAIN = LAYOUTS["energy,short,flags"]
BOTH = LAYOUTS["energy,calibrated,flags"]
WAVES = LAYOUTS["energy,short,flags,waveform"]
OLD = LAYOUTS["old"]
WITH_WAVES = [name for name, layout in LAYOUTS.items() if layout.has_waveform]


def table(records: list[dict[str, Any]], layout: Layout) -> pl.DataFrame:
    """What the plain loop found, as a table of hits."""
    dtypes = HITS.columns | HITS.optional
    return pl.DataFrame(records, {name: dtypes[name] for name in columns_of(layout)})


def read(path: Path, *, layout: str | None = None, losses: Losses | None = None) -> pl.DataFrame:
    reading = Reading(bin_layout=layout, losses=losses or Losses(keep_going=False))
    return compass_bin.scan_bin(path, reading).collect()


@st.composite
def hits(draw: st.DrawFn, *, most: int = 12) -> pl.DataFrame:
    """A table of hits with any values that records can hold."""
    number = st.integers(0, 255)
    short = st.integers(0, 65535)
    row = st.tuples(number, number, st.integers(0, 2**62), short, st.integers(0, 2**32 - 1), short, st.floats())
    recorded = (HITS.columns | HITS.optional).items()
    dtypes = {name: dtype for name, dtype in recorded if name not in ("gain_factor", "run")}
    return pl.DataFrame(draw(st.lists(row, max_size=most)), dtypes, orient="row")


# What was written comes out.


@pytest.mark.parametrize("name", LAYOUTS)
@examples(20)
@given(data=st.data())
def test_records_come_out_as_a_plain_loop_reads_them(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    layout, run = LAYOUTS[name], data.draw(hits())
    lengths = st.integers(0, 9) | st.lists(st.integers(0, 9), min_size=len(run), max_size=len(run))
    content = encode(run, layout, data.draw(lengths))
    header = b"" if layout.old else struct.pack("<H", header_of(layout))
    path = write_bytes(tmp_path_factory.getbasetemp() / "run.BIN", header + content)

    chunk, block = data.draw(st.integers(1, 14)), data.draw(st.integers(layout.head.itemsize, 300))
    with patch.object(bin_files, "CHUNK_RECORDS", chunk), patch.object(bin_files, "BLOCK_BYTES", block):
        try:
            expected = table(read_plainly(content, layout), layout)
        except Damaged:  # a record of containing only zeros
            with pytest.raises(InputError, match="containing only zeros"):
                read(path, layout=name)
            return
        found = read(path, layout=name)

    assert_frame_equal(found, expected)
    assert_frame_equal(found, run.select(columns_of(layout)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_header_tells_the_layout(tmp_path: Path, name: str) -> None:
    layout, run = LAYOUTS[name], made_hits(500)

    path = write_bin(tmp_path / "run.BIN", run, layout, [5, 8] * 250 if layout.has_waveform else 0)

    assert_frame_equal(gp.scan(path).collect(), run.select(columns_of(layout)))


@pytest.mark.parametrize("lengths", [0, 1, 700, [3, 4] * 1000, [40] * 1999 + [41]])
def test_waveforms_are_stepped_over(tmp_path: Path, lengths: int | list[int]) -> None:
    run = made_hits(2000)
    path = write_bin(tmp_path / "run.bin", run, WAVES, lengths)

    with patch.object(bin_files, "BLOCK_BYTES", 5000):
        found = gp.scan(path).collect()

    assert_frame_equal(found, run.select(columns_of(WAVES)))


def test_a_waveform_may_be_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    run = made_hits(6)
    path = write_bin(tmp_path / "run.bin", run, WAVES, [10, 3000, 10, 2999, 5000, 3])

    with patch.object(bin_files, "BLOCK_BYTES", 64):
        found = gp.scan(path).collect()

    assert_frame_equal(found, run.select(columns_of(WAVES)))


def test_queries_read_what_they_need(tmp_path: Path) -> None:
    run = made_hits(3000)
    frame = gp.scan(write_bin(tmp_path / "run.bin", run, PLAIN))

    with patch.object(bin_files, "CHUNK_RECORDS", 700):
        for columns in (["adc"], ["flags", "channel"], ["timestamp_ps"]):
            assert_frame_equal(frame.select(columns).collect(), run.select(columns))
        assert frame.select(pl.len()).collect().item() == 3000
        assert_frame_equal(frame.slice(650, 100).collect(), run.select(columns_of(PLAIN)).slice(650, 100))
        busy = frame.filter(pl.col("channel") == 3).select("adc_short")
        assert_frame_equal(busy.collect(), run.filter(pl.col("channel") == 3).select("adc_short"))


def test_pairs_are_those_of_the_same_hits_in_parquet(tmp_path: Path) -> None:
    run = made_hits(4000, gap_ps=100_000)
    run.select(list(HITS.columns)).write_parquet(tmp_path / "run.parquet")

    found = gp.pairs(gp.scan(write_bin(tmp_path / "run.BIN", run, WAVES, 9)), "250ns").collect()

    expected = gp.pairs(gp.scan(tmp_path / "run.parquet"), "250ns").collect()
    assert expected.height > 1000
    assert_frame_equal(found.select(expected.columns), expected)


def test_the_number_of_records_is_known_where_they_have_one_size(tmp_path: Path) -> None:
    run = made_hits(77)

    assert compass_bin.count_records(write_bin(tmp_path / "run.bin", run, PLAIN)) == 77
    assert compass_bin.count_records(write_bin(tmp_path / "waves.bin", run, WAVES, 5)) is None


# Which layout it is.


@pytest.mark.parametrize("header", range(16))
def test_layouts_of_headers(header: int) -> None:
    found = layouts_of_header(0xCAE0 | header)

    fields = [(1, "energy"), (2, "calibrated"), (4, "short"), (0, "flags"), (8, "waveform")]
    assert found[0].fields == tuple(field for bit, field in fields if header & bit or not bit)
    assert len(found) == (3 if header & 3 == 3 else 1)
    assert all(layouts_named(layout.name) == (layout,) for layout in found)
    assert layouts_named(f"0xcae{header:x}") == found


@pytest.mark.parametrize("text", ["", "new", "0xCAF1", "51937", "energy", "energy,energy,flags", "flags,n"])
def test_what_is_no_layout_is_refused(tmp_path: Path, text: str) -> None:
    path = write_bin(tmp_path / "run.bin", made_hits(10), PLAIN)

    with pytest.raises(UsageError, match=r"bin_layout .*0xCAE0 to 0xCAEF, 'old', or .*energy, calibrated, short"):
        gp.scan(path, bin_layout=text)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if not name.startswith("short")])
@pytest.mark.parametrize("count", [8, 2000])
def test_records_without_a_header_tell_their_layout(tmp_path: Path, name: str, count: int) -> None:
    layout, run, losses = LAYOUTS[name], made_hits(count), Losses()
    path = write_bin(tmp_path / "run.BIN", run, layout, 30, header=None)

    found = gp.scan(path, losses=losses).collect()

    assert_frame_equal(found, run.select(columns_of(layout)))
    assert losses.notes == (f"run.BIN: does not give its layout; its records match only {name}",)


@pytest.mark.parametrize("fields", [("energy", "calibrated"), ("energy",), ("calibrated",)])
@pytest.mark.parametrize("others", [("flags",), ("short", "flags"), ("flags", "waveform")])
def test_a_header_with_both_energies_is_decided_by_the_records(
    tmp_path: Path, fields: tuple[str, ...], others: tuple[str, ...]
) -> None:
    layout, run = Layout((*fields, *others)), made_hits(300)
    path = write_bin(tmp_path / "run.BIN", run, layout, 20, header=header_of(layout) | 3)

    assert_frame_equal(gp.scan(path).collect(), run.select(columns_of(layout)))


@pytest.mark.parametrize("layout", [BOTH, LAYOUTS["energy,flags"]])
def test_few_records_do_not_decide_but_the_user_may(tmp_path: Path, layout: Layout) -> None:
    run = made_hits(3)
    path = write_bin(tmp_path / "run.BIN", run, layout, header=0xCAE3)

    error = gammapolars("info", path).error
    done = gammapolars("convert", path, "-o", tmp_path / "hits.parquet", "--bin-layout", layout.name)

    assert "run.BIN: its header 0xCAE3 does not say which energies follow" in error
    assert "give the layout with --bin-layout: a header such as 0xCAE5, 'old', or the fields of a record" in error
    assert done.code == 0
    assert_frame_equal(pl.read_parquet(tmp_path / "hits.parquet"), run.select(columns_of(layout)))


def test_few_records_without_a_header_are_named(tmp_path: Path) -> None:
    run = made_hits(5)
    path = write_bin(tmp_path / "run.BIN", run, PLAIN, header=None)

    with pytest.raises(
        InputError, match=r"run\.BIN: it has no header, and its records match no known layout: .*bin_layout"
    ):
        gp.scan(path)
    for name in ("0xCAE5", PLAIN.name, " Flags, energy,short"):
        assert_frame_equal(gp.scan(path, bin_layout=name).collect(), run.select(columns_of(PLAIN)))


def test_a_segment_has_the_layout_of_the_first(tmp_path: Path) -> None:
    # So few records, and of this layout, do not tell it themselves.
    layout, run = LAYOUTS["short,flags"], made_hits(20)
    write_bin(tmp_path / "run.BIN", run[:15], layout)
    segment = write_bin(tmp_path / "run_2.BIN", run[15:], layout, header=None)

    assert_frame_equal(gp.scan(segment).collect(), run[15:].select(columns_of(layout)))
    assert_frame_equal(gp.scan(tmp_path / "run.BIN", segment).collect(), run.select(columns_of(layout)))


def test_a_segment_beside_another_run_is_read_by_its_own_records(tmp_path: Path) -> None:
    run = made_hits(400)
    write_bin(tmp_path / "run.BIN", run, BOTH)
    segment = write_bin(tmp_path / "run_1.BIN", run, WAVES, 12, header=None)

    assert_frame_equal(gp.scan(segment).collect(), run.select(columns_of(WAVES)))


def test_a_header_that_does_not_fit_the_records_is_an_error_unless_the_layout_is_named(tmp_path: Path) -> None:
    run = made_hits(400)
    path = write_bin(tmp_path / "run.BIN", run, LAYOUTS["calibrated,flags"], header=0xCAE5)

    with pytest.raises(InputError, match=r"layout energy,short,flags given by its header 0xCAE5: .*bin_layout"):
        gp.scan(path)

    found = gp.scan(path, bin_layout="calibrated,flags").collect()
    assert_frame_equal(found, run.select(columns_of(LAYOUTS["calibrated,flags"])))


def test_a_named_layout_is_believed_but_doubts_are_told(tmp_path: Path) -> None:
    run, losses = made_hits(40).with_columns(board=pl.lit(300, pl.UInt16)), Losses()
    path = write_bin(tmp_path / "run.BIN", run, PLAIN)

    with pytest.raises(InputError, match="do not look like hits"):
        gp.scan(path)
    assert_frame_equal(read(path, layout="0xCAE5", losses=losses), run.select(columns_of(PLAIN)))

    assert losses.notes == ("run.BIN: its records do not look like hits in the layout energy,short,flags",)
    assert losses.all == ()


@pytest.mark.parametrize("content", [b"\xe5", b"PK\x03\x04" + bytes(range(256)) * 20, b"Hello, world. " * 1000])
def test_what_is_no_bin_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = write_bytes(tmp_path / "run.bin", content)

    assert "run.bin: it has no header, and its records match no known layout" in gammapolars("info", path).error


@pytest.mark.parametrize("header", [0xCAE0, 0xCAE3, 0xCAED])
def test_a_file_without_records_has_no_hits(tmp_path: Path, header: int) -> None:
    path = write_bytes(tmp_path / "run.bin", struct.pack("<H", header))

    assert gp.scan(path).collect().height == 0


# Files that end too early.


@pytest.mark.parametrize("layout", [PLAIN, WAVES])
def test_cut_files(tmp_path: Path, layout: Layout) -> None:
    run = made_hits(4)
    whole = write_bin(tmp_path / "whole.bin", run, layout, [3, 5, 2, 5] if layout is WAVES else 0).read_bytes()
    complete = run.select(columns_of(layout))
    ends = [2 + len(encode(run[:count], layout, [3, 5, 2, 5][:count] if layout is WAVES else 0)) for count in range(5)]

    for length in range(3, len(whole)):
        path = write_bytes(tmp_path / "cut.bin", whole[:length])
        count = sum(length >= end for end in ends) - 1
        if length in ends:
            assert_frame_equal(read(path), complete[:count])
            continue
        with pytest.raises(
            InputError, match=rf"record {count + 1} at byte {ends[count]} is cut short.*losses=gp\.Losses\(\)"
        ):
            read(path)
        losses = Losses()
        assert_frame_equal(read(path, losses=losses), complete[:count])
        assert losses.count("damaged") == 1


@pytest.mark.parametrize("layout", [PLAIN, WAVES])
def test_a_file_that_is_still_written_is_read_up_to_the_last_record(tmp_path: Path, layout: Layout) -> None:
    run, losses = made_hits(100), Losses(keep_going=False)
    whole = write_bin(tmp_path / "run.bin", run, layout, 6 if layout is WAVES else 0).read_bytes()
    path = write_bytes(tmp_path / "run.bin", whole[:-3], finished=False)

    assert_frame_equal(read(path, losses=losses), run[:99].select(columns_of(layout)))
    assert losses.notes == ("run.bin: is still being written: read up to record 99",)


def test_what_is_written_after_the_beginning_is_not_read(tmp_path: Path) -> None:
    run, losses = made_hits(100), Losses(keep_going=False)
    whole = write_bin(tmp_path / "run.bin", run, PLAIN).read_bytes()
    path = write_bytes(tmp_path / "run.bin", whole[:-7])
    frame = compass_bin.scan_bin(path, Reading(losses=losses))

    write_bytes(path, whole)  # long ago, but its size has changed

    assert_frame_equal(frame.collect(), run[:99].select(columns_of(PLAIN)))
    assert losses.notes == ("run.bin: is still being written: read up to record 99",)


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = write_bin(tmp_path / "run.bin", made_hits(100), PLAIN)
    frame = compass_bin.scan_bin(path)
    os.truncate(path, 1000)

    with pytest.raises(InputError, match=r"run\.bin: became shorter while it was being read"):
        frame.collect()


# Damage inside.


@pytest.mark.parametrize("name", [PLAIN.name, WAVES.name, "old", "calibrated,flags,waveform"])
@examples(60)
@given(data=st.data())
def test_damage_is_an_error_or_what_a_plain_loop_reads(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    layout = LAYOUTS[name]
    lengths = data.draw(st.just(4) | st.just([2, 5, 9] * 10))
    content = bytearray(encode(made_hits(30), layout, lengths))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    header = b"" if layout.old else struct.pack("<H", header_of(layout))
    path = write_bytes(tmp_path_factory.getbasetemp() / "mutated.BIN", header + content)
    try:
        expected = table(read_plainly(bytes(content), layout), layout)
    except Damaged:
        expected = None

    with patch.object(bin_files, "BLOCK_BYTES", 400), patch.object(bin_files, "CHUNK_RECORDS", 7):
        if expected is None:
            with pytest.raises(InputError, match=r"mutated\.BIN"):
                read(path, layout="old" if layout.old else None)
        else:
            assert_frame_equal(read(path, layout="old" if layout.old else None), expected)


def test_records_that_cannot_be_hits_are_left_out_and_counted(tmp_path: Path) -> None:
    run = made_hits(1000)
    wrong = run.with_columns(
        board=pl.when(pl.int_range(1000).is_in([100, 101, 750])).then(40_000).otherwise("board").cast(pl.UInt16)
    )
    path = write_bin(tmp_path / "run.bin", wrong, PLAIN)
    losses = Losses()

    with pytest.raises(InputError, match=r"the first: record 101 at byte 2002, board 40000 and channel \d+\)"):
        read(path)
    with patch.object(bin_files, "CHUNK_RECORDS", 64):
        found = read(path, losses=losses)
        for columns in (["adc"], ["channel", "flags"]):
            frame = compass_bin.scan_bin(path, Reading(losses=losses))
            assert_frame_equal(frame.select(columns).collect(), found.select(columns))

    assert_frame_equal(found, run.select(columns_of(PLAIN)).filter(~pl.int_range(1000).is_in([100, 101, 750])))
    (loss,) = losses.all
    assert (loss.hits, loss.kind) == (3, "damaged")


def test_timestamps_out_of_range_are_left_out_and_counted(tmp_path: Path) -> None:
    run, losses = made_hits(50), Losses()
    content = bytearray(write_bin(tmp_path / "run.bin", run, PLAIN).read_bytes())
    content[2 + 20 * 9 + 11] = 0x80
    path = write_bytes(tmp_path / "run.bin", bytes(content))

    with pytest.raises(InputError, match=r"timestamp over 2\^62 ps \(the first: record 10 at byte 182\)"):
        read(path)
    assert_frame_equal(read(path, losses=losses), pl.concat([run[:9], run[10:]]).select(columns_of(PLAIN)))
    assert (losses.count("out_of_range"), losses.count("damaged")) == (1, 0)


def test_zeros_behind_the_last_record_are_no_hits(tmp_path: Path) -> None:
    # As a file system may leave them behind after a crash.
    run, losses = made_hits(500), Losses()
    content = write_bin(tmp_path / "run.bin", run, PLAIN).read_bytes()
    path = write_bytes(tmp_path / "run.bin", content + bytes(20 * 37))

    with pytest.raises(InputError, match=r"containing only zeros \(the first: record 501 at byte 10002\)"):
        read(path)
    assert_frame_equal(read(path, losses=losses), run.select(columns_of(PLAIN)))
    assert losses.count("damaged") == 37


# Where waveforms lead astray.


@pytest.mark.parametrize("layout", [WAVES, OLD], ids=["new", "old"])
@pytest.mark.parametrize("samples", [0, 5, 41, 3000, 2**31, 2**32 - 1])
def test_a_wrong_length_costs_no_other_record(tmp_path: Path, layout: Layout, samples: int) -> None:
    run, losses = made_hits(400), Losses()
    content = bytearray(write_bin(tmp_path / "run.bin", run, layout, 40).read_bytes())
    size = layout.head.itemsize + 80
    begin = len(content) - 400 * size
    struct.pack_into("<I", content, begin + 200 * size + layout.head.itemsize - 4, samples)
    path = write_bytes(tmp_path / "run.bin", bytes(content))
    named = "old" if layout.old else None

    with pytest.raises(InputError, match=r"record 20[12] at byte \d+ is damaged.*losses=gp\.Losses\(\)"):
        read(path, layout=named)
    with patch.object(bin_files, "BLOCK_BYTES", 5000):
        found = read(path, layout=named, losses=losses)

    # The record itself is left out where it claims more than the file holds: then all of it is in doubt.
    gone = 1 if samples > 20_000 else 0
    expected = run.select(columns_of(layout)).filter(pl.int_range(400) != (200 if gone else -1))
    assert_frame_equal(found, expected)
    assert losses.count("damaged") == gone
    assert len(losses.all) == 1


@pytest.mark.parametrize("samples", [20_000, 2**20, 2**22])
def test_a_wrong_first_length_does_not_end_the_file(tmp_path: Path, samples: int) -> None:
    """It is no waveform that the file's end cuts short: records follow."""
    run, losses = made_hits(300), Losses()
    content = bytearray(write_bin(tmp_path / "run.bin", run, WAVES, 40).read_bytes())
    struct.pack_into("<I", content, 2 + WAVES.head.itemsize - 4, samples)

    found = read(write_bytes(tmp_path / "run.bin", bytes(content)), losses=losses)

    assert_frame_equal(found, run[1:].select(columns_of(WAVES)))
    assert "record 1 at byte 2 is damaged" in losses.all[0].what


def test_where_nothing_follows_at_least_one_hit_is_left_out(tmp_path: Path) -> None:
    """Here the header tells of waveforms, where there are none."""
    layout, losses = LAYOUTS["short,flags"], Losses()
    path = write_bin(tmp_path / "run.bin", made_hits(300), layout, header=header_of(layout) | 8)

    found = read(path, losses=losses)

    assert found.is_empty()
    assert losses.count("damaged") >= 1


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\x05\x01", b"random"])
def test_records_follow_again_behind_what_is_overwritten(tmp_path: Path, fill: bytes) -> None:
    run, losses = made_hits(1000), Losses()
    content = bytearray(write_bin(tmp_path / "run.bin", run, WAVES, 40).read_bytes())
    size = WAVES.head.itemsize + 80
    first, last = 2 + 300 * size - 10, 2 + 351 * size - 3
    noise = np.random.default_rng(3).bytes(last - first) if fill == b"random" else fill * (last - first)
    content[first:last] = noise[: last - first]
    path = write_bytes(tmp_path / "run.bin", bytes(content))

    found = read(path, losses=losses)

    assert_frame_equal(found, run.select(columns_of(WAVES)).filter(~pl.int_range(1000).is_between(300, 350)))
    assert losses.count("damaged") == 51


def test_the_rest_is_left_out_where_no_record_follows(tmp_path: Path) -> None:
    run, losses = made_hits(300), Losses()
    content = write_bin(tmp_path / "run.bin", run, WAVES, 40).read_bytes()
    size = WAVES.head.itemsize + 80
    garbage = np.random.default_rng(3).bytes(100 * size)
    path = write_bytes(tmp_path / "run.bin", content[: 2 + 200 * size] + garbage)

    found = read(path, losses=losses)

    assert_frame_equal(found, run[:200].select(columns_of(WAVES)))
    (loss,) = losses.all
    assert loss.hits == 100
    assert f"record 201 at byte {2 + 200 * size} is damaged" in loss.what
    assert "the rest of the file is left out, about 100 hits of 105 bytes on average" in loss.what


def test_waveforms_may_become_much_longer(tmp_path: Path) -> None:
    run, losses = made_hits(200), Losses()
    path = write_bin(tmp_path / "run.bin", run, WAVES, [10] * 100 + [300, 10, 20, 5000, 4000] * 20)

    with patch.object(bin_files, "BLOCK_BYTES", 3000):
        assert_frame_equal(read(path, losses=losses), run.select(columns_of(WAVES)))
    assert losses.all == ()


@pytest.mark.parametrize("value", [0, 1, 200])
def test_small_samples_do_not_pass_for_records(tmp_path: Path, value: int) -> None:
    run, losses = made_hits(100), Losses()
    content = write_bin(tmp_path / "run.bin", run, WAVES, 40).read_bytes()
    path = write_bytes(tmp_path / "run.bin", content + struct.pack("<H", value) * 500_000)

    assert_frame_equal(read(path, losses=losses), run.select(columns_of(WAVES)))
    assert losses.count("damaged") == pytest.approx(10**6 / 105, abs=1)


@examples(60)
@given(
    samples=st.sampled_from([[20] * 120, [10, 20, 31] * 40]),
    place=st.integers(0, 10_000),
    damage=st.binary(min_size=1, max_size=400) | st.integers(1, 400).map(bytes),
    block=st.sampled_from([100, 1000, 10**6]),
)
@example(
    samples=[10, 20, 31] * 40, place=159, damage=bytes(44) + b"\x8d", block=100
)  # so long that it ends with another
@example(samples=[20] * 120, place=2204, damage=b"\0\0n", block=100)  # and what is read after it ends with another
def test_with_keep_going_no_hit_is_made_up(
    tmp_path_factory: pytest.TempPathFactory, samples: list[int], place: int, damage: bytes, block: int
) -> None:
    run = made_hits(120)
    content = bytearray(encode(run, WAVES, samples))
    begin = 1000 + place % (len(content) - 1000)
    damage = damage[: len(content) - begin]
    content[begin : begin + len(damage)] = damage
    path = write_bytes(tmp_path_factory.getbasetemp() / "mutated.BIN", struct.pack("<H", 0xCAED) + content)
    losses = Losses()

    with patch.object(bin_files, "BLOCK_BYTES", block):
        found = read(path, losses=losses)

    # A field may be another one, but no row comes from samples: all times but those overwritten are the run's.
    times = set(run["timestamp_ps"].to_list())
    strange = [time for time in found["timestamp_ps"] if time not in times]
    hurt = len(damage) // (WAVES.head.itemsize + 20) + 2
    hidden = swallowed(content, samples)
    assert len(strange) <= hurt
    assert found.height >= 120 - 2 * hurt - hidden
    assert abs(found.height + losses.count("damaged") + losses.count("out_of_range") - 120) <= 2 + hidden


def swallowed(content: bytearray, samples: list[int]) -> int:
    """Hits that nothing can tell of: an overwritten length ends where another record does, and hides those between."""
    size = WAVES.head.itemsize
    begins = np.cumsum([0, *(size + 2 * count for count in samples)]).tolist()
    hidden = 0
    for record, begin in enumerate(begins[:-1]):
        length = int.from_bytes(content[begin + size - 4 : begin + size], "little")
        end = begin + size + 2 * length
        hidden += begins.index(end) - record - 1 if end in begins else 0
    return hidden


# A recorded file.


FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")


@pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")
@pytest.mark.parametrize("with_header", [True, False])
def test_a_recorded_file(tmp_path: Path, with_header: bool) -> None:
    path = Path(FOLDER) / "compass-bin" / "compass_test_data.BIN"
    if not with_header:
        path = write_bytes(tmp_path / "run.BIN", path.read_bytes()[2:])

    found = gp.scan(path).collect()

    content = (Path(FOLDER) / "compass-bin" / "compass_test_data.BIN").read_bytes()
    assert_frame_equal(found, table(read_plainly(content[2:], WAVES), WAVES))
    assert found.group_by("channel").len().sort("channel").rows() == [(0, 51), (1, 51)]
    steps = found["timestamp_ps"].diff().drop_nulls()
    assert ((steps < 0).sum(), steps.min()) == (3, -1912)
