"""Entries of ROOT files in ranges: together they are the file, whatever is cut and damaged, and each costs little."""

import os
import pickle
import re
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.detectors.columns import Column
from gammapolars.io import Losses, Reading
from gammapolars.io.input_file import open_file
from gammapolars.io.places import NO_HIT_PS, borders_of, times_at
from gammapolars.io.root import baskets, places
from gammapolars.io.root.branches import Branch
from gammapolars.io.root.frames import PREFIX_BYTES, uncompressed
from gammapolars.io.root.tree import open_tree
from gammapolars.io.root.writer import Layout, hit_branches
from tests.drawing import examples
from tests.io.test_rntuple import write_rntuple
from tests.ranges import account, borders, read_in_ranges, read_whole
from tests.rootfiles import LAYOUTS, baskets_of, made_hits, with_bytes, write_branches, write_by_uproot, write_hits

HITS = 12_000


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(HITS)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, hits: pl.DataFrame) -> dict[str, Path]:
    """The same hits in every layout, in several codecs and as an RNTuple."""
    folder = tmp_path_factory.mktemp("ranges")
    made = {name: write_hits(folder / f"{name}.root", hits, layout) for name, layout in LAYOUTS.items()}
    made["one basket"] = write_by_uproot(folder / "one.root", hit_branches(hits), compression=uproot.ZLIB(1))
    made["rntuple"] = write_rntuple(folder / "rntuple.root", hit_branches(hits))
    return made


@examples(30)
@given(data=st.data())
def test_ranges_together_are_the_file_and_lose_what_it_loses(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path], hits: pl.DataFrame, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(files)))
    path = tmp_path_factory.mktemp("x") / "run.root"
    damage = {}
    for branch in data.draw(st.lists(st.sampled_from(["Timestamp", "Energy", "Flags"]), unique=True)):
        if name != "rntuple":
            place, key, size = data.draw(st.sampled_from(baskets_of(files[name], branch)))
            damage[place + data.draw(st.integers(key, size - 1))] = 0xFF
        elif not damage:
            damage[pages_of(files[name])] = 0xFF
    with_bytes(files[name], path, damage)
    whole, cut = (Reading(losses=Losses(), chunk_hits=data.draw(st.sampled_from([700, 10**6]))) for _ in range(2))
    at = data.draw(st.lists(st.integers(0, HITS), max_size=6))
    some = data.draw(st.sampled_from([[], ["timestamp_ps", "channel"], ["flags"]]))

    expected = read_whole(path, whole, columns=some)
    found = read_in_ranges(path, [0, *sorted(at), HITS], cut, columns=some)

    assert_frame_equal(found, expected)
    assert account(cut.losses) == account(whole.losses)
    assert account(pickle.loads(pickle.dumps(cut.losses))) == account(whole.losses)
    times = read_whole(path, Reading(losses=Losses()), columns=["timestamp_ps"])["timestamp_ps"]
    asked = [*at[:2], HITS]
    begin = hits["timestamp_ps"].append(pl.Series([NO_HIT_PS]))[asked]
    following = times.append(pl.Series([NO_HIT_PS]))
    assert times_at(open_file(path, Reading(losses=Losses())), asked) == [
        following[following.search_sorted(time)] for time in begin
    ]


def pages_of(path: Path) -> int:
    """A byte of a page of the timestamps in an RNTuple's fourth cluster."""
    with uproot.open(path) as file:
        return int(file["Data_R"].page_link_list[3][2].pages[0].locator.offset)


