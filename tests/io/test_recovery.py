"""ROOT files that are still being recorded, were left behind by a killed writer, or lost their end on the way."""

import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.io import Losses
from gammapolars.io.root import recovery
from gammapolars.io.root.recovery import _Basket, _in_order
from gammapolars.io.root.uproot_file import opened_by_uproot
from gammapolars.io.root.writer import Layout, hit_branches
from tests.drawing import examples
from tests.rootfiles import Laid, baskets_of, cut, made_hits, unclosed, write_branches, write_by_uproot, write_hits

HITS = 50_000
FLAT = ("Channel", "Timestamp", "Board", "Energy", "Flags")
REAL = os.environ.get("GAMMAPOLARS_REAL_DATA")


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(HITS)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, hits: pl.DataFrame) -> Path:
    return write_hits(tmp_path_factory.mktemp("closed") / "run.root", hits, Layout(first_bytes=None))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, closed: Path) -> tuple[Path, list[Laid]]:
    """A file with all baskets and no metadata, and where they lie."""
    path = tmp_path_factory.mktemp("recording") / "run.root"
    return path, unclosed(closed, path)


def complete(baskets: Iterable[Laid], branches: Iterable[str] = FLAT) -> int:
    """Hits that all branches have."""
    counts = Counter(dict.fromkeys(branches, 0))
    for basket in baskets:
        counts[basket.branch] += basket.entries
    return min(counts.values())


def read(path: Path) -> tuple[pl.DataFrame, Losses]:
    """What a strict reader gets, and what it notes."""
    losses = Losses(keep_going=False)
    return gp.scan(path, losses=losses).collect(), losses


def note(path: Path, count: int) -> str:
    return (
        f"{path.name}: was not closed (is it still being recorded?): read up to the last complete basket, {count} hits"
    )


# Files that were not closed.


def test_a_file_without_metadata_is_read_from_its_baskets(
    recording: tuple[Path, list[Laid]], hits: pl.DataFrame
) -> None:
    path, laid = recording
    assert complete(laid) == HITS

    found, losses = read(path)

    assert_frame_equal(found, hits)
    assert losses.notes == (note(path, HITS),)
    assert losses.all == ()


@examples(20)
@given(data=st.data())
def test_a_file_that_ends_anywhere_is_read_up_to_the_last_complete_basket(
    tmp_path_factory: pytest.TempPathFactory,
    recording: tuple[Path, list[Laid]],
    hits: pl.DataFrame,
    data: st.DataObject,
) -> None:
    source, laid = recording
    borders = [end for basket in laid for end in (basket.end, basket.end + 1, basket.end + 40, basket.end + 100)]
    length = data.draw(st.sampled_from(borders) | st.integers(laid[0].end, source.stat().st_size))
    path = cut(source, tmp_path_factory.mktemp("cut") / "run.root", length)
    count = complete(basket for basket in laid if basket.end <= length)

    found, losses = read(path)

    assert_frame_equal(found, hits.head(count))
    assert losses.notes == (note(path, count),)


def test_a_query_of_one_column_gets_no_more_hits_than_one_of_all(
    tmp_path: Path, recording: tuple[Path, list[Laid]], hits: pl.DataFrame
) -> None:
    source, laid = recording
    path = cut(source, tmp_path / "run.root", laid[-4].end)
    count = complete(laid[:-3])
    assert 0 < count < HITS

    assert_frame_equal(gp.scan(path).select("timestamp_ps").collect(), hits.select("timestamp_ps").head(count))
    assert gp.scan(path).select(pl.len()).collect().item() == count
    assert gp.io.open_runs(path).count() == count


@examples(15)
@given(data=st.data())
def test_a_basket_whose_key_is_zeroed_ends_its_branch(
    tmp_path_factory: pytest.TempPathFactory,
    recording: tuple[Path, list[Laid]],
    hits: pl.DataFrame,
    data: st.DataObject,
) -> None:
    source, laid = recording
    wiped = data.draw(st.sampled_from(laid))
    mask = data.draw(st.sampled_from([bytes(64), b"\xff" * 64, bytes(wiped.end - wiped.place)]))
    octets = bytearray(source.read_bytes())
    octets[wiped.place : wiped.place + len(mask)] = mask
    path = tmp_path_factory.mktemp("wiped") / "run.root"
    path.write_bytes(octets)
    count = complete(b for b in laid if b.branch != wiped.branch or b.number < wiped.number)

    found, losses = read(path)

    assert_frame_equal(found, hits.head(count))
    assert losses.notes == (note(path, count),)


