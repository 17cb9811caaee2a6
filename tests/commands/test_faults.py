"""What can go wrong around a command while it writes: killed, interrupted, a full disk, a folder that is gone."""

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from plotnine import ggplot

import gammapolars as gp
from gammapolars.commands.detectors_file import save_detectors
from gammapolars.commands.figure_files import save_figure
from gammapolars.core.errors import OutputError
from gammapolars.detectors import Detector, Detectors
from gammapolars.io.output import complete_or_nothing
from tests.commandline import REPOSITORY, files_in, gammapolars
from tests.drawing import repetitions
from tests.io.test_save import files_limited_to
from tests.rootfiles import made_hits, write_hits

SUFFIXES = [".parquet", ".arrow", ".csv", ".root"]
WRITERS = [".parquet", *(pytest.param(suffix, marks=pytest.mark.slow) for suffix in SUFFIXES[1:])]
"""What befalls the process befalls all of them alike."""

KINDS = [".parquet", pytest.param(".arrow", marks=pytest.mark.slow), ".csv", ".root"]
"""Polars writes .arrow as it writes .parquet."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose pairs take a while to write."""
    return write_hits(tmp_path_factory.mktemp("run") / "run.root", made_hits(600_000, gap_ps=200_000))


@pytest.fixture(scope="module")
def pairs_of_run(run: Path) -> int:
    """How many pairs there are in it."""
    return int(gp.pairs(gp.scan(run)).select(pl.len()).collect().item())


def started(*words: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gammapolars", *map(str, words)],
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )


def hidden_in(folder: Path) -> list[Path]:
    """What is being written, or was left unfinished, in a folder."""
    return [path for path in folder.iterdir() if path.name.endswith(".part")]


def wait_for_output(folder: Path, process: subprocess.Popen[str], *, size: int = 0) -> None:
    """Wait until a command has begun to write."""
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if any(path.stat().st_size >= size for path in hidden_in(folder) if path.exists()):
            return
        time.sleep(0.001)