@examples(40)
@given(
    sizes=st.lists(st.integers(1, 300_000), min_size=1, max_size=3),
    part=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    level=st.sampled_from([0, 1]),
)
def test_frames_are_unpacked_as_far_as_they_are_needed(sizes: list[int], part: tuple[float, float], level: int) -> None:
    data = np.random.default_rng(len(sizes)).integers(0, 256, sum(sizes), np.uint8).tobytes()
    packed, at = b"", 0
    for size in sizes:
        frame = zlib.compress(data[at : at + size], level)
        packed += b"ZL\x08" + len(frame).to_bytes(3, "little") + size.to_bytes(3, "little") + frame
        at += size
    low, high = sorted(round(share * len(data)) for share in part)
    asked: list[int] = []

    def fetch(place: int, count: int) -> bytes:
        asked.append(count)
        return packed[place : place + count]

    found = b"".join(map(bytes, uncompressed(fetch, 0, len(packed), len(data) + 1, low, high)))

    assert found == data[low:high]
    ends = np.cumsum([0, *sizes])
    last = int(np.searchsorted(ends, high)) - 1
    needed = high - ends[last] if last >= 0 else 0
    if last >= 0 and 2 * needed < sizes[last] and low >= ends[last] and high > low:
        assert sum(asked) <= 9 * len(sizes) + 2 * max(needed + 100, PREFIX_BYTES)


def test_few_entries_of_a_large_basket_cost_few_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = made_hits(600_000)
    path = write_by_uproot(tmp_path / "run.root", hit_branches(hits), parts=2, compression=uproot.ZLIB(1))
    file = open_file(path, Reading())
    assert borders(file) == [0, 300_000, 600_000]
    asked: list[int] = []

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        asked.append(size)
        return os.pread(descriptor, size, offset)

    monkeypatch.setattr(baskets, "read_at", read_at)

    assert times_at(file, [0, 300_000]) == [hits["timestamp_ps"][0], hits["timestamp_ps"][300_000]]
    assert sum(asked) < 3 * PREFIX_BYTES
    asked.clear()
    assert_frame_equal(read_in_ranges(path, [300_000, 301_000], Reading()), hits[300_000:301_000])
    assert sum(asked) < 2 * 5 * PREFIX_BYTES < path.stat().st_size / 5


@examples(40)
@given(
    ends=st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=20), min_size=1, max_size=3),
    most=st.integers(1, 200),
)
def test_cuts_lie_at_ends_of_baskets_of_all_branches_where_there_are_such(ends: list[list[int]], most: int) -> None:
    entries = max(map(sum, ends))
    none = np.empty(0, np.int64)
    branches = [
        Branch(str(number), np.dtype(">u2"), np.unique([*np.cumsum([0, *one]), entries]), none, none)
        for number, one in enumerate(ends)
    ]

    cuts = places.cheap_cuts(branches, entries, most)

    common = set.intersection(*(set(branch.entries.tolist()) for branch in branches))
    assert cuts[0] == 0
    assert cuts[-1] == entries
    assert (np.diff(cuts) > 0).all()
    assert np.diff(cuts).max() <= most
    assert common <= {*cuts.tolist()}
    for begin, end in zip(sorted(common), sorted(common)[1:], strict=False):
        inside = [cut for cut in cuts.tolist() if begin < cut < end]
        assert not inside or end - begin > most


def test_values_out_of_range_and_wide_ones_are_those_of_the_whole_file(tmp_path: Path, hits: pl.DataFrame) -> None:
    branches = hit_branches(hits)
    times, energies = branches["Timestamp"].copy(), branches["Energy"].astype(np.int64)
    times[[100, 7000]] = np.uint64(2**63)
    energies[:200] += 70_000  # beyond 16 bits, in the first range only
    path = write_branches(
        tmp_path / "run.root", branches | {"Timestamp": times, "Energy": energies}, Layout(entries=1000)
    )
    whole, cut = Reading(losses=Losses()), Reading(losses=Losses())

    expected = read_whole(path, whole)
    found = read_in_ranges(path, [0, 50, 5000, HITS], cut)

    assert_frame_equal(found, expected)
    assert found["adc"].dtype == pl.Int64
    assert account(cut.losses) == account(whole.losses)
    assert cut.losses.count("out_of_range") == 2


