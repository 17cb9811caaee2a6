"""The README's commands and Python run as they stand."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.commandline import gammapolars

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SET_UP = [line for line in README.splitlines() if re.search(r"python3? -m venv", line)]


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [body for kind, body in found if kind == language]


def commands() -> list[str]:
    """All calls of gammapolars, those behind the installation included."""
    lines = [line for block in blocks("") for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split(" && ")]
    return [
        part.removeprefix(".venv/bin/") for part in parts if part.removeprefix(".venv/bin/").startswith("gammapolars")
    ]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a clone to the commands."""
    for folder in ("data", "queries"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_lines_do_all_the_set_up() -> None:
    assert len(SET_UP) == 2
    assert ".venv/bin/gammapolars report" in SET_UP[0]
    assert SET_UP[1].endswith(".venv/bin/pytest -n auto")


def run_all(lines: list[str]) -> None:
    for line in lines:
        done = gammapolars(*shlex.split(line)[1:])
        assert done.code == 0, f"{line}: {done.err}"


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_lines_for_windows_are_those_for_others() -> None:
    windows = blocks("powershell")[0].splitlines()
    others = [re.sub(r" && [^&]*coincidences [^&]*(?= &&)", "", line) for line in SET_UP]

    assert [line.replace("python3", "py").replace(" && ", "; ").replace("/bin/", "/") for line in others] == [
        line.replace("\\Scripts\\", "/").replace('"', "'") for line in windows
    ]


def test_every_short_command_runs(clone: Path) -> None:
    found = commands()
    assert {line.split()[1] for line in found} == {"coincidences", "gate", "query", "report"}

    run_all([line for line in found if line.split()[1] != "report"])

    assert all((clone / name).stat().st_size > 0 for name in ("pairs.parquet", "gated.csv", "rates.csv"))


@pytest.mark.slow
def test_every_command_runs(clone: Path) -> None:
    run_all(commands())

    assert (clone / "report" / "index.html").stat().st_size > 0


def test_the_number_of_pairs_is_the_one_that_is_found(clone: Path) -> None:
    first = next(line for line in commands() if " coincidences " in line)

    done = gammapolars(*shlex.split(first)[1:], "--json")

    assert f"It finds {json.loads(done.out)['pairs']:,} pairs" in README


def test_python_runs(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = next(block for block in blocks("python") if "import gammapolars as gp" in block)

    exec(compile(example, "README.md", "exec"), {})

    assert "1332" in capsys.readouterr().out
    assert (clone / "matrix.parquet").exists()