def test_a_basket_in_a_gap_before_those_that_precede_it_is_put_in_its_place(
    tmp_path: Path, recording: tuple[Path, list[Laid]], hits: pl.DataFrame
) -> None:
    source, laid = recording
    octets = source.read_bytes()
    times = [basket for basket in laid if basket.branch == "Timestamp"]
    order = [basket for basket in laid if basket != times[5]]
    order.insert(order.index(times[1]), times[5])
    gap = struct.pack(">i", -100) + bytes(96)
    out = bytearray(octets[: laid[0].place]) + gap
    for basket in order:
        moved = bytearray(octets[basket.place : basket.end])
        struct.pack_into(">q", moved, 18, len(out))
        out += moved
    path = tmp_path / "run.root"
    path.write_bytes(out)

    assert_frame_equal(read(path)[0], hits)


def test_metadata_older_than_the_baskets_do_not_hide_what_came_after(
    tmp_path: Path, recording: tuple[Path, list[Laid]], hits: pl.DataFrame
) -> None:
    """As a tree is saved now and then while it is recorded: here it is saved empty."""
    source, laid = recording
    saved = write_branches(
        tmp_path / "saved.root", {k: v[:0] for k, v in hit_branches(hits).items()}, Layout(entries=100)
    )
    out, octets = bytearray(saved.read_bytes()), source.read_bytes()
    assert len(out) == struct.unpack_from(">i", out, 12)[0]
    for basket in laid:
        moved = bytearray(octets[basket.place : basket.end])
        struct.pack_into(">q", moved, 18, len(out))
        out += moved
    path = tmp_path / "run.root"
    path.write_bytes(out)

    found, losses = read(path)

    assert_frame_equal(found, hits)
    assert losses.notes == (note(path, HITS),)


def test_a_closed_file_with_something_behind_its_end_is_read_as_it_is(
    tmp_path: Path, closed: Path, hits: pl.DataFrame
) -> None:
    path = tmp_path / "run.root"
    path.write_bytes(closed.read_bytes() + b"TBasket" * 100)

    found, losses = read(path)

    assert_frame_equal(found, hits)
    assert losses.notes == ()


def test_a_recording_that_has_only_begun_has_no_hits(tmp_path: Path, recording: tuple[Path, list[Laid]]) -> None:
    source, laid = recording
    path = cut(source, tmp_path / "run.root", laid[0].end)

    found, losses = read(path)

    assert found.is_empty()
    assert set(found.columns) == set(gp.HITS.columns)
    assert losses.notes == (note(path, 0),)


def test_without_a_single_basket_there_is_no_tree(tmp_path: Path, recording: tuple[Path, list[Laid]]) -> None:
    source, laid = recording
    with pytest.raises(InputError, match=r"was not closed and contains no complete basket yet"):
        gp.scan(cut(source, tmp_path / "run.root", laid[0].end - 1))


def test_calibrated_energies_and_waveforms_of_an_unclosed_file(tmp_path: Path, hits: pl.DataFrame) -> None:
    arrays = hit_branches(hits) | {"CalibEnergy": hits["adc"].to_numpy() * 0.5, "Other": hits["adc"].to_numpy()}
    del arrays["Energy"]
    path = tmp_path / "run.root"
    unclosed(write_branches(tmp_path / "closed.root", arrays, Layout(first_bytes=None)), path)

    found, _ = read(path)

    expected = hits.with_columns(energy_kev=pl.col("adc") * 0.5).drop("adc")
    assert_frame_equal(found, expected, check_column_order=False)


def test_a_branch_of_another_width_than_recorded_ones_have_is_not_guessed_at(
    tmp_path: Path, hits: pl.DataFrame
) -> None:
    arrays = hit_branches(hits) | {"Energy": hits["adc"].to_numpy().astype(np.float32)}
    path = tmp_path / "run.root"
    unclosed(write_branches(tmp_path / "closed.root", arrays, Layout(first_bytes=None)), path)

    with pytest.raises(InputError, match=r"branch 'Energy' of tree 'Data_R' does not contain one number per hit"):
        gp.scan(path)


