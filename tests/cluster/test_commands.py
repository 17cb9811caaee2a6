"""Commands whose work workers share: the same outputs as of one process, whatever becomes of the workers."""

import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.cluster import DaskEngine
from gammapolars.cluster.packages import answers
from gammapolars.io.root.writer import Layout
from tests.commandline import gammapolars
from tests.drawing import THOROUGH
from tests.rootfiles import made_hits, write_hits

pytestmark = pytest.mark.cluster

HITS, HITS_PER_TASK = 200_000, 15_000
SHARED = ("--workers", "2", "--hits-per-task", str(HITS_PER_TASK))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a border every 5,000 hits."""
    return write_hits(tmp_path_factory.mktemp("run") / "run.root", made_hits(HITS), Layout(entries=5000))


def summary_of(*words: str | Path) -> dict[str, Any]:
    """The JSON of a command, without how long it took and who did it."""
    done = gammapolars(*words, "--json", "--overwrite")
    assert done.code == 0, done.err
    summary: dict[str, Any] = json.loads(done.out)
    return {name: value for name, value in summary.items() if name not in ("elapsed_s", "hits_per_s", "outputs")}


@pytest.mark.parametrize(
    ("words", "suffix"),
    [
        (("coincidences", "--random", "auto"), ".parquet"),
        (("matrix", "--axes", "adc:adc"), ".parquet"),
        (("spectrum", "--unit", "adc"), ".parquet"),
        (("rates",), ".csv"),
        (
            ("gate", "--on", "8000", "--width", "600", "--partner", "3000", "--unit", "adc", "--random", "auto"),
            ".parquet",
        ),
    ],
)
def test_workers_give_the_same_as_one_process(
    shared: DaskEngine, run: Path, words: tuple[str, ...], suffix: str, tmp_path: Path
) -> None:
    command, *options = words
    whole, parts = tmp_path / f"whole{suffix}", tmp_path / f"parts{suffix}"

    expected = summary_of(command, run, *options, "-o", whole)
    summary = summary_of(command, run, *options, "-o", parts, *SHARED)

    read = pl.read_csv if suffix == ".csv" else pl.read_parquet
    assert_frame_equal(read(parts), read(whole))
    shown = {name: summary.pop(name) for name in ("tasks", "workers", "retried")}
    assert summary == expected
    assert 8 <= shown["tasks"] <= 20
    assert (shown["workers"], shown["retried"]) == (2, 0)
    assert sorted(tmp_path.iterdir()) == [parts, whole]


def test_a_report_is_the_same(shared: DaskEngine, run: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"

    expected = summary_of("report", run, "-o", whole, "--random", "auto")
    summary = summary_of("report", run, "-o", parts, "--random", "auto", *SHARED)

    assert summary.pop("tasks") > 8
    assert {name: summary[name] for name in expected} == expected
    for table in (path for path in whole.rglob("*.parquet")):
        assert_frame_equal(pl.read_parquet(parts / table.relative_to(whole)), pl.read_parquet(table))
    assert [*whole.rglob("*.parquet")]


def test_pairs_are_the_same_where_workers_are_killed(shared: DaskEngine, run: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts.parquet"
    expected, rows = summary_of("coincidences", run, "-o", whole), pl.read_parquet(whole)
    chance, retried = random.Random(7), 0

    for _ in range(50 if THOROUGH else 6):
        both_are_there(shared)
        pids = list(answers(shared._client, os.getpid).values())
        killer = Thread(target=killed, args=(chance.choice(pids), chance.uniform(0.0, 1.0)))
        killer.start()
        summary = summary_of("coincidences", run, "-o", parts, *SHARED)
        killer.join()

        assert_frame_equal(pl.read_parquet(parts), rows)
        retried += summary.pop("retried")
        assert {name: summary[name] for name in expected} == expected
        assert sorted(tmp_path.iterdir()) == [parts, whole]
    assert retried > 0


def both_are_there(engine: DaskEngine) -> None:
    """Wait until workers that were killed are replaced."""
    end = time.monotonic() + 60
    while engine.workers < 2:
        assert time.monotonic() < end, "a worker was not replaced"
        time.sleep(0.02)


def killed(pid: int, after_s: float) -> None:
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)


def test_a_late_hit_is_the_same_error(shared: DaskEngine, tmp_path: Path) -> None:
    hits = made_hits(HITS)
    late = (
        pl.when(pl.int_range(pl.len()) == 150_000).then(pl.col("timestamp_ps").first() + 10).otherwise("timestamp_ps")
    )
    run = write_hits(tmp_path / "late.root", hits.with_columns(late), Layout(entries=5000))
    output = tmp_path / "pairs.parquet"

    errors = [gammapolars("coincidences", run, "-o", output, *words).error for words in ((), SHARED)]

    assert errors[0] == errors[1]
    assert sorted(tmp_path.iterdir()) == [run]


def test_a_command_that_was_killed_goes_on(shared: DaskEngine, run: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts"
    expected, stop = summary_of("coincidences", run, "-o", whole), threading.Event()

    def broken_off() -> None:
        while len(list(tmp_path.glob(".parts.*/result-*.pickle"))) < 3 and not stop.is_set():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    breaker = Thread(target=broken_off)
    breaker.start()
    outcome = gammapolars("coincidences", run, "-o", parts, *SHARED, "--resume")
    stop.set()
    breaker.join()
    assert outcome.code != 0
    assert not parts.exists()

    summary = summary_of("coincidences", run, "-o", parts, *SHARED, "--resume")

    assert summary["resumed"] >= 3
    assert {name: summary[name] for name in expected} == expected
    assert_frame_equal(gp.scan_pairs(parts).collect(), gp.scan_pairs(whole).collect())
    assert sorted(tmp_path.iterdir()) == [parts, whole]
