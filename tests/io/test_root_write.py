"""The TTree writer: what goes in comes out, in the baskets that CoMPASS's files have."""

import os
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.errors import OutputError, UsageError
from gammapolars.io.root.writer import (
    HIT_BRANCHES,
    LARGE,
    NATIVE,
    SMALL,
    Layout,
    TreeWriter,
    hit_branches,
    parse_layout,
)
from tests.drawing import examples

Arrays = dict[str, npt.NDArray[Any]]


def made_hits(count: int, seed: int = 1) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "Channel": rng.integers(0, 4, count, np.uint16),
        "Timestamp": np.cumsum(rng.integers(0, 10**8, count)).astype(np.uint64) // 4000 * 4000,
        "Board": np.zeros(count, np.uint16),
        "Energy": rng.integers(0, 16384, count, np.uint16),
        "Flags": np.where(rng.random(count) < 0.01, 0x8000, 0x4000).astype(np.uint32),
    }


def write(path: Path, arrays: Arrays, layout: Layout = NATIVE, step: int = 50_000, **options: Any) -> None:
    branches = options.pop("branches", HIT_BRANCHES)
    with TreeWriter(path, branches, layout=layout, **options) as tree:
        for begin in range(0, len(next(iter(arrays.values()))), step):
            tree.extend({name: values[begin : begin + step] for name, values in arrays.items()})


