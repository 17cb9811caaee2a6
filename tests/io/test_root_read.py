"""Reading ROOT trees: what was written comes out, whatever the baskets look like, and no more is read than needed."""

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import polars as pl
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.core.schema import HITS
from gammapolars.io.root import baskets
from gammapolars.io.root import tables as root
from gammapolars.io.root.baskets import chunk_borders, read_chunks
from gammapolars.io.root.branches import Tree
from gammapolars.io.root.tree import open_tree
from gammapolars.io.root.writer import HIT_BRANCHES, Layout, TreeWriter, hit_branches
from tests.drawing import examples
from tests.rootfiles import LAYOUTS, Arrays, made_hits, write_branches, write_by_uproot, write_hits

REPOSITORY = Path(__file__).parents[2]


def joined(chunks: Iterator[tuple[int, Arrays]]) -> Arrays:
    """Chunks put together again; each must begin where the one before ended."""
    parts: dict[str, list[Any]] = {}
    expected = 0
    for first, arrays in chunks:
        assert first == expected
        lengths = {len(values) for values in arrays.values()}
        assert len(lengths) == 1
        expected += lengths.pop()
        for name, values in arrays.items():
            assert values.dtype.isnative
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def assert_same(found: Arrays, expected: Arrays) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


# What was written comes out.


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [0, 1, 3990, 15_961, 60_001])
def test_hits_come_out_as_they_were_written(tmp_path: Path, layout: str, count: int) -> None:
    hits = made_hits(count)
    path = write_hits(tmp_path / "run.root", hits, LAYOUTS[layout])

    found = gp.scan(path).collect()

    assert_frame_equal(found, hits)
    assert dict(found.schema) == HITS.columns


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hits_are_what_uproot_reads(tmp_path: Path, layout: str) -> None:
    path = write_hits(tmp_path / "run.root", made_hits(40_000), LAYOUTS[layout])
    with uproot.open(path) as file:
        expected = file["Data_R"].arrays(library="np")

    found = gp.scan(path).collect()

    for branch, column in root.HIT_BRANCHES.items():
        if branch in expected:
            np.testing.assert_array_equal(found[column].to_numpy(), expected[branch])


@pytest.mark.parametrize("chunk_hits", [1, 700, 3990, 10_000, 1_000_000])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_chunk_size_changes_nothing_but_the_chunks(tmp_path: Path, chunk_hits: int, threads: int) -> None:
    hits = made_hits(12_000)
    tree = open_tree(write_hits(tmp_path / "run.root", hits, Layout(first_bytes=30_000)), ("Data_R",))

    found = joined(read_chunks(tree, list(HIT_BRANCHES), chunk_hits=chunk_hits, workers=threads))

    assert_same(found, hit_branches(hits))


def test_baskets_that_never_end_together(tmp_path: Path) -> None:
    count = 30_000
    rng = np.random.default_rng(2)
    arrays = {"one": rng.integers(0, 9, count, np.uint8), "two": rng.integers(0, 9**4, count, np.int64)}
    tree = open_tree(write_branches(tmp_path / "run.root", arrays, Layout(first_bytes=None)), ("Data_R",))
    ends = [set(tree.branches[name].entries.tolist()) for name in arrays]
    assert ends[0] & ends[1] == {0, count}

    found = joined(read_chunks(tree, list(arrays), chunk_hits=1000))

    assert_same(found, arrays)


@examples(40)
@given(
    first_bytes=st.one_of(st.none(), st.integers(0, 60_000)),
    entries=st.one_of(st.none(), st.integers(1, 5000)),
    count=st.integers(0, 9000),
    chunk_hits=st.integers(1, 12_000),
    limit=st.integers(1, 9000),
)
def test_any_baskets_and_any_chunks(
    tmp_path_factory: pytest.TempPathFactory,
    first_bytes: int | None,
    entries: int | None,
    count: int,
    chunk_hits: int,
    limit: int,
) -> None:
    hits = made_hits(count, seed=count)
    folder = tmp_path_factory.mktemp("baskets")
    tree = open_tree(write_hits(folder / "run.root", hits, Layout(first_bytes, entries)), ("Data_R",))

    borders = chunk_borders(list(tree.branches.values()), tree.entries, chunk_hits, limit)
    found = joined(read_chunks(tree, list(HIT_BRANCHES), chunk_hits=chunk_hits, most_hits=limit, workers=2))

    assert borders[0] == 0
    assert borders[-1] == count
    assert all(0 < last - first <= max(limit, chunk_hits) for first, last in pairwise(borders))
    if count:
        assert_same(found, hit_branches(hits))