def test_a_file_that_grows_while_it_is_read_gives_what_was_there(
    tmp_path: Path, recording: tuple[Path, list[Laid]], hits: pl.DataFrame
) -> None:
    source, laid = recording
    half = laid[len(laid) // 2]
    path = cut(source, tmp_path / "run.root", half.end + 10)
    count = complete(basket for basket in laid if basket.end <= half.end)
    frame = gp.scan(path)

    with path.open("ab") as file:
        file.write(source.read_bytes()[half.end + 10 :])

    assert_frame_equal(frame.collect(), hits.head(count))
    assert_frame_equal(gp.scan(path).collect(), hits)


def test_a_writer_killed_half_way_leaves_a_readable_file(
    tmp_path: Path, recording: tuple[Path, list[Laid]], hits: pl.DataFrame
) -> None:
    source, laid = recording
    path = tmp_path / "run.root"
    program = (
        "import sys, time\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "with open(sys.argv[2], 'wb', buffering=0) as file:\n"
        "    for at in range(0, len(data), 3001):\n"
        "        file.write(data[at:at + 3001])\n"
        "        time.sleep(0.015)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(source), str(path)]) as writer:
        while not path.exists() or path.stat().st_size < source.stat().st_size // 2:
            time.sleep(0.005)
        while_written, _ = read(path)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert path.stat().st_size < source.stat().st_size

    found, losses = read(path)

    count = complete(basket for basket in laid if basket.end <= path.stat().st_size)
    assert count > HITS // 4
    assert_frame_equal(found, hits.head(count))
    assert_frame_equal(while_written, hits.head(while_written.height))
    assert losses.notes == (note(path, count),)


def test_a_writer_that_keeps_its_metadata_in_step_can_be_killed_at_any_time(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = tmp_path / "run.root"
    arrays = hit_branches(hits)
    file = uproot.recreate(path)
    tree = file.mktree("Data_R", {name: values.dtype for name, values in arrays.items()})
    for begin in (0, 1000, 2000):
        tree.extend({name: values[begin : begin + 1000] for name, values in arrays.items()})

    found, _ = read(path)

    assert_frame_equal(found, hits.head(3000))


def test_baskets_without_numbers_are_used_as_far_as_none_can_be_missing(
    tmp_path: Path, recording: tuple[Path, list[Laid]], hits: pl.DataFrame
) -> None:
    source, laid = recording
    octets = bytearray(source.read_bytes())
    for basket in laid:
        octets[basket.place + 16 : basket.place + 18] = bytes(2)
    whole, holed = tmp_path / "whole.root", tmp_path / "holed.root"
    whole.write_bytes(octets)
    hole = laid[len(laid) // 2]
    octets[hole.place : hole.place + 64] = bytes(64)
    holed.write_bytes(octets)

    assert_frame_equal(read(whole)[0], hits)
    assert_frame_equal(read(holed)[0], hits.head(complete(laid[: laid.index(hole)])))


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), max_size=3), st.sampled_from([0, 59]))
def test_numbers_put_baskets_in_order_up_to_the_first_that_is_missing(
    order: list[int], missing: set[int], before: int
) -> None:
    def basket(place: int) -> _Basket:
        return _Basket("Data_R", "Energy", place % 64, place, 100, 10, 2, True)

    earlier = [basket(place) for place in range(before)]
    later = [basket(before + place) for place in order if place not in missing]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "NUMBERS", 64)
        found = _in_order(earlier + later)

    assert [basket.seek for basket in found] == list(range(before + min(missing, default=12)))


# Copies whose end is missing, and damaged metadata.


