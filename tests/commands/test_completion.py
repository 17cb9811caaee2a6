"""What a shell completes, asked for as shells do: through environment variables, in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from gammapolars.commands.completion import prepare
from tests.commandline import REPOSITORY, gammapolars

SHELLS = ("bash", *(pytest.param(shell, marks=pytest.mark.slow) for shell in ("zsh", "fish")), "powershell")


def asked(line: str, shell: str) -> dict[str, str]:
    """The environment in which a shell asks for the last word of a line."""
    words = line.split(" ")
    return {
        "_GAMMAPOLARS_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COLUMNS": "40",
    }


def completion(line: str, shell: str = "bash") -> str:
    """What a shell gets, in this process."""
    with patch.dict(os.environ, asked(line, shell)):
        prepare()
        done = gammapolars()
    assert (done.code, done.err) == (0, "")
    return done.out


def process(cwd: Path, **environment: str) -> tuple[str, str]:
    """What a process of its own says on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "gammapolars"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which tests work, with a detectors.toml under another name, and queries."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "data" / "detectors.toml", tmp_path / "d.toml")
    shutil.copytree(REPOSITORY / "queries", tmp_path / "queries")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("gammapolars ga", ["gate"]),
        ("gammapolars gate run.root --partner-", ["--partner-background"]),
        ("gammapolars gate run.root --detectors d.toml --in HPGe-", ["HPGe-1", "HPGe-2", "HPGe-3", "HPGe-4"]),
        ("gammapolars matrix run.root --detectors d.toml --x HPGe-2,HPGe-3", ["HPGe-2,HPGe-3"]),
        ("gammapolars coincidences run.root --start HP", []),
        ("gammapolars rates run.root --detectors d", []),
        ("gammapolars gate run.root --reject pile_up,fi", ["pile_up,fine_timestamp"]),
        ("gammapolars gate run.root --unit ", ["keV", "adc"]),
        ("gammapolars calibrate run.root --source Eu-155", ["Eu-155"]),
        ("gammapolars simulate --source Na-2", ["Na-22"]),
        ("gammapolars lines Co-6", ["Co-60"]),
        ("gammapolars gate run.root --cascade Eu-152,Co-6", ["Eu-152,Co-60"]),
        ("gammapolars guide lifet", ["lifetimes"]),
        ("gammapolars help coin", ["coincidences"]),
        ("gammapolars help detectors ", ["import"]),
        ("gammapolars query rates", ["rates_by_minute"]),
        ("gammapolars detectors imp", ["import"]),
    ],
)
def test_words_are_completed(line: str, words: list[str], folder: Path) -> None:
    assert completion(line).split() == words


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_names_of_detectors(shell: str, folder: Path) -> None:
    line = "gammapolars lifetime run.root --detectors d.toml --stop HPGe-3"

    out, err = process(folder, **asked(line, shell))

    assert "HPGe-3" in out
    assert err == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_word_and_its_meaning_stand_in_one_line(shell: str) -> None:
    lines = completion("gammapolars gate run.root --partner-b", shell).rstrip("\n").splitlines()

    assert len(lines) == 1
    assert "--partner-background" in lines[0]


@pytest.mark.parametrize("text", ["[[[detector", "", "[[detector]]\nchannel = 1\nnonsense = 2\n", None])
def test_a_file_that_cannot_be_read_has_no_names(text: str | None, folder: Path) -> None:
    if text is not None:
        Path("detectors.toml").write_text(text)

    assert completion("gammapolars gate run.root --in H") == "\n"


def test_nothing_is_said_of_a_line_that_cannot_be(folder: Path) -> None:
    assert process(folder, **asked("gammapolars gate --detectors nowhere.toml --width x --in ", "bash")) == ("\n", "")


def test_the_detectors_toml_of_the_folder_has_names_too(folder: Path) -> None:
    detector = '[[detector]]\nname = "{}"\nchannel = {}\n'
    Path("detectors.toml").write_text(detector.format("Ge-1", 1) + detector.format("Ge of 1987", 2))

    assert completion("gammapolars gate run.root --in G") == "Ge-1\n"  # others would need quotation marks


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script(shell: str, folder: Path) -> None:
    out, err = process(folder, _GAMMAPOLARS_COMPLETE=f"source_{shell}")

    assert err == ""
    assert f"complete_{shell}" in out


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_with_its_script(folder: Path) -> None:
    command = folder / "gammapolars"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m gammapolars "$@"\n')
    command.chmod(0o755)
    script = """
        source <(_GAMMAPOLARS_COMPLETE=source_bash ./gammapolars)
        COMP_WORDS=(gammapolars gate run.root --detectors d.toml --in HPGe-) COMP_CWORD=6
        _gammapolars_completion ./gammapolars
        echo "${COMPREPLY[@]}"
    """

    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("HPGe-1 HPGe-2 HPGe-3 HPGe-4\n", "")


@pytest.mark.slow
def test_completion_is_there_at_once(folder: Path) -> None:
    times = []
    for _ in range(3):
        began = os.times()
        process(folder, **asked("gammapolars gate run.root --detectors d.toml --in HPGe-", "bash"))
        ended = os.times()
        times.append(ended.children_user + ended.children_system - began.children_user - began.children_system)

    assert min(times) < 0.5  # CPU time: the clock's depends on whoever else computes


# `gammapolars help`.


@pytest.mark.parametrize(
    ("words", "same"),
    [([], ["--help"]), (["gate"], ["gate", "-h"]), (["detectors", "import"], ["detectors", "import", "-h"])],
)
def test_help_shows_the_page_of_a_command(words: list[str], same: list[str]) -> None:
    done = gammapolars("help", *words)

    assert done.code == 0
    assert done.out == gammapolars(*same).out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["gaet"], "Error: gammapolars has no command 'gaet': did you mean gate?"),
        (["detectors", "imports"], "Error: gammapolars detectors has no command 'imports': did you mean import?"),
        (["gate", "x"], "Error: gammapolars gate has no command 'x': leave it out to see the help of gammapolars gate"),
    ],
)
def test_help_of_no_command_is_one_line(words: list[str], line: str) -> None:
    done = gammapolars("help", *words)

    assert (done.code, done.out, done.err) == (2, "", f"{line}\n")
