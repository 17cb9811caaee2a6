"""Command lines as processes of their own, with the code of one checkout."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.outputs.command_line import CommandLine

LIMIT_S = 300.0
"""No command line takes as long, even on a busy machine."""


@dataclass(frozen=True)
class Outcome:
    """What a process left behind.

    Attributes:
        code: its exit code.
        out: what it printed on stdout.
        err: what it printed on stderr.
    """

    code: int
    out: str
    err: str


def run(checkout: Path, words: Sequence[str], cwd: Path) -> Outcome:
    """Run gammapolars as a checkout has it.

    Args:
        checkout: the folder that holds the package.
        words: the arguments.
        cwd: where it runs.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gammapolars", *words],
            env=_environment(checkout),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(-1, "", f"no end within {LIMIT_S:g} s")
    return Outcome(done.returncode, done.stdout, done.stderr)


def _environment(checkout: Path) -> dict[str, str]:
    """The environment of a process: the same for both sides but for the code."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GAMMAPOLARS_")}
    return own | {"PYTHONPATH": str(checkout), "COLUMNS": "100", "TZ": "UTC", "PYTHONUTF8": "1"}


def check_checkout(folder: Path) -> None:
    """Raise unless a folder's own package is what runs with it.

    Raises:
        FileNotFoundError: the folder holds no package.
    """
    if not (folder / "gammapolars" / "__main__.py").is_file():
        raise FileNotFoundError(f"{folder}: holds no folder gammapolars with a __main__.py")


@dataclass(frozen=True)
class Side:
    """One of the two checkouts, and the folder in which its command lines run.

    Attributes:
        checkout: the code.
        folder: holds a folder for each command line.
        inputs: the folder of the inputs.
    """

    checkout: Path
    folder: Path
    inputs: Path

    def run(self, line: CommandLine) -> Outcome:
        """Run a command line in a folder of its own, and keep what it printed beside that."""
        cwd = self.files(line)
        cwd.mkdir(parents=True)
        for name in line.copies:
            source = self.inputs / name
            shutil.copytree(source, cwd / name) if source.is_dir() else shutil.copy2(source, cwd / name)
        outcome = run(self.checkout, line.words, cwd)
        self._keep(line, outcome)
        return Outcome(outcome.code, self.without_paths(outcome.out), self.without_paths(outcome.err))

    def again(self, lines: Collection[CommandLine]) -> "Side":
        """The same in another folder, for lines that ran already; with the files of others that they read."""
        side = replace(self, folder=self.folder.with_name(f"{self.folder.name}-again"))
        for name in {source for line in lines for source in line.sources} - {line.name for line in lines}:
            shutil.copytree(self.folder / name, side.folder / name)
        return side

    def files(self, line: CommandLine) -> Path:
        """The folder with the files that a command line wrote."""
        return self.folder / line.name

    def without_paths(self, text: str) -> str:
        """A text in which this side's folders have names that both sides share."""
        return text.replace(str(self.folder), "<folder>").replace(str(self.checkout), "<checkout>")

    def _keep(self, line: CommandLine, outcome: Outcome) -> None:
        text = f"$ gammapolars {shlex.join(line.words)}\n{outcome.out}{outcome.err}exit code {outcome.code}\n"
        (self.folder / f"{line.name}.log").write_text(text, encoding="utf-8")
