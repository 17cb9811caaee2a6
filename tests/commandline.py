"""The command line as tests call it: in this process, where nothing but `sys.argv` tells it from the real one."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import typer.main
from typer import Typer

from gammapolars.commands import main

REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Outcome:
    """What a command left behind.

    Attributes:
        code: its exit code.
        out: what it printed on stdout.
        err: what it printed on stderr.
    """

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line in which a command that failed says why."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err + self.out
        assert "unexpected" not in lines[0], lines[0]
        return lines[0]


@functools.cache
def built_command(app: Typer, build: Callable[[Typer], Any] = typer.main.get_command) -> Any:
    """The commands and options of the command line, built once: in each process of its own it takes 15 ms."""
    return build(app)


def gammapolars(*words: str | Path) -> Outcome:
    """Run a command in this process."""
    out, err = StringIO(), StringIO()
    with (
        patch.object(sys, "argv", ["gammapolars", *map(str, words)]),
        patch.object(typer.main, "get_command", built_command),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as done:
            code = done.code
        else:
            code = 0
    assert code is None or isinstance(code, int)
    return Outcome(code or 0, out.getvalue(), err.getvalue())


def gammapolars_process(*words: str | Path, cwd: Path | None = None) -> Outcome:
    """Run a command in a process of its own, as a shell does."""
    done = subprocess.run(
        [sys.executable, "-m", "gammapolars", *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def files_in(folder: Path) -> list[str]:
    """The names of everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def python(program: str, folder: Path | None = None) -> str:
    """What a program in a process of its own prints: to see which packages it loads.

    Args:
        program: Python that uses this checkout.
        folder: in which it runs; None: the present one.
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