def assert_reads_back(path: Path, arrays: Arrays, tree: str = "Data_R") -> None:
    with uproot.open(path) as file:
        found = file[tree].arrays(library="np")
    assert list(found) == list(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype


def basket_ends(branch: Any) -> list[int]:
    ends: list[int] = branch.entry_offsets[1:]
    return ends


@pytest.mark.parametrize("layout", [NATIVE, SMALL, LARGE, Layout(entries=1000), Layout(first_bytes=60_000)])
@pytest.mark.parametrize("count", [0, 1, 3990, 3991, 15_960, 15_962, 15_963, 100_001])
def test_entries_read_back_in_every_layout(tmp_path: Path, layout: Layout, count: int) -> None:
    arrays = made_hits(count)
    write(tmp_path / "run.root", arrays, layout)
    assert_reads_back(tmp_path / "run.root", arrays)


@examples(25)
@given(parts=st.lists(st.integers(0, 9000), max_size=8), first_bytes=st.integers(0, 200_000))
def test_the_pieces_do_not_matter(tmp_path_factory: pytest.TempPathFactory, parts: list[int], first_bytes: int) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    arrays = made_hits(sum(parts))
    begin = 0
    with TreeWriter(folder / "a.root", HIT_BRANCHES, layout=Layout(first_bytes=first_bytes), reproducible=True) as tree:
        for part in parts:
            tree.extend({name: values[begin : begin + part] for name, values in arrays.items()})
            begin += part
    assert_reads_back(folder / "a.root", arrays)
    write(folder / "b.root", arrays, Layout(first_bytes=first_bytes), step=10**9, reproducible=True)
    assert (folder / "a.root").read_bytes() == (folder / "b.root").read_bytes()


@pytest.mark.slow
def test_millions_of_entries_read_back(tmp_path: Path) -> None:
    arrays = made_hits(2_500_000)
    write(tmp_path / "run.root", arrays, Layout(first_bytes=3_000_000), step=700_001)
    assert_reads_back(tmp_path / "run.root", arrays)


def test_small_baskets_are_as_full_as_in_a_native_file(tmp_path: Path) -> None:
    """The ends of baskets, bytes and order of CoMPASS's own file of 14,254 hits."""
    write(tmp_path / "run.root", made_hits(14_254), step=1000)
    with uproot.open(tmp_path / "run.root") as file:
        tree = file["Data_R"]
        assert (tree.title, tree.member("fAutoFlush")) == ("CoMPASS RAW events TTree", -30_000_000)
        assert tree.member("fTotBytes") == 257_257
        assert [branch.title for branch in tree.branches] == [
            "Channel/s",
            "Timestamp/l",
            "Board/s",
            "Energy/s",
            "Flags/i",
        ]
        assert [basket_ends(branch) for branch in tree.branches] == [
            [14_254],
            [3990, 7980, 11_970, 14_254],
            [14_254],
            [14_254],
            [7981, 14_254],
        ]
        for branch in tree.branches:
            assert branch.member("fBasketSize") == 32_000
            assert branch.member("fCompress") == 101
            assert branch.member("fEntries") == branch.member("fEntryNumber") == 14_254
            assert branch.member("fWriteBasket") == branch.num_baskets
        seeks = {branch.name: branch.member("fBasketSeek")[: branch.num_baskets] for branch in tree.branches}
    order = sorted((int(seek), name) for name, places in seeks.items() for seek in places)
    assert [name for _, name in order if name in ("Timestamp", "Flags")] == [
        "Timestamp",
        "Timestamp",
        "Flags",
        "Timestamp",
        "Timestamp",
        "Flags",
    ]


def test_full_baskets_of_16_bits(tmp_path: Path) -> None:
    write(tmp_path / "run.root", made_hits(40_000))
    with uproot.open(tmp_path / "run.root") as file:
        assert [basket_ends(file["Data_R"][name])[0] for name in HIT_BRANCHES] == [15_962, 3990, 15_963, 15_962, 7981]


@pytest.mark.skipif("GAMMAPOLARS_REAL_DATA" not in os.environ, reason="GAMMAPOLARS_REAL_DATA is not set")
def test_a_native_file_written_again_has_the_same_metadata(tmp_path: Path) -> None:
    native = Path(os.environ["GAMMAPOLARS_REAL_DATA"]) / "alpha-si-mcp" / "RAW" / "SDataR_vuoto_3_peaks_81.root"
    with uproot.open(native) as file:
        write(tmp_path / "run.root", file["Data_R"].arrays(library="np"))
        with uproot.open(tmp_path / "run.root") as ours:
            for branch in file["Data_R"].branches:
                other = ours["Data_R"][branch.name]
                for member in ("fCompress", "fBasketSize", "fWriteBasket", "fEntryNumber", "fMaxBaskets", "fTotBytes"):
                    assert branch.member(member) == other.member(member)
                assert branch.entry_offsets == other.entry_offsets
                for number in range(branch.num_baskets):
                    theirs, mine = branch.basket(number), other.basket(number)
                    for member in ("fKeylen", "fObjlen", "fNevBufSize", "fNevBuf", "fLast", "fBufferSize"):
                        assert theirs.member(member) == mine.member(member)


def test_clusters_follow_the_first_bytes(tmp_path: Path) -> None:
    write(tmp_path / "run.root", made_hits(200_000), Layout(first_bytes=300_000), step=7000)
    with uproot.open(tmp_path / "run.root") as file:
        tree = file["Data_R"]
        cluster = tree.member("fAutoFlush")
        assert 3990 * 4 < cluster < 60_000
        assert 300_000 < tree.member("fFlushedBytes") < 400_000
        for branch in tree.branches:
            ends = basket_ends(branch)
            place = ends.index(cluster)
            assert ends[place:] == [*range(cluster, 200_000, cluster), 200_000]
            per_basket = (32_000 - branch.basket(0).member("fKeylen")) // branch.interpretation.from_dtype.itemsize
            assert ends[:place] == list(range(per_basket, cluster, per_basket))


def test_a_given_number_of_entries_per_basket(tmp_path: Path) -> None:
    write(tmp_path / "run.root", made_hits(10_500), Layout(entries=1000))
    with uproot.open(tmp_path / "run.root") as file:
        for branch in file["Data_R"].branches:
            assert basket_ends(branch) == [*range(1000, 10_001, 1000), 10_500]


def test_a_basket_that_does_not_shrink_is_stored_plain(tmp_path: Path) -> None:
    noise = {"x": np.random.default_rng(3).integers(0, 2**64, 9000, np.uint64)}
    write(tmp_path / "run.root", noise, tree="noise", branches={"x": "u8"})
    assert_reads_back(tmp_path / "run.root", noise, "noise")
    with uproot.open(tmp_path / "run.root") as file:
        basket = file["noise"]["x"].basket(0)
        assert basket.member("fNbytes") == basket.member("fKeylen") + basket.member("fObjlen")


def test_a_basket_above_16_mb_has_several_frames(tmp_path: Path) -> None:
    count = 2_200_000
    arrays = {"t": np.arange(count, dtype=np.int64) * 1000}
    write(tmp_path / "run.root", arrays, LARGE, step=10**9, branches={"t": "i8"})
    assert_reads_back(tmp_path / "run.root", arrays)
    with uproot.open(tmp_path / "run.root") as file:
        branch = file["Data_R"]["t"]
        place = int(branch.member("fBasketSeek")[0]) + branch.basket(0).member("fKeylen")
    octets = (tmp_path / "run.root").read_bytes()
    assert octets[place : place + 3] == b"ZL\x08"
    assert octets[place + 6 : place + 9] == b"\xff\xff\xff"
    second = place + 9 + int.from_bytes(octets[place + 3 : place + 6], "little")
    assert octets[second : second + 3] == b"ZL\x08"
    assert int.from_bytes(octets[second + 6 : second + 9], "little") == 8 * count - (2**24 - 1)


def test_any_numeric_branches_and_texts(tmp_path: Path) -> None:
    arrays = {
        "dt": np.array([-5, 0, 2**40], np.int64),
        "energy": np.array([-0.5, np.nan, 1e300]),
        "small": np.array([1, 2, 255], np.uint8),
        "single": np.array([0.25, 1, 2], np.float32),
    }
    types = {"dt": "i8", "energy": "f8", "small": "u1", "single": "f4"}
    write(tmp_path / "p.root", arrays, branches=types, tree="pairs", title="a title", metadata={"note": "γ: {}"})
    assert_reads_back(tmp_path / "p.root", arrays, "pairs")
    with uproot.open(tmp_path / "p.root") as file:
        assert str(file["note"]) == "γ: {}"
        assert file["pairs"].title == "a title"


def test_texts_can_be_added_at_the_end(tmp_path: Path) -> None:
    arrays = made_hits(30_000)
    with TreeWriter(tmp_path / "run.root", HIT_BRANCHES, metadata={"first": "a"}) as tree:
        tree.extend(arrays)
        tree.annotate({"second": "b" * 5000, "third": ""})
    assert_reads_back(tmp_path / "run.root", arrays)
    with uproot.open(tmp_path / "run.root") as file:
        assert {name: str(file[name]) for name in ("first", "second", "third")} == {
            "first": "a",
            "second": "b" * 5000,
            "third": "",
        }


def test_numbers_are_converted_where_they_fit(tmp_path: Path) -> None:
    hits = pl.DataFrame(
        {"board": [0, 1], "channel": [3, 4], "timestamp_ps": [10, 2**62], "adc": [1, 65_535], "flags": [0, 2**32 - 1]}
    )
    write(tmp_path / "run.root", hit_branches(hits))
    with uproot.open(tmp_path / "run.root") as file:
        assert file["Data_R"]["Timestamp"].array(library="np").tolist() == [10, 2**62]
    with pytest.raises(OutputError, match=r"Timestamp.*cannot hold -1"):
        write(tmp_path / "two.root", hit_branches(hits.with_columns(timestamp_ps=pl.lit(-1))))
    with pytest.raises(OutputError, match="Energy"):
        write(tmp_path / "two.root", hit_branches(hits.with_columns(adc=pl.lit(1.5))))
    assert [path.name for path in tmp_path.iterdir()] == ["run.root"]


def test_nothing_is_left_of_a_run_that_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with TreeWriter(tmp_path / "run.root", HIT_BRANCHES) as tree:
            tree.extend(made_hits(100_000))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_stays_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "run.root"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"run\.root: already exists"):
        write(path, made_hits(1))
    assert path.read_text() == "mine"
    write(path, made_hits(1), overwrite=True)
    assert_reads_back(path, made_hits(1))


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"missing.run\.root: there is no folder"):
        write(tmp_path / "missing" / "run.root", made_hits(1))


