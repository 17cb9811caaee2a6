"""Nothing that is read or was recorded is ever replaced, whatever the command, the option and the spelling."""

import ast
import os
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated

import pytest
import typer

import gammapolars as gp
from gammapolars.commands.app import load
from gammapolars.commands.command import OPTIONS, command
from gammapolars.commands.declared import Reads, Writes, declared
from gammapolars.io.recorded import read_by
from tests.commandline import REPOSITORY, files_in, gammapolars
from tests.rootfiles import made_hits, write_hits

load()

PACKAGE = REPOSITORY / "gammapolars"

UPDATED = {("align", "output"), ("calibrate", "output"), ("efficiency", "output"), ("drift", "output")}
"""May replace the detectors.toml, or the table of drift, that is read."""


@dataclass(frozen=True)
class Case:
    """An output of a command that is to be one of the files that the command reads."""

    words: tuple[str, ...]
    written: str
    read: str

    def __str__(self) -> str:
        return f"{' '.join(self.words)}: {self.written} = {self.read}"


def cases() -> Iterator[Case]:
    """Every output option of every command with every option that names what is read."""
    for words, options in OPTIONS.items():
        for written, writes in declared(options, Writes).items():
            for read, reads in declared(options, Reads).items():
                if reads.what == "detectors" and writes.updates == "detectors":
                    continue
                yield Case(words, written, read)


def command_line(case: Case, path: Path, output: Path) -> list[str | Path]:
    """A command line with all that the command needs, if it means anything or not."""
    options, words = OPTIONS[case.words], list[str | Path](case.words)
    hints = typing.get_type_hints(options, include_extras=True)
    for field in fields(options):
        if field.name == "asked":
            continue
        kind, *notes = typing.get_args(hints[field.name])
        note = next((one for one in notes if not isinstance(one, Reads | Writes)), "")
        if field.name == case.written:
            value: str | Path = output
        elif field.name == case.read:
            value = f"1={path}" if "assignments" in repr(notes) else path
        elif field.default is MISSING or (field.name == "output" and case.written != "output"):
            value = path.with_name(f"{field.name}.file") if Path in (kind, *typing.get_args(kind)) else "1"
        else:
            continue
        argument = isinstance(note, typer.models.ArgumentInfo)
        flags = (*(getattr(note, "param_decls", None) or ()), str(getattr(note, "default", "")))
        flag = next((one for one in flags if one.startswith("--")), f"--{field.name.replace('_', '-')}")
        words += [value] if argument else [flag, value]
    if case.words == ("query",) and case.read != "runs":
        words += ["1"]
    return [*words, "--overwrite"]


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_no_output_replaces_what_the_command_reads(case: Case, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "inside")
    path = tmp_path / "inside" / "precious.py"
    path.write_text("# precious")
    (tmp_path / "symbolic.py").symlink_to(path)
    (tmp_path / "hard.py").hardlink_to(path)

    spellings = [
        path,
        tmp_path / "inside" / ".." / "inside" / path.name,
        tmp_path / "linked" / path.name,
        tmp_path / "symbolic.py",
        tmp_path / "hard.py",
        Path(os.path.relpath(path)),
    ]
    for output in spellings:
        outcome = gammapolars(*command_line(case, path, output))

        assert outcome.code == 1
        assert outcome.error.startswith(f"Error: {output}: is read by this command")
        assert outcome.error.endswith("choose another output")
    assert path.read_text() == "# precious"
    assert files_in(tmp_path / "inside") == [path.name]


def test_each_command_but_four_writes_something() -> None:
    writing = {words for words, options in OPTIONS.items() if declared(options, Writes)}

    assert set(OPTIONS) - writing == {("info",), ("lines",), ("view",), ("run",)}  # the steps of `run` guard theirs
    assert len(list(cases())) > 50


def test_only_four_outputs_may_be_what_is_read() -> None:
    updating = {
        (words[0], name)
        for words, options in OPTIONS.items()
        for name, writes in declared(options, Writes).items()
        if writes.updates != "nothing"
    }

    assert updating == UPDATED


def test_a_new_option_cannot_forget_to_say_whether_it_is_read_or_written() -> None:
    class Forgetful:
        """Says nothing."""

        output: Annotated[Path, "Somewhere.", Writes()]
        table: Annotated[list[Path] | None, "Something."] = None

    with pytest.raises(TypeError, match=r"Forgetful\.table names files: mark it with Reads or Writes"):
        command("forgetful", group=typer.Typer())(Forgetful)


def test_nothing_else_writes_files() -> None:
    """What stands in a hidden folder, or in memory, and `io`, whose writers get hidden files."""
    hidden = {"report/__init__.py", "commands/calibrate/run.py", "commands/guide/html.py", "figures/image.py"}
    hidden |= {"cluster/folder.py"}  # a file by which workers see that a hidden folder is the same one to all
    writing = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith(("write_bytes", "write_text", "write_csv", "write_parquet", "sink_", "savefig"))
        and path.relative_to(PACKAGE).parts[0] != "io"
    }

    assert writing == hidden


# Real runs, real names