def test_another_programs_branches_are_read_in_ranges(tmp_path: Path, hits: pl.DataFrame) -> None:
    arrays = {"t": hits["timestamp_ps"].to_numpy() / 1e3, "ch": hits["channel"].to_numpy().astype(np.int64)}
    arrays["t"][[3, 9000]] = np.nan
    path = write_branches(tmp_path / "run.root", arrays, Layout(entries=1000), tree="events")
    reading = partial(Reading, tree="events", columns={"timestamp_ps": Column("t", "ns"), "channel": Column("ch")})
    whole, cut = reading(losses=Losses()), reading(losses=Losses())

    expected = read_whole(path, whole)
    found = read_in_ranges(path, [0, 2, 4, 8000, 8001, HITS], cut)

    assert_frame_equal(found, expected)
    assert account(cut.losses) == account(whole.losses)
    assert "nan in row 4)" in cut.losses.all[0].what.lower()
    assert times_at(open_file(path, whole), [0, 3, 9000]) == [hits["timestamp_ps"][row] for row in (0, 4, 9001)]
    rolling = reading(rollover_ps=10**9)
    assert borders_of(open_file(path, rolling)) is None


def test_entries_with_lists_are_read_as_a_whole(tmp_path: Path) -> None:
    import awkward as ak

    lists = ak.Array([[1, 2], [3], [], [4, 5, 6]])
    path = write_by_uproot(
        tmp_path / "run.root", {"t": lists, "ch": lists}, tree="events", types={"t": "var * int64", "ch": "var * int64"}
    )
    columns = {"timestamp_ps": Column("t", "ns"), "channel": Column("ch")}
    reading = Reading(tree="events", columns=columns)

    assert borders_of(open_file(path, reading)) is None
    assert read_in_ranges(path, [0, 1, 4], reading)["channel"].to_list() == [1, 2, 3, 4, 5, 6]


def test_damage_behind_the_part_that_is_read_is_found_by_who_reads_it(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = write_by_uproot(tmp_path / "run.root", hit_branches(hits), compression=uproot.ZLIB(1))
    (place, _, size), *_ = baskets_of(path, "Timestamp")
    bad = with_bytes(path, tmp_path / "bad.root", {place + size - 2: 0xFF})  # the checksum at its end

    assert_frame_equal(read_in_ranges(bad, [0, 1000], Reading()), hits[:1000])
    with pytest.raises(Exception, match=re.escape("basket 0 of branch 'Timestamp' (hits 1 to 12000")):
        read_in_ranges(bad, [1000, HITS], Reading())


def test_losses_of_parts_add_by_place_and_the_first_text_stays() -> None:
    first, second, merged = Losses(), Losses(), Losses()
    first.leave_out(Path("a.root"), "late (the first: 5)", 2, "out_of_range", place="late")
    first.note(Path("a.root"), "was cut")
    second.leave_out(Path("a.root"), "late (the first: 7)", 3, "out_of_range", place="late")
    second.leave_out(Path("b.root"), "late (the first: 9)", 1, "out_of_range", place="late")
    second.note(Path("a.root"), "was cut")
    second.lost_time = True

    for part in (first, second):
        merged.merge(pickle.loads(pickle.dumps(part.state())))

    assert [(loss.path.name, loss.what, loss.hits) for loss in merged.all] == [
        ("a.root", "late (the first: 5)", 5),
        ("b.root", "late (the first: 9)", 1),
    ]
    assert merged.notes == ("a.root: was cut",)
    assert merged.lost_time
    copy: Any = pickle.loads(pickle.dumps(merged))
    copy.leave_out(Path("c.root"), "gone", 1)
    assert len(copy.all) == 3


def test_trees_are_opened_as_ever(files: dict[str, Path]) -> None:
    file = open_file(files["rntuple"], Reading())
    tree = open_tree(files["rntuple"], ("Data_R",))

    assert borders(file) == tree.branches["Timestamp"].entries.tolist()
    assert open_file(files["native"], Reading(rows=(5, 50))).count() == 45
