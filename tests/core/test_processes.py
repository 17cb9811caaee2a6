"""Processes and threads that polars cannot live with."""

import os
import subprocess
import sys
from pathlib import Path

FORK = """
import os, sys
import polars as pl
import gammapolars as gp
from gammapolars.core.errors import UsageError
path = sys.argv[1]
print(gp.scan(path).collect().height, flush=True)
child = os.fork()
if not child:
    try:
        gp.scan(path)
    except UsageError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(gp.scan(path).collect().height)
"""


def run(program: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forked_process_is_told_what_to_do_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "hits.csv"
    path.write_text("BOARD;CHANNEL;TIMETAG;ENERGY;FLAGS\n0;0;1000;5;0x0\n0;1;2000;6;0x0\n")
    first, child, last = run(FORK, str(path)).splitlines()
    assert (first, last) == ("2", "2")
    assert "get_context('spawn')" in child


def test_no_threads_at_all_means_as_many_as_there_are_processors() -> None:
    program = "import gammapolars as gp, polars as pl; print(pl.LazyFrame({'a': [1, 2]}).sum().collect().item())"
    assert run(program, POLARS_MAX_THREADS="0") == "3\n"