@pytest.fixture(scope="module")
def giant(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arrays]:
    """One basket of 5 million 8-byte times in three compressed frames, and one of 10 MB in a single frame."""
    count = 5_000_000
    rng = np.random.default_rng(3)
    arrays: Arrays = {
        "Timestamp": np.cumsum(rng.integers(0, 50, count, np.uint8), dtype=np.uint64),
        "Energy": (np.arange(count) % 1000).astype(np.uint16),
    }
    path = tmp_path_factory.mktemp("giant") / "run.root"
    return write_branches(path, arrays, Layout(entries=count)), arrays


def test_a_basket_of_several_frames_is_read_at_once(giant: tuple[Path, Arrays]) -> None:
    path, arrays = giant
    tree = open_tree(path, ("Data_R",))
    assert len(tree.branches["Timestamp"].sizes) == 1

    found = joined(read_chunks(tree, list(arrays)))

    assert_same(found, arrays)


@pytest.mark.parametrize("whole_read_bytes", [pytest.param(baskets.WHOLE_READ_BYTES, marks=pytest.mark.slow), 1000])
def test_a_basket_of_several_frames_is_read_in_parts(
    giant: tuple[Path, Arrays], monkeypatch: pytest.MonkeyPatch, whole_read_bytes: int
) -> None:
    path, arrays = giant
    monkeypatch.setattr(baskets, "WHOLE_READ_BYTES", whole_read_bytes)

    tree = open_tree(path, ("Data_R",))
    chunks = list(read_chunks(tree, list(arrays), chunk_hits=700_000, most_hits=900_000))

    assert max(len(values["Energy"]) for _, values in chunks) <= 900_000
    assert_same(joined(iter(chunks)), arrays)


def test_random_numbers_are_stored_plain_and_read_back(tmp_path: Path) -> None:
    count = 20_000
    arrays = dict(hit_branches(made_hits(count)))
    arrays["Energy"] = np.random.default_rng(4).integers(0, 2**16, count, np.uint16)
    arrays["Timestamp"] = np.random.default_rng(5).integers(0, 2**63, count, np.uint64)
    tree = open_tree(write_branches(tmp_path / "run.root", arrays), ("Data_R",))
    energy = tree.branches["Energy"]
    assert min(energy.sizes[:-1]) > 2 * (energy.entries[1] - energy.entries[0])  # not compressed

    found = joined(read_chunks(tree, list(arrays), chunk_hits=777))

    assert_same(found, arrays)


# Files as other programs write them.


CODECS = {
    "zlib": uproot.ZLIB(1),
    "zlib_9": uproot.ZLIB(9),
    "lz4": uproot.LZ4(1),
    "zstd": uproot.ZSTD(1),
    "lzma": uproot.LZMA(1),
    "none": None,
}


@pytest.mark.parametrize("codec", CODECS)
def test_files_by_uproot_in_every_codec(tmp_path: Path, codec: str) -> None:
    hits = made_hits(9000)
    path = write_by_uproot(tmp_path / "run.root", hit_branches(hits), compression=CODECS[codec], parts=7)

    assert_frame_equal(gp.scan(path).collect(), hits)


@pytest.mark.parametrize("name", ["Data_R", "Data_F", "Data"])
def test_the_tree_is_found_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    hits = made_hits(100)
    path = write_hits(tmp_path / "run.root", hits, tree=name)

    assert_frame_equal(gp.scan(path).collect(), hits)


