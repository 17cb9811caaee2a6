"""Help pages: what stands where, in plain characters, and examples that run."""

import inspect
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from gammapolars.commands.app import COMMANDS, GROUPS, app, load
from gammapolars.commands.command import OPTIONS
from gammapolars.commands.help_pages import EXAMPLES
from tests.commandline import REPOSITORY, built_command, gammapolars
from tests.commands.test_json_forms import CALP, EFFICIENCY, ONE_DETECTOR, SOURCE, write_inputs

PAGES = [(), *((name,) for name in COMMANDS), ("detectors", "import")]

load()


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def page(*words: str) -> str:
    done = gammapolars(*words, "--help")
    assert (done.code, done.err) == (0, "")
    return done.out


def examples_of(record: type) -> list[str]:
    return inspect.cleandoc(record.__doc__ or "").partition(EXAMPLES)[2].split("\n")


EXAMPLE_LINES = [line for record in OPTIONS.values() for line in examples_of(record)]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_a_page_is_of_plain_characters_in_eighty_columns(words: tuple[str, ...]) -> None:
    text = page(*words)

    assert text.isascii()
    assert [line for line in text.partition("Examples:")[0].splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_values_have_names_a_physicist_knows(words: tuple[str, ...]) -> None:
    flags = re.findall(r"^  (?:-o, )?(--[\w-]+) (\S+)", page(*words), re.MULTILINE)

    assert [one for one in flags if re.search(r"[<>]|^(TEXT|NUMBER)$", one[1]) and one[0] != "--title"] == []


def test_every_command_stands_under_a_heading_with_a_summary_that_is_not_cut() -> None:
    text = page()

    headings = re.findall(r"^(\w+):$", text, re.MULTILINE)
    assert headings == [*GROUPS, "Options"]
    for heading, names in GROUPS.items():
        section = text.partition(f"\n{heading}:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split()[0] for line in section][: len(names)] == list(names)
    rows = re.findall(r"^  ([a-z]+) +(\S.*)$", text.partition("Look:")[2], re.MULTILINE)
    assert {name for name, _ in rows} >= set(COMMANDS)
    assert [row for row in rows if "..." in row[1] or row[1].endswith(".")] == []


def test_a_page_begins_with_what_is_special_to_the_command() -> None:
    headings = re.findall(r"^(\S.*):$", page("coincidences"), re.MULTILINE)

    more = "More output from the same pass"
    assert headings == ["Arguments", "Options", more, "Pairs", "Output", "Reading runs", "Sharing the work", "Examples"]
    assert "--keep-going" in page("coincidences").partition("Reading runs:")[2]
    assert "--nearest" in page("coincidences").partition("Options:")[2].partition(more)[0]


def test_the_usage_names_what_is_required() -> None:
    assert page("gate").splitlines()[0] == "Usage: gammapolars gate RUN... --on KEV -o FILE [OPTIONS]"
    assert page("lines").splitlines()[0] == "Usage: gammapolars lines [NUCLIDE|KEV] [OPTIONS]"


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_every_page_ends_with_examples(words: tuple[str, ...]) -> None:
    shown = page(*words).partition("\nExamples:\n")[2].splitlines()

    assert shown == [f"  {line}" for line in examples_of(OPTIONS[words])]
    assert all(line.startswith(f"  gammapolars {' '.join(words)}") for line in shown)
    assert all(len(line) <= 80 or words == ("efficiency",) for line in shown)


@pytest.mark.parametrize("line", EXAMPLE_LINES)
def test_examples_are_understood(line: str) -> None:
    group = built_command(app, get_command)
    words = shlex.split(line)

    with group.make_context(words[0], words[1:]) as context:
        _, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        if words[1] == "detectors":
            _, command, rest = command.resolve_command(context, rest)
        command.make_context(words[1], rest, parent=context)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the examples name."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    shutil.copytree(REPOSITORY / "queries", folder / "queries")
    shutil.copy(REPOSITORY / "data" / "co60-four-hpge.root", folder / "run.root")
    (folder / "ch1.CALp").write_text(CALP)
    (folder / "ch2.CALp").write_text(CALP)
    shutil.copy(folder / "peaks.csv", folder / "eu.csv")
    (folder / "of-a-source.toml").write_text(ONE_DETECTOR + SOURCE)
    (folder / "efficient.toml").write_text(ONE_DETECTOR + EFFICIENCY)
    counts = np.rint(100 + 1000 * np.exp(-((np.arange(2048) - 1000) ** 2) / 50)).astype(int)
    (folder / "spectrum.spe").write_text(f"$DATA:\n0 2047\n{chr(10).join(map(str, counts))}\n$MEAS_TIM:\n60 60\n")
    for run in ("run_6_Eu152", "run_7"):
        (folder / "DAQ" / run / "RAW").mkdir(parents=True)
        (folder / "DAQ" / run / "run.info").write_text(f"id={run}\n")
        shutil.copy(folder / "run.root", folder / "DAQ" / run / "RAW" / f"DataR_{run}.root")
    (folder / "experiment.toml").write_text('runs = "run.root"\ndetectors = "d.toml"\n[align]\n[coincidences]\n')
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("line", EXAMPLE_LINES)
def test_examples_run(line: str, inputs: Path, tmp_path: Path) -> None:
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    words = shlex.split(line)[1:]
    if words[0] in ("efficiency", "activity"):
        shutil.copy("of-a-source.toml" if words[0] == "efficiency" else "efficient.toml", "d.toml")
    if words[0] == "view":
        words += ["--no-browser", "--idle-min", "0"]
    output = Path(words[words.index("-o") + 1]) if "-o" in words else None
    if output and output.exists():
        words.append("--overwrite")

    done = gammapolars(*words)

    assert done.code == 0, done.err
    assert output is None or list(tmp_path.glob(f"{output.stem}*{output.suffix}"))
