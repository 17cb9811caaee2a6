"""What killed commands leave goes with the next write, and SIGTERM ends a command as Ctrl-C does."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from gammapolars.io.hidden import hidden_folder
from gammapolars.io.output import write_bytes
from gammapolars.io.output_folder import folder_complete_or_nothing
from gammapolars.io.sort import scratch_beside
from tests.commandline import files_in, gammapolars
from tests.commands.test_faults import one_line, started
from tests.rootfiles import made_hits, write_hits


def write_folder(folder: Path) -> None:
    with folder_complete_or_nothing(folder, overwrite=True) as partial:
        (partial / "page.html").write_text("new")


def sort_to(path: Path) -> None:
    with scratch_beside(path):
        pass


@pytest.mark.parametrize("write", [lambda path: write_bytes(b"new", path, overwrite=True), write_folder, sort_to])
@pytest.mark.parametrize("kind", ["part", "sort", "partial"])
def test_what_nobody_holds_is_removed_and_nothing_else(
    tmp_path: Path, kind: str, write: Callable[[Path], None]
) -> None:
    output, other = tmp_path / "out", tmp_path / "user"
    other.mkdir()
    (other / "data").write_text("precious")
    if write is write_folder:
        output.mkdir()
    abandoned = tmp_path / f".out.0123abcd.{kind}"
    if kind == "part":
        abandoned.write_text("half")
    else:
        abandoned.mkdir()
        (abandoned / "half").write_text("half")
    (tmp_path / ".out.01234567.partial").symlink_to(other)
    (tmp_path / f".other.0123abcd.{kind}").mkdir()
    (tmp_path / f".out.0123.{kind}").mkdir()
    with ExitStack() as process:
        held = hidden_folder(output, "sort", process)
        (held / "data").write_text("in use")

        write(output)

        left = {".out.01234567.partial", f".other.0123abcd.{kind}", f".out.0123.{kind}", held.name, "user", "out"}
        names = {name for name in files_in(tmp_path) if not name.endswith(".lock")}  # where folders have no locks
        assert names - {"out"} == left - {".out.01234567.partial", "out"}
        assert (held / "data").read_text() == "in use"
    assert (other / "data").read_text() == "precious"


def test_a_folder_left_in_the_folder_of_outputs_is_removed(tmp_path: Path) -> None:
    (tmp_path / "out" / ".out.0123abcd.partial").mkdir(parents=True)

    write_folder(tmp_path / "out")

    assert files_in(tmp_path / "out") == ["page.html"]


def wait_for(folder: Path, suffix: str) -> None:
    """Wait until a command has made a hidden file or folder."""
    end = time.monotonic() + 60
    while time.monotonic() < end and not any(path.name.endswith(suffix) for path in folder.iterdir()):
        time.sleep(0.002)


def stop_where_it_holds(process: "subprocess.Popen[str]", folder: Path, suffix: str) -> str:
    """Halt a command that holds a hidden folder: what it has made and not locked yet is anybody's."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        wait_for(folder, suffix)
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        for hidden in (name for name in files_in(folder) if name.endswith(suffix)):
            if is_held(folder / hidden):
                return hidden
        os.kill(process.pid, signal.SIGCONT)
    raise AssertionError(f"no {suffix} was held")


def is_held(folder: Path) -> bool:
    """Whether a process has locked a folder."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


COMMANDS = {".sort": ("convert", "sorted.parquet", "--sort"), ".partial": ("report", "report")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hits(tmp_path_factory.mktemp("run") / "run.root", made_hits(800_000, gap_ps=200_000))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", COMMANDS)
@pytest.mark.usefixtures("undrawn")
def test_the_folders_of_a_killed_command_are_removed_by_the_next(run: Path, tmp_path: Path, suffix: str) -> None:
    command, output, *words = COMMANDS[suffix]
    line: list[str | Path] = [command, run, "-o", tmp_path / output, *words]
    process = started(*line)
    wait_for(tmp_path, suffix)

    os.kill(process.pid, signal.SIGKILL)

    assert process.wait(60) == -signal.SIGKILL
    assert {Path(name).suffix for name in files_in(tmp_path)} >= {suffix}
    assert gammapolars(*line).code == 0
    assert files_in(tmp_path) == [output]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", COMMANDS)
def test_what_a_living_command_uses_is_left_alone(run: Path, tmp_path: Path, suffix: str) -> None:
    command, output, *words = COMMANDS[suffix]
    process = started(command, run, "-o", tmp_path / output, *words)
    held = stop_where_it_holds(process, tmp_path, suffix)

    sort_to(tmp_path / output)

    assert [name for name in files_in(tmp_path) if name.endswith(suffix)] == [held]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    sort_to(tmp_path / output)
    assert files_in(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.0, 0.05])
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, "Error: terminated"), (signal.SIGINT, 130, "Error: interrupted")],
)
@pytest.mark.parametrize("suffix", [*COMMANDS, ".part"])
def test_sigterm_cleans_up_as_an_interrupt_does(
    run: Path, tmp_path: Path, suffix: str, number: int, code: int, said: str, delay_s: float
) -> None:
    command, output, *words = COMMANDS.get(suffix, ("coincidences", "pairs.csv"))
    process = started(command, run, "-o", tmp_path / output, *words)
    wait_for(tmp_path, suffix)
    time.sleep(delay_s)

    process.send_signal(number)

    assert one_line(process) == said
    assert process.returncode == code
    assert files_in(tmp_path) == []