def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(OutputError, match=r"run\.root: cannot be written"):
            write(tmp_path / "run.root", made_hits(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_equal_entries_give_equal_bytes_at_another_time(tmp_path: Path) -> None:
    arrays = made_hits(30_000)
    write(tmp_path / "a.root", arrays, reproducible=True, metadata={"note": "x"})
    time.sleep(1.1)
    write(tmp_path / "b.root", arrays, reproducible=True, metadata={"note": "x"})
    assert (tmp_path / "a.root").read_bytes() == (tmp_path / "b.root").read_bytes()


def test_arrays_must_be_one_a_branch_and_equally_long(tmp_path: Path) -> None:
    arrays = made_hits(10)
    tree = TreeWriter(tmp_path / "run.root", HIT_BRANCHES)
    with pytest.raises(ValueError, match="one array"):
        tree.extend(arrays | {"Flags": arrays["Flags"][:5]})
    with pytest.raises(ValueError, match="one array"):
        tree.extend(arrays | {"More": arrays["Flags"]})
    with pytest.raises(ValueError, match="one array"):
        tree.extend({"Flags": arrays["Flags"]})
    tree.discard()


def test_later_changes_of_the_callers_arrays_do_not_matter(tmp_path: Path) -> None:
    arrays = made_hits(100)
    with TreeWriter(tmp_path / "run.root", HIT_BRANCHES) as tree:
        tree.extend(arrays)
        arrays["Energy"][:] = 0
    assert_reads_back(tmp_path / "run.root", made_hits(100))


def test_layouts_by_name() -> None:
    assert [parse_layout(text) for text in ("native", "small", "large", "5000")] == [
        NATIVE,
        SMALL,
        LARGE,
        Layout(entries=5000),
    ]
    for text in ("0", "-1", "tiny", "1e6", "²", "10000000000"):
        with pytest.raises(UsageError, match="unknown layout"):
            parse_layout(text)
