"""The README's commands and Python run as they stand."""

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


LONG = ("report", "calibrate", "peaks", "align")
"""Commands that fit and draw, on a run that is simulated for them."""


def run_all(lines: list[str]) -> None:
    for line in lines:
        done = gammapolars(*shlex.split(line)[1:])
        assert done.code == 0, f"{line}: {done.err}"


def test_every_short_command_runs(clone: Path) -> None:
    found = commands()
    assert {line.split()[1] for line in found} == {
        "align", "calibrate", "coincidences", "events", "gate", "info", "lines", "peaks", "query", "report", "simulate",
    }  # fmt: skip

    run_all([line for line in found if line.split()[1] not in LONG and "eu152" not in line])

    made = {"pairs.parquet", "simulated.root", "rates.csv", "gated.parquet"}
    assert all((clone / name).stat().st_size > 0 for name in made)


@pytest.mark.slow
def test_every_command_runs(clone: Path) -> None:
    run_all(commands())

    made = {
        "pairs.parquet",
        "report/index.html",
        "report-na22/index.html",
        "simulated.root",
        "rates.csv",
        "gated.parquet",
        "detectors.toml",
        "calibration/lines.png",
        "peaks.csv",
    }
    assert all((clone / name).stat().st_size > 0 for name in made)


def test_python_runs(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = next(block for block in blocks("python") if "import gammapolars as gp" in block)

    exec(compile(example, "README.md", "exec"), {})

    assert "1332" in capsys.readouterr().out
    assert (clone / "matrix.parquet").exists()


def test_the_query_shown_is_the_one_in_the_folder() -> None:
    shown = next(block for block in blocks("python") if "def query" in block)

    assert shown == (ROOT / "queries" / "rates_by_minute.py").read_text(encoding="utf-8")


def test_the_toml_shown_can_be_read(tmp_path: Path) -> None:
    from gammapolars.detectors import load_detectors

    (tmp_path / "detectors.toml").write_text(blocks("toml")[0], encoding="utf-8")

    (detector,) = load_detectors(tmp_path / "detectors.toml")

    assert detector.name == "HPGe-3"
    assert detector.energy == (0.1358, 0.112533, -5.77e-10)


def test_the_columns_shown_are_those_of_the_pairs() -> None:
    from gammapolars.core.schema import PAIRS

    table = README[README.index("| column |") : README.index("Each pair stands once")]

    assert set(re.findall(r"`(\w+)`", table)) >= set(PAIRS.columns) | {"energy_kev_a", "energy_kev_b"}
