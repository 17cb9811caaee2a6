"""Outputs that appear together: where one cannot take its name, all is as it was before."""

import os
from pathlib import Path

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.core.errors import OutputError, UsageError
from gammapolars.io.output import complete_or_nothing, write_bytes
from gammapolars.io.output_folder import folder_complete_or_nothing
from gammapolars.io.transaction import outputs_together
from tests.commandline import REPOSITORY, files_in, gammapolars
from tests.rootfiles import made_hits, write_hits

NAMES = ("first.csv", "second.csv", "third.csv")


@pytest.fixture(params=[1, 2, 3])
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The first, the second or the third output cannot take its name."""
    number: int = request.param
    named: list[Path] = []
    link, replace, rename = os.link, Path.replace, Path.rename

    def check(source: str | Path, target: str | Path) -> None:
        hidden = (".part", ".partial")
        if Path(target).suffix in hidden or (Path(source).suffix not in hidden and ".partial" not in str(source)):
            return
        named.append(Path(target))
        if len(named) == number:
            raise OSError(5, "Input/output error")

    def linked(source: Path, target: Path, **how: bool) -> None:
        if Path(target).name == NAMES[number - 1]:
            raise FileExistsError
        link(source, target, **how)

    def replaced(self: Path, target: Path) -> Path:
        check(self, target)
        return replace(self, target)

    def renamed(self: Path, target: Path) -> Path:
        check(self, target)
        return rename(self, target)

    monkeypatch.setattr(os, "link", linked)
    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(Path, "rename", renamed)
    return number


def write_three(folder: Path, *, overwrite: bool) -> None:
    with outputs_together():
        for name in NAMES:
            write_bytes(b"new", folder / name, overwrite=overwrite)
            assert not (folder / name).exists() or (folder / name).read_bytes() != b"new"


def test_a_rename_that_fails_takes_back_those_before_it(tmp_path: Path, failing: int) -> None:
    with pytest.raises(OutputError, match=rf"{NAMES[failing - 1]}: was written by another process"):
        write_three(tmp_path, overwrite=False)

    assert files_in(tmp_path) == []


@pytest.mark.parametrize("old", [NAMES, NAMES[:1], NAMES[1:]])
def test_and_puts_back_what_they_had_replaced(tmp_path: Path, failing: int, old: tuple[str, ...]) -> None:
    for name in old:
        (tmp_path / name).write_text(f"old {name}")

    with pytest.raises(OutputError, match=rf"{NAMES[failing - 1]}: cannot be written: Input/output error"):
        write_three(tmp_path, overwrite=True)

    assert files_in(tmp_path) == sorted(old)
    assert all((tmp_path / name).read_text() == f"old {name}" for name in old)


@pytest.mark.parametrize("exists", [False, True])
def test_folders_are_taken_back_too(tmp_path: Path, failing: int, exists: bool) -> None:
    folder = tmp_path / "figures"
    if exists:
        folder.mkdir()
        (folder / "b.png").write_text("old")

    def write() -> None:
        with outputs_together():
            write_bytes(b"new", tmp_path / "x.csv", overwrite=True)
            with folder_complete_or_nothing(folder, overwrite=True, last="a.png") as partial:
                for name in ("a.png", "b.png"):
                    (partial / name).write_bytes(b"new")
            write_bytes(b"new", tmp_path / "y.csv", overwrite=True)

    with pytest.raises(OutputError, match="cannot be written: Input/output error"):
        write()

    assert files_in(tmp_path) == (["figures"] if exists else [])
    assert not exists or {path.name: path.read_text() for path in folder.iterdir()} == {"b.png": "old"}


def test_all_is_replaced_where_nothing_fails(tmp_path: Path) -> None:
    for name in NAMES[:2]:
        (tmp_path / name).write_text("old")

    write_three(tmp_path, overwrite=True)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(NAMES, "new")


def test_where_there_are_no_hard_links(tmp_path: Path, failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", without)
    for name in NAMES[:2]:
        (tmp_path / name).write_text("old")

    with pytest.raises(OutputError, match=NAMES[failing - 1]):
        write_three(tmp_path, overwrite=True)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(NAMES[:2], "old")


def test_what_cannot_be_put_back_is_kept_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        (tmp_path / name).write_text(f"old {name}")
    replace, done = Path.replace, list[Path]()

    def first_alone(self: Path, target: Path) -> Path:
        if done:
            raise OSError(5, "Input/output error")
        done.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", first_alone)
    with pytest.raises(OutputError, match=r"first\.csv could not be withdrawn .*: its previous content is in ") as told:
        write_three(tmp_path, overwrite=True)

    assert Path(str(told.value).rpartition(" is in ")[2]).read_text() == "old first.csv"
    assert (tmp_path / "first.csv").read_text() == "new"
    assert (tmp_path / "second.csv").read_text() == "old second.csv"


def test_an_error_before_the_end_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with outputs_together():
            write_bytes(b"new", tmp_path / "a.csv")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert files_in(tmp_path) == []


def test_two_outputs_of_one_name(tmp_path: Path) -> None:
    def twice() -> None:
        with outputs_together():
            write_bytes(b"a", tmp_path / "a.csv")
            write_bytes(b"b", tmp_path / "A.csv")

    with pytest.raises(UsageError, match=r"A\.csv: two outputs have this name"):
        twice()

    assert files_in(tmp_path) == []


def test_each_output_is_by_itself_again_afterwards(tmp_path: Path) -> None:
    write_three(tmp_path, overwrite=False)

    with complete_or_nothing(tmp_path / "later.csv") as hidden:
        hidden.write_text("new")

    assert files_in(tmp_path) == sorted([*NAMES, "later.csv"])


def test_the_outputs_of_a_command_appear_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_hits(tmp_path / "run.root", made_hits(500))
    out = tmp_path / "out"
    out.mkdir()
    further = [f"--{name}={out / name}.csv" for name in ("spectra", "rates", "time-differences")]
    words: list[str | Path] = ["coincidences", run, "-o", out / "pairs.parquet", *further]
    assert gammapolars(*words).code == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    run.unlink()
    write_hits(run, made_hits(700, seed=3))
    replace = Path.replace

    def fail_at_the_third(self: Path, target: Path) -> Path:
        if target.name == "rates.csv":
            raise OSError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_at_the_third)
    outcome = gammapolars(*words, "--overwrite")

    assert outcome.code == 1
    assert outcome.error == f"Error: {out}/rates.csv: cannot be written: Permission denied"
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_outputs_of_a_part_wait_for_the_others(tmp_path: Path) -> None:
    with outputs_together():
        write_three(tmp_path, overwrite=False)
        assert {Path(name).suffix for name in files_in(tmp_path)} == {".part"}

    assert files_in(tmp_path) == sorted(NAMES)


@pytest.mark.slow
def test_the_spectra_of_a_gate_wait_for_its_table_of_peaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link
    appeared: list[str] = []

    def fail_at_the_table(source: Path, target: Path, **how: bool) -> None:
        appeared.append(target.name)
        if target.name == "peaks.csv":
            raise FileExistsError
        link(source, target, **how)

    monkeypatch.setattr(os, "link", fail_at_the_table)
    data = REPOSITORY / "data"
    words = ("--on", "1332.5", "--detectors", data / "detectors.toml", "--by-detector", "--width", "6")
    outputs = ("-o", tmp_path / "g.txt", "--peaks", tmp_path / "peaks.csv")
    outcome = gammapolars("gate", data / "co60-four-hpge.root", *words, *outputs)

    assert "peaks.csv: was written by another process" in outcome.error
    assert len(appeared) > 2
    assert files_in(tmp_path) == []


def test_a_link_to_nothing_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "missing.csv")

    with pytest.raises(OutputError, match=r"link\.csv: is a link to .*missing\.csv, which does not exist"):
        write_bytes(b"new", tmp_path / "link.csv", overwrite=True)


def test_spectra_of_several_detectors_appear_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = made_hits(500).group_by("board", "channel", "adc").agg(counts=pl.len().cast(pl.Float64))
    spectrum = hits.with_columns(variance="counts")
    link = os.link

    def fail_at_the_last(source: Path, target: Path, **how: bool) -> None:
        if target.name == "s_b0_ch3.spe":
            raise FileExistsError
        link(source, target, **how)

    monkeypatch.setattr(os, "link", fail_at_the_last)
    with pytest.raises(OutputError, match=r"s_b0_ch3\.spe: was written by another process"):
        gp.save_spectrum(spectrum, tmp_path / "s.spe")

    assert files_in(tmp_path) == []
