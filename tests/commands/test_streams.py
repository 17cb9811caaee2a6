"""The command line's standard streams: narrow, closed, full, and Ctrl-C before anything is begun."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.drawing import daily

HITS = pl.DataFrame(
    {"board": [0, 0], "channel": [0, 1], "timestamp_ps": [0, 10], "adc": [5, 6], "flags": [0, 0]},
    {"board": pl.UInt16, "channel": pl.UInt16, "timestamp_ps": pl.Int64, "adc": pl.UInt16, "flags": pl.UInt32},
)
TOML = '[[detector]]\nname = "Ä-γ日"\nboard = 0\nchannel = 0\nenergy = [0, 1]\n'


def shell(command: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """A shell's command in which GP stands for the program."""
    return subprocess.run(
        ["sh", "-c", command.replace("GP", f"{sys.executable} -m gammapolars")],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    HITS.write_parquet(tmp_path / "hits.parquet")
    (tmp_path / "detectors.toml").write_text(TOML, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("encoding", daily(1, ["cp1252", "ascii", "latin-1"]))
def test_a_narrow_stdout_is_no_error(folder: Path, encoding: str) -> None:
    command = "GP coincidences hits.parquet --detectors detectors.toml -o pairs.parquet"
    done = shell(command, folder, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"1 pair within" in done.stdout
    assert rb"\u65e5" in done.stdout


@pytest.mark.slow
def test_json_on_a_narrow_stdout_is_json(folder: Path) -> None:
    command = "GP coincidences hits.parquet --detectors detectors.toml -o pairs.parquet --json"
    done = shell(command, folder, PYTHONIOENCODING="ascii")
    (row,) = json.loads(done.stdout)["pairs_by_detectors"]
    assert row["name_a"] == "Ä-γ日"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("GP info hits.parquet >&-", 0, b""),
        ("GP convert hits.parquet -o out.parquet 2>&- >&- <&-", 0, b""),
        ("GP info missing.parquet 2>&-", 1, b""),
        ("GP info missing.parquet 2>/dev/full", 1, b""),
        ("GP info hits.parquet >/dev/full", 1, b"No space left"),
        ("GP info --help >/dev/full", 1, b"No space left"),
        ("GP info --nothing 2>/dev/full", 2, b""),
    ],
)
def test_streams_that_take_nothing(folder: Path, command: str, code: int, says: bytes) -> None:
    done = shell(command, folder)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count(b"\n") == bool(says)
    if "out.parquet" in command:
        assert pl.read_parquet(folder / "out.parquet").height == 2


@pytest.mark.parametrize(
    ("number", "code", "said"), [("SIGINT", 130, b"Error: interrupted\n"), ("SIGTERM", 143, b"Error: terminated\n")]
)
@pytest.mark.parametrize("module", ["gammapolars.commands.process", "gammapolars.commands.info.parse"])
def test_a_signal_while_modules_are_imported_is_one_line(module: str, number: str, code: int, said: bytes) -> None:
    program = (
        "import os, signal, sys, time\n"
        "import gammapolars.commands as commands\n"
        "module, number, sys.argv[1:] = *sys.argv[1:], ['info', '--help']\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == module:\n"
        "            os.kill(os.getpid(), getattr(signal, number))\n"
        "            time.sleep(2)  # until the signal has been passed on\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "commands.run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, module, number], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v limits address space on Linux alone")
def test_too_little_memory_to_begin_is_one_line(folder: Path) -> None:
    done = shell("ulimit -v 500000; GP info hits.parquet", folder)
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: this process may use 488 MB of memory")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_a_loop_of_links_is_no_place_for_an_output(folder: Path) -> None:
    (folder / "loop.parquet").symlink_to(folder / "loop.parquet")
    done = shell("GP convert hits.parquet -o loop.parquet --overwrite", folder)
    assert done.returncode in (0, 1)
    assert b"unexpected" not in done.stderr
    assert (folder / "hits.parquet").is_file()