def test_a_tree_of_another_name_is_read_when_it_is_named(tmp_path: Path) -> None:
    hits = made_hits(100)
    path = write_hits(tmp_path / "run.root", hits, tree="events")

    assert_frame_equal(gp.scan(path, tree="events").collect(), hits)
    with pytest.raises(InputError, match=r"no tree Data_R or Data_F or Data \(trees in it: events\)"):
        gp.scan(path)


def test_raw_hits_are_preferred_and_a_named_tree_comes_first(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "run.root") as file:
        for name, count in {"Data_F": 3, "Data_R": 5}.items():
            arrays = hit_branches(made_hits(count))
            file.mktree(name, {key: values.dtype for key, values in arrays.items()}).extend(arrays)

    assert gp.scan(tmp_path / "run.root").collect().height == 5
    assert gp.scan(tmp_path / "run.root", tree="Data_F").collect().height == 3


def test_short_gate_and_calibrated_energies(tmp_path: Path) -> None:
    hits = made_hits(5000).with_columns(
        adc_short=(pl.col("adc") // 2).cast(pl.UInt16), energy_kev=pl.col("adc") * 0.1 + 0.05
    )
    arrays = hit_branches(hits)
    arrays |= {"EnergyShort": hits["adc_short"].to_numpy(), "CalibEnergy": hits["energy_kev"].to_numpy()}
    path = write_branches(tmp_path / "run.root", arrays)

    assert_frame_equal(gp.scan(path).collect(), hits, check_column_order=False)


def test_calibrated_energies_in_place_of_raw_ones(tmp_path: Path) -> None:
    hits = made_hits(5000).with_columns(energy_kev=pl.col("adc") * 0.1)
    arrays = hit_branches(hits) | {"CalibEnergy": hits["energy_kev"].to_numpy()}
    del arrays["Energy"]
    path = write_branches(tmp_path / "run.root", arrays)

    found = gp.scan(path).collect()

    assert_frame_equal(found, hits.drop("adc"), check_column_order=False)
    assert gp.pairs(gp.scan(path), "10us").collect().height > 0


def test_waveforms_beside_the_hits_are_left_alone(tmp_path: Path) -> None:
    hits = made_hits(300)
    samples = ak.values_astype(ak.Array([[7] * (row % 5) for row in range(300)]), np.int16)
    types = {name: values.dtype for name, values in hit_branches(hits).items()} | {"Samples": "var * int16"}
    path = write_by_uproot(tmp_path / "run.root", hit_branches(hits) | {"Samples": samples}, types=types)
    assert "Samples" in open_tree(path, ("Data_R",)).other_branches

    assert_frame_equal(gp.scan(path).collect(), hits)


def test_integers_of_another_width_are_cast(tmp_path: Path) -> None:
    hits = made_hits(3000)
    wide = {name: values.astype(np.int64) for name, values in hit_branches(hits).items()}
    path = write_branches(tmp_path / "run.root", wide)

    assert_frame_equal(gp.scan(path).collect(), hits)


@pytest.mark.parametrize(("branch", "value"), [("Channel", 65_536), ("Energy", -1), ("Flags", 2**32)])
def test_a_number_that_does_not_fit_its_column_is_an_error(tmp_path: Path, branch: str, value: int) -> None:
    arrays = {name: values.astype(np.int64) for name, values in hit_branches(made_hits(3000)).items()}
    arrays[branch][2000] = value
    path = write_branches(tmp_path / "run.root", arrays)
    column = root.HIT_BRANCHES[branch]

    told = rf"run\.root: column '{column}' has values that do not fit UInt\d\d \(the first: {value} in hit 2001\)"
    with pytest.raises(InputError, match=told):
        gp.scan(path).collect()


def test_a_time_that_no_int64_holds_is_an_error_that_names_the_hit(tmp_path: Path) -> None:
    arrays = hit_branches(made_hits(3000))
    arrays["Timestamp"] = arrays["Timestamp"].astype(np.uint64)
    arrays["Timestamp"][1999] = 2**63
    path = write_branches(tmp_path / "run.root", arrays)

    told = r"column 'timestamp_ps' has values that do not fit 2\^62 ps \(the first: 9223372036854775808 in hit 2000\)"
    with pytest.raises(InputError, match=told):
        gp.scan(path).collect()


def test_the_largest_time_that_fits_is_read(tmp_path: Path) -> None:
    arrays = hit_branches(made_hits(3))
    arrays["Timestamp"] = np.array([0, 1, 2**62], np.uint64)
    path = write_branches(tmp_path / "run.root", arrays)

    assert gp.scan(path).collect()["timestamp_ps"].to_list() == [0, 1, 2**62]


def test_baskets_that_only_uproot_can_read_are_left_to_it(tmp_path: Path) -> None:
    hits = made_hits(12_000)
    tree = open_tree(write_hits(tmp_path / "run.root", hits, Layout(first_bytes=None)), ("Data_R",))
    branch = tree.branches["Timestamp"]
    # As if its last basket lay inside the tree's metadata: then no place of it in the file is known.
    embedded = dataclasses.replace(branch, seeks=branch.seeks[:-1], sizes=branch.sizes[:-1], embedded=True)
    tree = dataclasses.replace(tree, branches=tree.branches | {"Timestamp": embedded})

    found = joined(read_chunks(tree, list(HIT_BRANCHES), chunk_hits=3000))

    assert_same(found, hit_branches(hits))


# No more is read than needed.


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The branch and basket of every basket that is read, as tests run."""
    seen: list[tuple[str, int]] = []
    original = baskets._Decoder._pieces

    def payload(self: Any, branch: Any, basket: int, *span: int) -> Any:
        seen.append((branch.name, basket))
        return original(self, branch, basket, *span)

    monkeypatch.setattr(baskets._Decoder, "_pieces", payload)
    return seen


def test_only_the_branches_of_the_query_are_read(tmp_path: Path, asked: list[tuple[str, int]]) -> None:
    hits = made_hits(30_000)
    frame = gp.scan(write_hits(tmp_path / "run.root", hits, Layout(entries=10_000)))

    found = frame.filter(pl.col("channel") == 2).select("adc").collect()

    assert_frame_equal(found, hits.filter(pl.col("channel") == 2).select("adc"))
    assert {name for name, _ in asked} == {"Channel", "Energy"}


def test_each_basket_is_read_once(tmp_path: Path, asked: list[tuple[str, int]]) -> None:
    path = write_hits(tmp_path / "run.root", made_hits(100_000), Layout(first_bytes=100_000))

    gp.scan(path).collect()

    assert len(asked) == len(set(asked))
    with uproot.open(path) as file:
        assert len(asked) == sum(branch.num_baskets for branch in file["Data_R"].branches)


def test_counting_rows_reads_one_branch(tmp_path: Path, asked: list[tuple[str, int]]) -> None:
    frame = gp.scan(write_hits(tmp_path / "run.root", made_hits(30_000)))

    assert frame.select(pl.len()).collect().item() == 30_000
    assert len({name for name, _ in asked}) <= 1


def test_nothing_is_read_before_the_query_runs(tmp_path: Path, asked: list[tuple[str, int]]) -> None:
    frame = gp.scan(write_hits(tmp_path / "run.root", made_hits(3000))).filter(pl.col("adc") > 7)

    frame.collect_schema()
    gp.pairs(frame)

    assert asked == []


def test_head_stops_without_reading_on(
    tmp_path: Path, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = made_hits(100_000)
    path = write_hits(tmp_path / "run.root", hits, Layout(entries=1000))
    small_chunks(monkeypatch, 1000)

    found = gp.scan(path).head(1500).collect()

    assert_frame_equal(found, hits.head(1500))
    assert max(basket for _, basket in asked) < 20  # of 100


def small_chunks(monkeypatch: pytest.MonkeyPatch, chunk_hits: int) -> None:
    def read(tree: Tree, names: list[str], **options: Any) -> Iterator[tuple[int, Arrays]]:
        return read_chunks(tree, names, **options | {"chunk_hits": chunk_hits})

    monkeypatch.setattr(root, "read_chunks", read)


@pytest.mark.parametrize("engine", ["streaming", "in-memory"])
def test_queries_on_a_file_are_queries_on_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Any
) -> None:
    hits = made_hits(20_000)
    frame = gp.scan(write_hits(tmp_path / "run.root", hits, Layout(entries=1000)))
    small_chunks(monkeypatch, 3000)

    def queries(table: pl.LazyFrame) -> list[pl.LazyFrame]:
        return [
            table.filter(pl.col("timestamp_ps") > 10**10, pl.col("channel") == 1),
            table.filter(pl.col("adc") > 9000).head(700),
            table.head(700).filter(pl.col("adc") > 9000),
            table.slice(5000, 4000).select("timestamp_ps"),
            table.tail(3),
            table.group_by("channel").agg(pl.len(), pl.col("adc").sum()).sort("channel"),
        ]

    for found, expected in zip(queries(frame), queries(hits.lazy()), strict=True):
        assert_frame_equal(found.collect(engine=engine), expected.collect())


def test_a_frame_can_be_collected_again_and_beside_itself(tmp_path: Path) -> None:
    hits = made_hits(5000)
    frame = gp.scan(write_hits(tmp_path / "run.root", hits))

    twice = pl.collect_all([frame, frame.filter(pl.col("channel") == 0), frame])

    assert_frame_equal(twice[0], hits)
    assert_frame_equal(twice[1], hits.filter(pl.col("channel") == 0))
    assert_frame_equal(frame.collect(), hits)


def test_several_files_are_merged_in_time(tmp_path: Path) -> None:
    hits = made_hits(9000)
    by_channel = [
        write_hits(tmp_path / f"DataR_CH{channel}.root", hits.filter(pl.col("channel") == channel))
        for channel in range(4)
    ]

    found = gp.scan(*by_channel).collect()

    assert found["timestamp_ps"].is_sorted()
    keys = ["timestamp_ps", "channel"]
    assert_frame_equal(found.sort(keys, maintain_order=True), hits.sort(keys, maintain_order=True))
    assert_frame_equal(gp.scan(tmp_path).collect(), found)
    assert_frame_equal(gp.scan(tmp_path / "DataR_CH*.root").collect(), found)


def test_histogram_files_in_a_run_folder_are_passed_over(tmp_path: Path) -> None:
    hits = made_hits(100)
    (tmp_path / "RAW").mkdir()
    write_hits(tmp_path / "RAW" / "SDataR_run.root", hits)
    with uproot.recreate(tmp_path / "RAW" / "HcompassR_run.root") as file:
        file["spectrum"] = np.histogram([1, 2, 3])

    assert_frame_equal(gp.scan(tmp_path).collect(), hits)


@pytest.mark.slow
def test_few_threads_do_not_lock_each_other_out(tmp_path: Path) -> None:
    path = write_hits(tmp_path / "run.root", made_hits(60_000, gap_ps=100_000), Layout(first_bytes=None))
    program = (
        "import sys\n"
        "import gammapolars as gp\n"
        "hits = gp.scan(sys.argv[1])\n"
        "pairs = gp.pairs(hits, '1us', slice_hits=5000)\n"
        "gp.save(pairs.filter(hits.select('adc').max().collect().item() > 0), sys.argv[2])\n"
        "print(gp.scan_pairs(sys.argv[2]).collect().height)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(tmp_path / "pairs.parquet")],
        env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stderr == ""
    assert int(done.stdout) == gp.pairs(gp.scan(path), "1us").collect().height > 0


def test_a_reader_that_is_given_up_leaves_no_thread(tmp_path: Path) -> None:
    tree = open_tree(write_hits(tmp_path / "run.root", made_hits(20_000), Layout(entries=500)), ("Data_R",))

    chunks = read_chunks(tree, ["Energy"], chunk_hits=500)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]

    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("basket")]


def test_a_branch_with_fewer_entries_than_its_tree_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "short.root"
    with TreeWriter(path, {"Channel": "u2", "Timestamp": "u8"}) as writer:
        writer.extend({"Channel": np.zeros(10, np.uint16), "Timestamp": np.arange(10).astype(np.uint64)})
        writer._flush(10)
        writer._branches[0].ends[-1] = 7

    with pytest.raises(InputError, match=r"short\.root: .*\b7\b.*\b10\b"):
        open_tree(path, ("Data_R",))
