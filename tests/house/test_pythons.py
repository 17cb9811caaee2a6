"""Where newer Pythons are looked for, with which CI tries the package."""

import sys
from pathlib import Path

import pytest

from tests.house.pythons import interpreter

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs of this test are shell scripts")


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:/bin:/usr/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


def test_a_name_that_does_not_start_is_no_interpreter(tmp_path: Path) -> None:
    program(tmp_path / "shims" / "python3.99", "echo 'command not found' >&2; exit 127")
    assert interpreter(99) is None

    there = program(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python", "echo Python 3.99.1")
    assert interpreter(99) == there


def test_one_that_is_on_the_path_comes_first(tmp_path: Path) -> None:
    program(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python", "echo Python 3.99.1")
    there = program(tmp_path / "shims" / "python3.99", "echo Python 3.99.0")

    assert interpreter(99) == there
