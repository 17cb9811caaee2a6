"""Datasets of pairs: parts of any sizes are read back as one table, and nothing of them is lost, mixed or replaced."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError, OutputError, UsageError
from gammapolars.core.schema import PAIRS, REGION
from gammapolars.core.system import IS_WINDOWS
from gammapolars.io import dataset_output, parquet_merging
from gammapolars.io.pair_files import open_pairs
from gammapolars.io.parts import Part, is_complete, parts_folder, save_parts, write_part
from gammapolars.io.provenance import KEY, of_file
from gammapolars.io.transaction import outputs_together
from tests.commandline import REPOSITORY, files_in
from tests.drawing import examples, repetitions
from tests.io.test_save import files_limited_to
from tests.rootfiles import made_hits, write_hits

ORIGIN = {KEY: json.dumps({"inputs": [{"name": "run.root", "bytes": 3}], "summary": {"window_ps": [-5, 5]}})}
INDEX = "_gammapolars.json"


def pairs(count: int, first: int = 0, *, random_too: bool = False) -> pl.DataFrame:
    """Pairs that are all different, numbered by their times."""
    columns = {name: pl.Series([0] * count, dtype=dtype) for name, dtype in PAIRS.columns.items()}
    frame = pl.DataFrame(columns).with_columns(timestamp_ps=first + pl.int_range(count, dtype=pl.Int64))
    regions = pl.Series(["random" if row % 3 else "prompt" for row in range(count)], dtype=REGION)
    return frame.with_columns(region=regions, weight=pl.lit(-0.5)) if random_too else frame


def save_in_parts(
    parts: Sequence[pl.DataFrame], output: Path, *, overwrite: bool = False, origin: dict[str, str] = ORIGIN
) -> None:
    """Write parts as tasks do, the last one first, and make an output of them."""
    with parts_folder(output) as folder:
        made = [write_part(iter([part]), folder, number) for number, part in reversed([*enumerate(parts)])]
        save_parts(made[::-1], folder, output, overwrite=overwrite, metadata=lambda: origin, further={"hosts": ["a"]})


def saved(folder: Path, *parts: int) -> Path:
    """A dataset of parts with these numbers of pairs."""
    starts = [sum(parts[:number]) for number in range(len(parts))]
    save_in_parts([pairs(*part) for part in zip(parts, starts, strict=True)], folder)
    return folder


def assert_sound(path: Path, whole: pl.DataFrame) -> None:
    """That other programs read a Parquet file, and can choose groups of rows by its statistics."""
    table = pyarrow.parquet.read_table(path)
    table.validate(full=True)
    assert table["timestamp_ps"].to_pylist() == whole["timestamp_ps"].to_list()
    late = pl.col("timestamp_ps") > whole.height // 2
    assert_frame_equal(pl.scan_parquet(path).filter(late).collect(), whole.filter(late))


@given(
    st.lists(st.sampled_from([0, 0, 1, 2, 50, 700]), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([60, 300, 10_000]),
)
@examples(24)
def test_parts_are_read_back_as_one_table(sizes: list[int], random_too: bool, most: int) -> None:
    whole = pairs(sum(sizes), random_too=random_too)
    parts = [whole.slice(sum(sizes[:number]), size) for number, size in enumerate(sizes)]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(dataset_output, "PART_ROWS", most)
        save_in_parts(parts, folder / "of_tasks")
        save_in_parts(parts, folder / "of_tasks.parquet")
        assert_sound(folder / "of_tasks.parquet", whole)
        gp.save(whole.lazy(), folder / "of_one", metadata=ORIGIN)

        for output in ("of_tasks", "of_tasks.parquet", "of_one"):
            assert_frame_equal(gp.scan_pairs(folder / output).collect(), whole)
            some = gp.scan_pairs(folder / output).filter(pl.col("timestamp_ps") > 3).select("dt_ps").head(7)
            assert_frame_equal(some.collect(), whole.filter(pl.col("timestamp_ps") > 3).select("dt_ps").head(7))
            assert of_file(folder / output) == json.loads(ORIGIN[KEY])
        assert files_in(folder) == ["of_one", "of_tasks", "of_tasks.parquet"]
        index = json.loads((folder / "of_tasks" / INDEX).read_text())
        assert index["hosts"] == ["a"]
        assert [part["rows"] for part in index["parts"]] == sizes
        assert files_in(folder / "of_tasks") == [INDEX, *(f"part-{number:05}.parquet" for number in range(len(sizes)))]
        rows = [part["rows"] for part in json.loads((folder / "of_one" / INDEX).read_text())["parts"]]
        assert rows == [*[most] * ((len(whole) - 1) // most), (len(whole) - 1) % most + 1] if len(whole) else [0]


@pytest.mark.parametrize("suffix", [".arrow", ".csv", ".root"])
def test_parts_become_a_file_of_any_format(tmp_path: Path, suffix: str) -> None:
    save_in_parts([pairs(3), pairs(0), pairs(4, 3)], tmp_path / f"pairs{suffix}")

    assert_frame_equal(gp.scan_pairs(tmp_path / f"pairs{suffix}").collect(), pairs(7))
    assert files_in(tmp_path) == [f"pairs{suffix}"]


def test_footers_of_other_writers_are_joined_too(tmp_path: Path) -> None:
    paths = []
    for number, count in enumerate((3, 0, 5000, 1)):
        frame = pairs(count, 100 * number).with_columns(name=pl.format("µ{}", "dt_ps"), more=pl.concat_list("dt_ps"))
        paths.append(tmp_path / f"{number}.parquet")
        table = frame.to_arrow()
        how: Any = {"row_group_size": 250, "write_page_index": True, "use_dictionary": number != 1}
        pyarrow.parquet.write_table(table, paths[-1], compression="zstd" if number else "snappy", **how)
        with paths[-1].open("rb") as file:
            footer, start = parquet_merging.read_footer(file)
        assert parquet_merging._structure(footer) == paths[-1].read_bytes()[start:-8]

    assert parquet_merging.alike(paths)
    parquet_merging.merge(paths, tmp_path / "all.parquet", {"key": "x" * 300})

    whole = pyarrow.parquet.read_table(tmp_path / "all.parquet")
    whole.validate(full=True)
    expected = pyarrow.concat_tables([pyarrow.parquet.read_table(path) for path in paths])
    assert whole.replace_schema_metadata() == expected.replace_schema_metadata()
    metadata = pyarrow.parquet.read_metadata(tmp_path / "all.parquet")
    assert metadata.metadata[b"key"] == b"x" * 300
    assert metadata.num_row_groups == 22
    pairs(2).write_parquet(tmp_path / "other.parquet")
    assert not parquet_merging.alike([paths[0], tmp_path / "other.parquet"])


def test_a_lazy_frame_is_a_part_too_and_each_attempt_has_its_own_name(tmp_path: Path) -> None:
    with parts_folder(tmp_path / "pairs") as folder:
        lost, part = write_part(pairs(5).lazy(), folder, 7), write_part(pairs(5).lazy(), folder, 7)
        assert lost.rows == part.rows == 5
        assert lost.name != part.name
        assert part.name.startswith("part-00007-")
        assert files_in(folder) == sorted([lost.name, part.name])
        save_parts([part], folder, tmp_path / "pairs", overwrite=False, metadata=dict)
        with outputs_together():  # as a command does, which publishes later
            save_parts([lost], folder, tmp_path / "pairs", overwrite=True, metadata=dict)
            again = write_part(iter([pairs(1)]), folder, 0)
            assert files_in(folder) == [again.name]

    assert files_in(tmp_path) == ["pairs"]
    assert gp.scan_pairs(tmp_path / "pairs").collect().height == 5
    with pytest.raises(OutputError, match=rf"^{tmp_path}/pairs: cannot be written: .*No such file"):
        write_part(pairs(5).lazy(), folder, 8)  # a worker that was given up


# What is wrong with a dataset.


def remove(folder: Path) -> None:
    (folder / "part-00001.parquet").unlink()


def shorten(folder: Path) -> None:
    pairs(4).write_parquet(folder / "part-00001.parquet")


def widen(folder: Path) -> None:
    pairs(5, random_too=True).write_parquet(folder / "part-00001.parquet")


def cut(folder: Path) -> None:
    os.truncate(folder / "part-00001.parquet", 300)


def lead_out(folder: Path) -> None:
    text = (folder / INDEX).read_text()
    (folder / INDEX).write_text(text.replace("part-00001", "../part-00001"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            remove,
            "part-00001.parquet: is missing, but {}/_gammapolars.json lists it: restore it, or form the pairs again",
        ),
        (
            shorten,
            "part-00001.parquet: has 4 pairs, but 5 by {}/_gammapolars.json: restore it, or form the pairs again",
        ),
        (widen, "part-00001.parquet: has other columns ("),
        (cut, "part-00001.parquet: cannot be read as Parquet; is it damaged? ("),
        (lead_out, "_gammapolars.json: lists no parts of a dataset; is it damaged?"),
        (
            lambda folder: (folder / INDEX).write_text("{"),
            "_gammapolars.json: lists no parts of a dataset; is it damaged? (",
        ),
        (lambda folder: (folder / INDEX).write_text('{"parts": []}'), "_gammapolars.json: lists no parts"),
    ],
)
def test_a_part_that_is_not_as_listed_is_named(tmp_path: Path, damage: Callable[[Path], None], words: str) -> None:
    folder = saved(tmp_path / "pairs", 3, 5)

    damage(folder)

    with pytest.raises(InputError) as caught:
        gp.scan_pairs(folder).collect()
    assert str(caught.value).startswith(f"{folder}/{words.format(folder)}")
    with pytest.raises(InputError):  # no run, and no folder without pairs, is made of it
        open_pairs([folder]).pairs.collect()  # type: ignore[union-attr]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["part-00000.parquet", "x", "../x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "rows", "parts"]), inner),
)


@given(JSON | st.fixed_dictionaries({"parts": st.lists(st.fixed_dictionaries({"name": JSON, "rows": JSON}))}))
@examples(60)
def test_whatever_an_index_says_there_is_one_clear_error(content: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / INDEX).write_text(json.dumps(content))
        with pytest.raises(InputError, match=INDEX):
            gp.scan_pairs(name)
        assert of_file(Path(name)) is None


def test_a_dataset_in_the_folder_of_a_run_is_not_taken_for_the_run(tmp_path: Path) -> None:
    write_hits(tmp_path / "RAW.root", made_hits(50))
    (tmp_path / "RAW").mkdir()
    (tmp_path / "RAW.root").rename(tmp_path / "RAW" / "SDataR_run.root")
    before = gp.scan(tmp_path).collect()

    saved(tmp_path / "pairs", 3)

    assert open_pairs([tmp_path]) is None
    assert_frame_equal(gp.scan(tmp_path).collect(), before)


def test_parts_that_are_replaced_while_they_are_read_are_not_mixed(tmp_path: Path) -> None:
    folder = saved(tmp_path / "pairs", 3, 5)
    before = gp.scan_pairs(folder)

    save_in_parts([pairs(3, 100), pairs(5, 103)], folder, overwrite=True)

    with pytest.raises(InputError, match=r"part-00000\.parquet: was replaced while .*pairs was read: read it again"):
        before.collect()


def test_parts_that_are_not_as_their_writers_left_them(tmp_path: Path) -> None:
    with parts_folder(tmp_path / "pairs") as folder:
        part = write_part(iter([pairs(3)]), folder, 0)
        for wrong, words in (
            (part._replace(rows=4), f"{part.name} of its parts has 3 pairs, but 4 were written"),
            (part._replace(name="part-x.parquet"), "part-x.parquet of its parts cannot be read (no such file): do all"),
        ):
            for name in ("pairs", "pairs.csv"):
                with pytest.raises(OutputError) as caught:
                    save_parts([wrong], folder, tmp_path / name, overwrite=False, metadata=dict)
                assert str(caught.value).startswith(f"{tmp_path / name}: {words}")
    assert files_in(tmp_path) == []


# What an output may replace.


def test_a_dataset_is_replaced_as_a_whole_and_only_if_asked(tmp_path: Path) -> None:
    folder = saved(tmp_path / "pairs", 3, 5)

    with pytest.raises(OutputError, match=r"pairs: already exists: choose another output, or add overwrite=True"):
        gp.save(pairs(1), folder)
    gp.save(pairs(2, 7), folder, overwrite=True)

    assert_frame_equal(gp.scan_pairs(folder).collect(), pairs(2, 7))
    assert files_in(folder) == [INDEX, "part-00000.parquet"]
    assert files_in(tmp_path) == ["pairs"]


def test_other_files_are_never_removed_with_it(tmp_path: Path) -> None:
    folder, other = saved(tmp_path / "pairs", 3), tmp_path / "notes"
    other.mkdir()
    (tmp_path / "file").touch()
    (folder / "notes.txt").write_text("precious")
    (folder / "older").mkdir()

    for path, words in (
        (folder, "also contains notes.txt and 1 more, which would be lost: move that away, or choose another output"),
        (other, "is there already and is not a dataset of pairs: choose another name, or one with a suffix"),
        (tmp_path / "file", "is there already and is not a dataset of pairs"),
        (
            folder / "part-00000.parquet",
            f"would lie in {folder}, a dataset of pairs, which is only replaced as a whole",
        ),
        (folder / "new.csv", f"would lie in {folder}"),
        (folder / "new", f"would lie in {folder}"),
        (tmp_path / "..", "is not the name of a new folder: choose another output"),
        (tmp_path / "missing" / "new", f"there is no folder {tmp_path}/missing: create it first"),
    ):
        with pytest.raises(OutputError) as caught:
            gp.save(pairs(1), path, overwrite=True)
        assert str(caught.value).startswith(f"{path}: {words}")
    assert files_in(folder) == [INDEX, "notes.txt", "older", "part-00000.parquet"]
    assert files_in(tmp_path) == ["file", "notes", "pairs"]


@pytest.mark.parametrize(
    "scan",
    [
        gp.scan_pairs,
        lambda folder: gp.scan_pairs(folder / "part-00001.parquet"),
        lambda folder: pl.scan_parquet(folder / "*.parquet"),
        lambda folder: gp.scan_pairs(folder).head(3),
    ],
)
def test_a_dataset_is_never_replaced_by_what_is_scanned_from_it(
    tmp_path: Path, scan: Callable[[Path], pl.LazyFrame]
) -> None:
    folder = saved(tmp_path / "pairs", 3, 5)

    with pytest.raises(OutputError, match=r"is the input of this (output|frame) and is never replaced by it"):
        gp.save(scan(folder), folder, overwrite=True)

    assert gp.scan_pairs(folder).collect().height == 8
    assert files_in(tmp_path) == ["pairs"]


def test_pairs_count_once(tmp_path: Path) -> None:
    folder = saved(tmp_path / "pairs", 0, 3, 0)
    other = saved(tmp_path / "other", 4)
    shutil.copytree(folder, tmp_path / "copy")

    both = open_pairs([folder, other])
    assert both
    assert both.pairs.collect().height == 7
    assert both.window == (-5, 5)
    by_part = open_pairs([str(folder / "*")])
    assert by_part
    assert by_part.pairs.collect().height == 3
    assert by_part.window == (-5, 5)
    for names, words in (
        ((folder, folder), "is given twice"),
        ((folder, tmp_path / "copy"), f"copy: is a copy of {folder}, so each of its pairs would count twice"),
        ((folder / "part-00001.parquet", folder), f"is part of {folder}, so each of its pairs would count twice"),
    ):
        with pytest.raises(UsageError, match=words):
            open_pairs(names)


# A failure leaves what was before.


def test_a_full_disk(tmp_path: Path) -> None:
    noise = pairs(100_000).with_columns(dt_ps=pl.int_range(100_000).hash().cast(pl.Int64, wrap_numerical=True))
    folder = saved(tmp_path / "pairs", 3)

    with parts_folder(folder) as hidden:
        with files_limited_to(200_000), pytest.raises(OutputError) as of_part:
            write_part(iter([noise]), hidden, 0)
        assert files_in(hidden) == []
    with files_limited_to(200_000), pytest.raises(OutputError) as of_all:
        gp.save(noise, folder, overwrite=True)

    for caught in (of_part, of_all):
        assert str(caught.value).startswith(f"{folder}: cannot be written: File too large")
        assert "\n" not in str(caught.value)
    assert gp.scan_pairs(folder).collect().height == 3
    assert files_in(tmp_path) == ["pairs"]


def test_a_write_that_is_interrupted(tmp_path: Path) -> None:
    folder = saved(tmp_path / "pairs", 3)

    def rows() -> Any:
        yield pairs(3)
        raise InputError("the run ends early")

    def origin() -> dict[str, str]:
        raise KeyboardInterrupt

    with parts_folder(folder) as hidden:
        with pytest.raises(InputError, match="the run ends early"):
            write_part(rows(), hidden, 0)
        assert files_in(hidden) == []
    with pytest.raises(KeyboardInterrupt):
        gp.save(pairs(5), folder, overwrite=True, metadata=origin)

    assert gp.scan_pairs(folder).collect().height == 3
    assert files_in(tmp_path) == ["pairs"]


@pytest.mark.parametrize("name", ["pairs", "pairs.parquet"])
def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refused(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refused)

    with pytest.raises(OutputError, match=rf"{name}: cannot be written: Permission denied$"):
        save_in_parts([pairs(3)], tmp_path / name)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("more", [False, True])
def test_where_a_rename_fails_the_former_dataset_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, more: bool
) -> None:
    folder = saved(tmp_path / "pairs", 3)
    rename, done = Path.rename, list[Path]()

    def renamed(self: Path, target: Path) -> Path:
        if "pairs" in (self.name, Path(target).name) and self.parent != Path(target).parent.parent / "x":
            done.append(self)
            if len(done) == number:
                raise OSError(5, "Input/output error")
        return rename(self, target)

    def save() -> None:
        with outputs_together():
            gp.save(pairs(5), folder, overwrite=True)
            if more:
                gp.save(pl.DataFrame({"a": [1]}), tmp_path / "more.csv")
            monkeypatch.setattr(Path, "rename", renamed)

    with pytest.raises(OutputError, match="pairs: cannot be written: Input/output error"):
        save()

    assert len(done) >= number
    assert gp.scan_pairs(folder).collect().height == 3
    assert files_in(tmp_path) == ["pairs"]


def test_where_another_output_fails_the_former_dataset_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(tmp_path / "pairs", 3)
    link = os.link

    def refused(source: Path, target: Path, **how: Any) -> None:
        if Path(target).name == "more.csv":
            raise FileExistsError
        link(source, target, **how)

    monkeypatch.setattr(os, "link", refused)

    def save() -> None:
        with outputs_together():
            gp.save(pairs(5), folder, overwrite=True)
            gp.save(pl.DataFrame({"a": [1]}), tmp_path / "more.csv")

    with pytest.raises(OutputError, match=r"more\.csv: was written by another process"):
        save()

    assert gp.scan_pairs(folder).collect().height == 3
    assert files_in(tmp_path) == ["pairs"]


# Killed.

WRITER = """
import sys
from pathlib import Path
from tests.io.test_dataset import pairs, save_in_parts
output = Path(sys.argv[1])
print("ready", flush=True)
for number in range(1, 10**6):
    save_in_parts([pairs(2000, number * 10_000), pairs(0), pairs(number % 7, number * 10_000 + 2000)], output,
        overwrite=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pairs", "pairs.parquet"])
def test_killed_at_any_moment_there_is_one_whole_output_and_nothing_else_after_the_next(
    tmp_path: Path, name: str
) -> None:
    chance, output, outcomes = random.Random(3), tmp_path / name, set[bool]()
    for _ in range(repetitions(40)):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(output)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL

        outcomes.add(output.exists())
        if output.exists():
            times = gp.scan_pairs(output).collect()["timestamp_ps"]
            number = times[0] // 10_000
            assert times.to_list() == list(range(number * 10_000, number * 10_000 + 2000 + number % 7))
        assert all(path == output or path.name.startswith(f".{name}.") for path in tmp_path.iterdir())
        save_in_parts([pairs(2000)], output, overwrite=True)
        assert files_in(tmp_path) == [name]
    assert True in outcomes


@pytest.mark.skipif(IS_WINDOWS, reason="a folder is locked by a file next to it")
def test_the_hidden_folder_of_a_killed_run_is_removed_by_the_next_one_alone(tmp_path: Path) -> None:
    abandoned = tmp_path / ".pairs.01234567.partial"
    (abandoned / "pairs").mkdir(parents=True)  # a dataset that was about to be replaced
    (abandoned / "part-00000-89abcdef.parquet.unfinished").touch()
    with parts_folder(tmp_path / "pairs.parquet"):
        assert abandoned.exists()
        with parts_folder(tmp_path / "pairs") as folder:
            assert files_in(tmp_path) == sorted([folder.name, *(p.name for p in tmp_path.glob(".pairs.parquet.*"))])
            save_in_parts([pairs(2)], tmp_path / "pairs")
            assert folder.exists()
    assert files_in(tmp_path) == ["pairs"]


def leave_parts(output: Path, plan: str, *, keep: bool = True) -> Part:
    """Fail when one part is written."""
    parts = list[Part]()
    with suppress(KeyboardInterrupt), parts_folder(output, plan=plan, keep=keep) as folder:
        parts.append(write_part(iter([pairs(2)]), folder, 0))
        raise KeyboardInterrupt
    return parts[0]


def test_parts_that_were_left_are_used_again_by_the_same_plan_alone(tmp_path: Path) -> None:
    output = tmp_path / "pairs"
    part = leave_parts(output, "a plan")

    with parts_folder(output, plan="a plan") as folder:
        assert is_complete(part, folder)
        assert not is_complete(part._replace(rows=3), folder)
        with parts_folder(output, plan="a plan") as other:  # of a run at the same time
            assert not is_complete(part, other)
        assert is_complete(part, folder)
        save_parts([part], folder, output, overwrite=False, metadata=dict)
        assert not is_complete(part, folder)
    assert files_in(tmp_path) == ["pairs"]

    for plan in ("another plan", ""):
        part = leave_parts(output, "a plan")
        assert len(files_in(tmp_path)) == (3 if IS_WINDOWS else 2)
        with parts_folder(output, plan=plan) as folder:
            assert not is_complete(part, folder)
        assert files_in(tmp_path) == ["pairs"]
    leave_parts(output, "a plan", keep=False)
    assert files_in(tmp_path) == ["pairs"]