def refused(*words: str | Path) -> str:
    """Why a command with --overwrite does not write."""
    outcome = gammapolars(*words, "--overwrite")
    assert outcome.code == 1, outcome
    return outcome.error


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A recorded run."""
    return write_hits(tmp_path / "raw.root", made_hits(500))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder as CoMPASS leaves it."""
    (tmp_path / "run" / "RAW").mkdir(parents=True)
    (tmp_path / "run" / "run.info").write_text("id=run\n")
    write_hits(tmp_path / "run" / "RAW" / "DataR_run.root", made_hits(500))
    (tmp_path / "run" / "notes.txt").write_text("precious")
    return tmp_path / "run"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_hits_are_not_replaced_by_their_pairs(run: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)

    assert "raw.root: is read by this command, and" in refused("coincidences", run, "-o", run)
    refused("coincidences", run, "-o", tmp_path / "new.parquet", "--matrix", run)
    refused("coincidences", tmp_path / "*.root", "-o", run)

    assert contents(tmp_path) == before


def test_recordings_that_are_not_read_are_safe_too(run: Path, tmp_path: Path) -> None:
    other = write_hits(tmp_path / "other.root", made_hits(300, seed=2))
    (tmp_path / "foreign.csv").write_text("BOARD;CHANNEL;TIMETAG;ENERGY;FLAGS\n0;1;1000;5;0x0\n")
    before = contents(tmp_path)

    assert "other.root: contains recorded data" in refused("convert", run, "-o", other)
    assert "foreign.csv: contains recorded data" in refused("convert", run, "-o", tmp_path / "foreign.csv")
    assert contents(tmp_path) == before
    for name in ("own.root", "own.csv", "own.parquet"):
        assert gammapolars("convert", run, "-o", tmp_path / name).code == 0
        assert gammapolars("convert", run, "-o", tmp_path / name, "--overwrite").code == 0


def test_outputs_in_a_run_folder_are_never_read_as_the_run(folder: Path) -> None:
    before = contents(folder)

    for name in ("RAW/DataR_pairs.root", "SData_pairs.csv", "UNFILTERED/DataR_run.root"):
        if (folder / name).parent.is_dir():
            assert "would be read as part of the run" in refused("coincidences", folder, "-o", folder / name)
    for name in ("run.info", "notes.txt"):
        assert name in refused("spectrum", folder, "-o", folder / name)
    assert "is in the folder of a run being read" in refused("spectrum", folder / "RAW", "-o", folder / "notes.txt")
    assert contents(folder) == before
    words = ("coincidences", folder, "-o", folder / "pairs.parquet")
    assert gammapolars(*words).code == 0
    assert gammapolars(*words, "--overwrite").code == 0
    assert gp.scan(folder).collect().height == 500


def test_files_with_names_of_their_own_are_read_by_folder_or_pattern(run: Path, tmp_path: Path) -> None:
    for word, names in (("coincidences", tmp_path), ("convert", tmp_path), ("convert", tmp_path / "*.root")):
        assert "would be read as part of the run" in refused(word, names, "-o", tmp_path / "other.root")
    assert gammapolars("coincidences", tmp_path, "-o", tmp_path / "pairs.parquet").code == 0
    assert gp.scan(tmp_path).collect().height == 500


def test_a_report_is_not_written_into_the_folder_of_its_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "rep").mkdir()
    gp.save(made_hits(300).lazy(), tmp_path / "rep" / "pairs.parquet")
    before = contents(tmp_path)

    for place in (folder, folder / "RAW", folder / ".." / "run"):
        assert "is the folder of a run being read" in refused("report", folder, "-o", place)
    said = refused("report", tmp_path / "rep" / "pairs.parquet", "-o", tmp_path / "rep")
    assert "rep/pairs.parquet: is read by this command" in said

    assert contents(tmp_path) == before


def test_the_table_of_drift_in_detectors_toml_is_read_too(run: Path, tmp_path: Path) -> None:
    toml, table = tmp_path / "d.toml", tmp_path / "d.drift.parquet"
    toml.write_text('drift = "d.drift.parquet"\n\n[[detector]]\nboard = 0\nchannel = 0\n')
    table.write_bytes(b"precious")

    said = refused("coincidences", run, "--detectors", toml, "-o", table)

    assert said.startswith(f"Error: {table}: is read by this command")
    assert table.read_bytes() == b"precious"
    for words in (("align", run, "-o", toml), ("drift", run, "-o", table, "--track", "1")):
        error = gammapolars(*words, "--detectors", toml, "--overwrite").error
        assert "is read by" not in error  # but what is wrong with the run
    assert "is read by" in refused("align", run, "-o", table, "--detectors", toml)


@pytest.mark.parametrize("other", ["out.csv", "OUT.csv", "./out.csv"])
def test_two_outputs_are_two_files(run: Path, tmp_path: Path, other: str) -> None:
    words = ("coincidences", run, "-o", tmp_path / "out.csv", "--spectra", f"{tmp_path}/{other}", "--overwrite")

    outcome = gammapolars(*words)

    assert outcome.code == 2
    assert "two outputs have this name" in outcome.error
    assert files_in(tmp_path) == ["raw.root"]


def test_a_pipe_is_no_place_for_an_output(run: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.parquet")

    assert "is a device or a pipe" in refused("convert", run, "-o", tmp_path / "pipe.parquet")
    assert (tmp_path / "pipe.parquet").is_fifo()


def test_segments_and_notes_of_a_run_are_protected(folder: Path) -> None:
    protected = read_by([str(folder / "RAW" / "DataR_run.root")])

    assert folder / "run.info" in protected.files
    assert {one.path.resolve() for one in protected.folders} == {folder, folder / "RAW"}