def test_a_truncated_copy_is_read_only_where_it_is_asked_for(tmp_path: Path, closed: Path) -> None:
    path = cut(closed, tmp_path / "run.root", closed.stat().st_size // 2)

    with pytest.raises(InputError, match=r"is truncated: it has \d+ of the \d+ bytes .*losses=gp\.Losses\(\)"):
        gp.scan(path)


@pytest.mark.parametrize("correct_header", [False, True])
def test_what_there_is_of_a_recorded_file_is_read_and_what_is_missing_is_told(
    tmp_path: Path, recording: tuple[Path, list[Laid]], hits: pl.DataFrame, correct_header: bool
) -> None:
    source, laid = recording
    data = bytearray(source.read_bytes())
    struct.pack_into(">i", data, 12, len(data) + 5000)  # closed once, and now without what was behind the baskets
    whole = tmp_path / "whole.root"
    whole.write_bytes(data)
    path = cut(whole, tmp_path / "run.root", laid[20].end, correct_header=correct_header)
    count = complete(laid[:21])
    losses = Losses()

    with pytest.raises(InputError):
        gp.scan(path)
    found = gp.scan(path, losses=losses).collect()

    assert_frame_equal(found, hits.head(count))
    reason = "damaged metadata" if correct_header else f"{len(data) + 5000 - laid[20].end} bytes are missing"
    assert reason in losses.notes[0]
    assert f"read up to the last complete basket, {count} hits" in losses.notes[0]


def test_the_missing_end_is_counted_where_the_metadata_are_there(tmp_path: Path, hits: pl.DataFrame) -> None:
    """uproot puts the tree's metadata before its baskets."""
    whole = write_by_uproot(tmp_path / "whole.root", hit_branches(hits), parts=10)
    with uproot.open(whole) as file:
        last = max(int(branch.member("fBasketSeek")[9]) for branch in file["Data_R"].branches)
        tree = file.key("Data_R").fSeekKey
    assert tree < last
    path = cut(whole, tmp_path / "run.root", last + 500)
    losses = Losses()

    found = gp.scan(path, losses=losses).collect()

    assert_frame_equal(found, hits.head(found.height))
    assert found.height == HITS - losses.count("damaged")
    assert 0 < losses.count("damaged") <= HITS // 10


@pytest.mark.skipif(REAL is None, reason="GAMMAPOLARS_REAL_DATA is not set")
def test_a_recorded_file_is_read_without_its_metadata(tmp_path: Path) -> None:
    source = next(Path(str(REAL)).rglob("SDataR_vuoto_3_peaks_81.root"))
    data = bytearray(source.read_bytes())
    with uproot.open(source) as file:
        tree = file.key("Data_R").fSeekKey
    struct.pack_into(">i", data, 12, 406)
    path = tmp_path / "run.root"
    path.write_bytes(data[:tree])

    assert_frame_equal(read(path)[0], gp.scan(source).collect())


@pytest.mark.parametrize("by_uproot", [False, True], ids=["numbered", "without numbers"])
@pytest.mark.parametrize("place", [0, 24, 37, 45], ids=["length", "seek", "class", "branch"])
def test_behind_a_basket_that_is_overlooked_no_hits_are_put_together(
    tmp_path: Path, hits: pl.DataFrame, by_uproot: bool, place: int
) -> None:
    """Others would take its place."""
    few = hits.head(800)
    path = tmp_path / "run.root"
    if by_uproot:
        write_by_uproot(path, hit_branches(few), parts=4)
    else:
        write_hits(path, few, Layout(entries=200))
    with uproot.open(path) as file:
        key = file.key("Data_R")
        metadata = range(key.fSeekKey + key.fKeylen, key.fSeekKey + key.fNbytes)
    data = bytearray(path.read_bytes())
    data[metadata.start : metadata.stop] = bytes(len(metadata))
    data[baskets_of(path, "Energy")[1][0] + place] ^= 1
    path.write_bytes(data)
    losses = Losses()

    found = gp.scan(path, losses=losses).collect()

    # uproot leaves holes in its files, which stop the search before the damage does.
    assert found.height == 200 or by_uproot
    assert_frame_equal(found, few.head(min(found.height, 200)))
    assert f"read up to the last complete basket, {found.height} hits" in losses.notes[0]


def test_what_a_damaged_file_tells_of_its_types_does_not_reach_the_next_file(tmp_path: Path) -> None:
    """uproot makes classes of it, which it keeps."""
    path = write_by_uproot(tmp_path / "good.root", hit_branches(made_hits(100)), parts=2)
    before = dict(uproot.classes), dict(uproot.classes["TTree"].known_versions)

    with opened_by_uproot(path) as file:
        uproot.classes["TTree"].known_versions.clear()
        uproot.classes["TNonsense"] = object()
        assert file.keys()

    assert (uproot.classes, uproot.classes["TTree"].known_versions) == before
