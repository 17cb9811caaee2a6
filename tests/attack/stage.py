"""The stage of an attack: a folder of inputs, the commands that are run in it, and what has to hold of each."""

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest.mock import patch

from tests.commandline import REPOSITORY, Outcome, gammapolars
from tests.commands.test_json_forms import write_inputs
from tests.fuzz.outcomes import Wrong

HITS = 3000
"""The run of the stage has so many: each command takes some tenths of a second."""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What would change a terminal, or the order of its characters."""

HIDDEN = re.compile(r"\.(part|partial|sort)$")

LONG_AGO = 10**9

PROCESS_S = 60.0
"""How long a process of its own may take."""


@dataclass
class Stage:
    """Where a case takes place.

    Attributes:
        folder: of all inputs; commands are run in it.
        rng: decides what is drawn.
        commands: those that were run.
    """

    folder: Path
    rng: random.Random
    commands: list[str] = field(default_factory=list)

    def run(self, *words: str | Path, codes: Iterable[int] = (0, 1, 2)) -> Outcome:
        """Run a command in this process, and judge how it ended."""
        self.commands.append(" ".join(map(repr, map(str, words))))
        # Figures are drawn in processes of their own.
        with chdir(self.folder), patch("gammapolars.report.drawing.png", lambda plot, **_: b"\x89PNG"):
            outcome = gammapolars(*words)
        judge(outcome, codes)
        return outcome

    def process(
        self,
        *words: str | Path,
        codes: Iterable[int] = (0, 1, 2),
        limits: str = "",
        redirect: str = "",
        environment: Mapping[str, str] = {},
        meanwhile: Callable[["subprocess.Popen[bytes]"], None] | None = None,
    ) -> "Ended":
        """Run a command in a process of its own, and judge how it ended.

        Args:
            words: of the command.
            codes: with which it may end.
            limits: words of the shell before it, such as `ulimit -n 256;`.
            redirect: words of the shell behind it, such as `>&-`.
            environment: further variables.
            meanwhile: what happens to the process.

        Raises:
            Wrong: it did not end, or in a way that none should.
        """
        self.commands.append(f"{limits} {' '.join(map(repr, map(str, words)))} {redirect}")
        line = f'{limits} exec "$0" -m gammapolars "$@" {redirect}'
        began = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                ["sh", "-c", line, sys.executable, *map(str, words)],
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            if meanwhile:
                meanwhile(process)
            peak = self._wait(process, began)
            for file in (out, err):
                file.seek(0)
            printed = [file.read().decode(errors="replace") for file in (out, err)]
        ended = Ended(process.returncode, printed[0], printed[1], peak, time.monotonic() - began)
        judge(ended, codes)
        return ended

    def _wait(self, process: "subprocess.Popen[bytes]", began: float) -> int:
        """Wait for the end; the most memory that the process had, in bytes."""
        while process.returncode is None:  # a signal that was sent to it may have found it ended
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return used.ru_maxrss * 1024
            if time.monotonic() > began + PROCESS_S:
                process.kill()
                process.wait()
                raise Wrong(f"no end within {PROCESS_S:g} s")
            time.sleep(0.005)
        return 0

    def contents(self, *but: str) -> dict[str, str]:
        """What lies in the folder, by its hash; of links, where they lead."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if name in but or any(name.startswith(f"{one}/") for one in but):
                continue
            if path.is_symlink():
                found[name] = str(path.readlink())
            elif path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            elif path.is_dir():
                found[name] = "folder"
        return found

    def unchanged(self, before: Mapping[str, str], *outputs: str) -> None:
        """Check that what was there is there, and nothing else but outputs.

        Raises:
            Wrong: it is not.
        """
        after = self.contents(*outputs)
        kept = {name: value for name, value in before.items() if name in after or name not in outputs}
        if lost := sorted(name for name, value in kept.items() if after.get(name) != value):
            raise Wrong(f"changed or lost: {lost[:5]}")
        if left := sorted(name for name in after if name not in before):
            raise Wrong(f"left behind: {left[:5]}")

    def nothing_hidden(self) -> None:
        """Check that nothing half done is left."""
        if left := [path.name for path in self.folder.rglob(".*") if HIDDEN.search(path.name)]:
            raise Wrong(f"left behind: {left[:5]}")


@dataclass(frozen=True)
class Ended(Outcome):
    """How a process of its own ended.

    Attributes:
        peak: the most memory that it had (bytes).
        seconds: how long it took.
    """

    peak: int
    seconds: float


def judge(outcome: Outcome, codes: Iterable[int] = (0, 1, 2)) -> None:
    """Check what has to hold of every command.

    Raises:
        Wrong: a traceback, something unexpected, another exit code, more or less than one error, or what no terminal
            should get.
    """
    said = outcome.err[-600:]
    # Where a signal comes before anything of ours is imported, Python itself answers.
    if "Traceback" in outcome.err + outcome.out and "gammapolars" in outcome.err + outcome.out:
        raise Wrong(f"a traceback: {said!r}")
    if outcome.code not in codes:
        raise Wrong(f"exit code {outcome.code}: {said!r}")
    if control := CONTROL.search(outcome.out + outcome.err):
        place = (outcome.out + outcome.err).index(control[0])
        raise Wrong(f"prints {control[0]!r}: {(outcome.out + outcome.err)[max(place - 60, 0) : place + 60]!r}")
    errors = [line for line in outcome.err.splitlines() if line.startswith("Error: ")]
    if any("unexpected" in line for line in errors):
        raise Wrong(f"unexpected: {said!r}")
    if outcome.code == 0 and errors:
        raise Wrong(f"an error, and exit code 0: {said!r}")
    if outcome.code == 1 and outcome.err and len(errors) != 1:
        raise Wrong(f"not one error: {said!r}")
    if outcome.code == 2 and outcome.err and len(errors) != 1 and "Usage:" not in outcome.err:
        raise Wrong(f"neither an error nor how it is used: {said!r}")


def refused(outcome: Outcome, *parts: str) -> None:
    """Check that a command failed, and that what it says has some parts.

    Raises:
        Wrong: it did not, or says something else.
    """
    if outcome.code == 0:
        raise Wrong(f"exit code 0: {outcome.out[-300:]!r}")
    if missing := [part for part in parts if part not in outcome.err]:
        raise Wrong(f"says nothing of {missing}: {outcome.err[-300:]!r}")


def succeeded(outcome: Outcome) -> None:
    """Check that a command did what it was asked.

    Raises:
        Wrong: it failed.
    """
    if outcome.code:
        raise Wrong(f"refused: {outcome.err[-400:]!r}")


@cache
def _inputs() -> Path:
    """All inputs, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="attack-inputs-"))
    write_inputs(folder, most=HITS)
    for path in folder.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


def set_up(folder: Path, rng: random.Random) -> Stage:
    """A stage with all inputs of the commands that `tests/commands/test_json_forms.py` calls."""
    for path in _inputs().iterdir():
        shutil.copy2(path, folder / path.name)
    return Stage(folder, rng)


def remove_inputs() -> None:
    """Remove what was made once a process."""
    if _inputs.cache_info().currsize:
        shutil.rmtree(_inputs(), ignore_errors=True)
        _inputs.cache_clear()