def one_line(process: subprocess.Popen[str]) -> str:
    """The one line in which a command says why it failed."""
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    (line,) = said.splitlines()
    return line


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_killed_command_leaves_nothing_under_the_final_name(
    run: Path, pairs_of_run: int, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"pairs{suffix}"
    words = ("coincidences", run, "-o", output)
    process = started(*words)
    wait_for_output(tmp_path, process)

    process.kill()

    assert process.wait(60) == -signal.SIGKILL
    assert len(files_in(tmp_path)) == 1
    assert files_in(tmp_path)[0].startswith(f".{output.name}.")
    assert gammapolars(*words).code == 0
    assert files_in(tmp_path) == [output.name]
    assert gp.scan_pairs(output).select(pl.len()).collect().item() == pairs_of_run


@pytest.mark.slow
def test_killed_at_random_times_there_is_all_or_nothing(run: Path, tmp_path: Path) -> None:
    expected = gp.pairs(gp.scan(run)).collect()
    chance = random.Random(1)
    outcomes = set()
    for number in range(repetitions(40)):
        output = tmp_path / f"pairs{number}{SUFFIXES[number % 4]}"
        process = started("coincidences", run, "-o", output)
        wait_for_output(tmp_path, process)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.wait(60)
        if output.exists():
            assert gp.scan_pairs(output).select(expected.columns).collect().equals(expected)
        outcomes.add(output.exists())
        for left in hidden_in(tmp_path):
            left.unlink()
    assert False in outcomes


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_interrupted_command_cleans_up(run: Path, tmp_path: Path, suffix: str) -> None:
    process = started("coincidences", run, "-o", tmp_path / f"pairs{suffix}")
    wait_for_output(tmp_path, process)

    process.send_signal(signal.SIGINT)

    assert one_line(process) == "Error: interrupted"
    assert process.returncode == 130
    assert files_in(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_disk_that_becomes_full(run: Path, small_disk: Path, suffix: str) -> None:
    (small_disk / "precious").write_text("data")
    output = small_disk / f"pairs{suffix}"

    outcome = gammapolars("coincidences", run, "-o", output)

    assert outcome.code == 1
    assert outcome.error.startswith(f"Error: {output}: cannot be written: No space left on device")
    assert files_in(small_disk) == ["precious"]


def test_small_outputs_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gammapolars.figures.image", lambda *_: bytes(300_000))
    many = Detectors(tuple(Detector(0, channel, f"detector {channel}") for channel in range(5000)))
    cannot = r": cannot be written: File too large"

    with files_limited_to(100_000):
        with pytest.raises(OutputError, match=r"/figure\.png" + cannot):
            save_figure(ggplot(), tmp_path / "figure.png", overwrite=False)
        with pytest.raises(OutputError, match=r"/detectors\.toml" + cannot):
            save_detectors(many, tmp_path / "detectors.toml", overwrite=False)

    assert files_in(tmp_path) == []


def test_a_disk_that_is_full_before_anything_is_read(small_disk: Path, tmp_path: Path) -> None:
    short = write_hits(tmp_path / "short.root", made_hits(100_000, gap_ps=200_000))
    (small_disk / "rest").write_bytes(bytes(200_000))

    outcome = gammapolars("report", short, "-o", small_disk / "report")

    assert outcome.code == 1
    assert "No space left on device" in outcome.error
    assert files_in(small_disk) == ["rest"]


def test_a_file_system_that_cannot_be_written_to(run: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    outcome = gammapolars("coincidences", run, "-o", small_disk / "pairs.parquet")

    assert outcome.code == 1
    assert outcome.error == f"Error: {small_disk}/pairs.parquet: cannot be written: Read-only file system"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_folder_that_vanishes(run: Path, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    process = started("coincidences", run, "-o", folder / f"pairs{suffix}")
    wait_for_output(folder, process)

    shutil.rmtree(folder)

    line = one_line(process)
    assert process.returncode == 1
    assert line.startswith(f"Error: {folder}/pairs{suffix}: ")
    assert "cannot be written" in line or "there is no folder" in line
    assert not folder.exists()


@pytest.mark.slow
def test_of_two_commands_that_write_the_same_output_one_wins(run: Path, pairs_of_run: int, tmp_path: Path) -> None:
    output = tmp_path / "pairs.parquet"
    processes = [started("coincidences", run, "-o", output) for _ in range(2)]

    said = [process.communicate(timeout=60)[1] for process in processes]

    codes = [process.returncode for process in processes]
    assert sorted(codes) == [0, 1], said
    reason = said[codes.index(1)]
    assert "was written by another process in the meantime" in reason or "already exists" in reason
    assert files_in(tmp_path) == [output.name]
    assert gp.scan_pairs(output).select(pl.len()).collect().item() == pairs_of_run


# What killed processes leave


def test_what_others_are_writing_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    with complete_or_nothing(path, overwrite=True) as first:
        first.write_text("first")
        with complete_or_nothing(path) as second:
            second.write_text("second")
            assert set(files_in(tmp_path)) == {first.name, second.name}
        assert path.read_text() == "second"

    assert path.read_text() == "first"
    assert files_in(tmp_path) == ["out.csv"]


def test_only_abandoned_files_of_the_same_output_are_removed(tmp_path: Path) -> None:
    names = [
        ".out.csv.0123abcd.part",
        ".out.csv.0123abcd.part.bak",
        ".other.csv.0123abcd.part",
        "out.csv.0123abcd.part",
    ]
    for name in names:
        (tmp_path / name).touch()

    with complete_or_nothing(tmp_path / "out.csv") as hidden:
        hidden.write_text("done")

    assert files_in(tmp_path) == sorted([*names[1:], "out.csv"])


def test_many_writers_at_once_never_lose_their_files(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                with complete_or_nothing(tmp_path / "out.csv", overwrite=True) as hidden:
                    hidden.write_text(str(number))
                    time.sleep(0.0005)
                    assert hidden.read_text() == str(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not failures
    assert files_in(tmp_path) == ["out.csv"]


def test_an_interrupt_where_nothing_can_be_raised_comes_again() -> None:
    """In a callback of the garbage collector Python would print it and go on."""
    program = (
        "import gammapolars.commands.process as cli, sys, time, weakref\n"
        "class Thing: pass\n"
        "def interrupted(_): raise KeyboardInterrupt\n"
        "def command(**_):\n"
        "    thing = Thing()\n"
        "    callback = weakref.ref(thing, interrupted)\n"
        "    del thing\n"
        "    time.sleep(20)\n"
        "cli.app = command\n"
        "cli.run()\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (130, "Error: interrupted\n")
