"""Metadata of trees read without uproot: the same as uproot's, or left to it."""

import os
import random
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from gammapolars.core.errors import InputError
from gammapolars.io.root.branches import Tree
from gammapolars.io.root.tree import _open_by_uproot
from gammapolars.io.root.tree_parser import parse_text, parse_tree
from gammapolars.io.root.writer import HIT_BRANCHES, hit_branches
from tests.rootfiles import LAYOUTS, made_hits, with_bytes, write_by_uproot, write_hits

DATA_FILES = sorted((Path(__file__).parents[2] / "data").glob("*.root"))
REAL = os.environ.get("GAMMAPOLARS_REAL_DATA")
RECORDED = [path for path in sorted(Path(REAL).rglob("*.root")) if not path.name.startswith("Hcompass")] if REAL else []


def assert_same(found: Tree | None, expected: Tree) -> None:
    assert found is not None
    assert (found.name, found.entries, found.compression) == (expected.name, expected.entries, expected.compression)
    assert list(found.branches) == list(expected.branches)
    assert found.other_branches == expected.other_branches
    for name, branch in expected.branches.items():
        other = found.branches[name]
        assert other.dtype == branch.dtype
        assert other.embedded == branch.embedded
        for field in ("entries", "seeks", "sizes"):
            np.testing.assert_array_equal(getattr(other, field), getattr(branch, field))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [0, 1, 50_000])
def test_trees_in_any_layout_are_read_as_by_uproot(tmp_path: Path, layout: str, count: int) -> None:
    path = write_hits(tmp_path / "run.root", made_hits(count), LAYOUTS[layout])

    assert_same(parse_tree(path, ("Data_R",)), _open_by_uproot(path, ("Data_R",)))


@pytest.mark.parametrize("compression", [None, uproot.ZLIB(1), uproot.LZ4(4), uproot.ZSTD(5), uproot.LZMA(1)])
def test_trees_written_by_uproot_are_read_as_by_uproot(tmp_path: Path, compression: object) -> None:
    path = write_by_uproot(tmp_path / "run.root", hit_branches(made_hits(5000)), compression=compression)

    assert_same(parse_tree(path, ("Data_R",)), _open_by_uproot(path, ("Data_R",)))


@pytest.mark.parametrize("path", DATA_FILES + RECORDED, ids=lambda path: path.name)
def test_runs_are_read_as_by_uproot(path: Path) -> None:
    names = ("Data_R", "Data_C")

    assert_same(parse_tree(path, names), _open_by_uproot(path, names))


def test_every_kind_of_number(tmp_path: Path) -> None:
    path = tmp_path / "numbers.root"
    kinds = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
    with uproot.recreate(path) as file:
        file.mktree("Data", {f"b{kind}": kind for kind in kinds}).extend(
            {f"b{kind}": np.arange(9, dtype=kind) for kind in kinds}
        )

    assert_same(parse_tree(path, ("Data",)), _open_by_uproot(path, ("Data",)))


def test_branches_that_are_not_flat_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "waves.root"
    with uproot.recreate(path) as file:
        file.mktree(
            "Data",
            {"Channel": "u2", "Samples": ak.types.from_datashape("var * int16", highlevel=False), "Pair": ("f8", (2,))},
        )
        file["Data"].extend(
            {"Channel": np.zeros(3, np.uint16), "Samples": ak.Array([[1], [2, 3], []]), "Pair": np.zeros((3, 2))}
        )

    found = parse_tree(path, ("Data",))

    assert found is not None
    assert set(found.other_branches) == {"Samples", "Pair"}
    assert "Channel" in found.branches


def test_the_newest_cycle_counts(tmp_path: Path) -> None:
    path = tmp_path / "saved_twice.root"
    with uproot.recreate(path) as file:
        for count in (3, 7):
            file.mktree("Data", {"Channel": "u2"}).extend({"Channel": np.zeros(count, np.uint16)})

    assert_same(parse_tree(path, ("Data",)), _open_by_uproot(path, ("Data",)))


@pytest.mark.parametrize("names", [("Other",), ("histogram",)])
def test_what_is_no_tree_is_left_to_uproot(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "run.root"
    with uproot.recreate(path) as file:
        file["histogram"] = np.histogram(np.arange(5))

    assert parse_tree(path, names) is None


def test_damaged_metadata_never_break_it(tmp_path: Path) -> None:
    good = write_hits(tmp_path / "good.root", made_hits(3000))
    expected = _open_by_uproot(good, ("Data_R",))
    ends = max(
        int(seek + size) for b in expected.branches.values() for seek, size in zip(b.seeks, b.sizes, strict=True)
    )
    rng = random.Random(5)
    outside = [*range(4, 300), *range(ends, good.stat().st_size)]
    survived = 0

    for place in rng.sample(outside, 400):
        damaged = with_bytes(good, tmp_path / "bad.root", {place: rng.randrange(256)})
        try:
            found = parse_tree(damaged, ("Data_R",))
        except InputError:
            continue
        survived += found is not None

    assert 0 < survived < 400


def test_an_ordinary_run_is_read_without_uproot() -> None:
    code = (
        "import sys, gammapolars as gp\n"
        f"print(gp.scan({str(DATA_FILES[0])!r}).pipe(gp.pairs).collect().height)\n"
        "sys.exit('uproot' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 9000


def test_branches_of_hits_are_those_that_are_written() -> None:
    found = parse_tree(DATA_FILES[0], ("Data_R",))

    assert found is not None
    assert {name: branch.dtype.newbyteorder("=").str[1:] for name, branch in found.branches.items()} == HIT_BRANCHES


@pytest.mark.parametrize("text", ["short", "µ" * 200, "x" * 300_000])
@pytest.mark.parametrize("compression", [None, uproot.ZLIB(1), uproot.ZSTD(5)])
def test_texts_are_read_as_by_uproot(tmp_path: Path, text: str, compression: object) -> None:
    path = tmp_path / "run.root"
    with uproot.recreate(path, compression=compression) as file:
        file["note"] = "older"
        file["note"] = text

    with uproot.open(path) as file:
        assert parse_text(path, "note") == str(file["note"]) == text
    assert parse_text(path, "nothing") == ""
    path.write_bytes(path.read_bytes()[:200])
    assert parse_text(path, "note") is None
