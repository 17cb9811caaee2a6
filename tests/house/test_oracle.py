"""What commands write of hostile runs beside plain loops, a few runs each; and that what is wrong is noticed."""

import random
import sys
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from tests.drawing import daily, repetitions
from tests.fuzz import runner
from tests.oracle import trial
from tests.oracle.recordings import OF_COMPASS, TABLES, drawn
from tests.oracle.worker import LIMIT_S, run_case

NAME = "oracle"

WORKER = (sys.executable, "-m", "tests.oracle.worker")

CASES = 5
"""Every day; the slow test goes on where these end, and `python -m tests.oracle` runs 2,000."""


@pytest.mark.parametrize("number", daily(2, range(1, 1 + CASES)))
def test_commands_write_what_plain_loops_find(number: int) -> None:
    assert "failure" not in (answer := run_case(NAME, 1, number)), answer


@pytest.mark.slow
def test_more_runs_come_out_right_too() -> None:
    found = runner.run(
        NAME, range(1 + CASES, 1 + CASES + repetitions(200)), seed=1, workers=1, limit_s=LIMIT_S, command=WORKER
    )

    assert found.failures == {}


# The oracle itself: a check that cannot fail is none.


@pytest.mark.parametrize(
    "change",
    [
        pl.DataFrame.clear,
        lambda table: table[1:],
        lambda table: pl.concat([table, table[:1]]),
        lambda table: table.with_columns(pl.col(pl.Int64, pl.Float64) + 1),
    ],
    ids=["nothing", "a row less", "a row twice", "other values"],
)
def test_a_wrong_answer_is_noticed(change: object) -> None:
    read = trial.read

    def read_wrongly(path: Path) -> pl.DataFrame:
        table = read(path)
        return change(table) if table.height else table  # type: ignore[operator]

    with patch.object(trial, "read", read_wrongly):
        assert "hits: " in run_case(NAME, 1, 1)["failure"]


def test_a_refusal_that_nobody_expects_is_noticed() -> None:
    with patch("gammapolars.commands.convert.run.check_writable", side_effect=ValueError("no")):
        assert "exit code 1" in run_case(NAME, 1, 1)["failure"]


def test_a_recording_is_always_the_same_and_all_kinds_are_drawn() -> None:
    kinds: Counter[object] = Counter()
    for number in range(300):
        one, other = (drawn(random.Random(number)) for _ in range(2))
        assert one == other
        kinds.update({one.suffix, one.layout, one.clockwork, f"{min(len(one.files), 3)} files"})
        hits = one.recorded
        kinds.update({f"{min(len(hits), 2)} hits", "runs" if one.has_runs else "one run"})
        times = [(hit["run"], hit["timestamp_ps"]) for hit in hits]
        kinds["ties"] += len(set(times)) < len(times)
        kinds["disorder"] += any(
            [hit["timestamp_ps"] for hit in file.hits] != sorted(hit["timestamp_ps"] for hit in file.hits)
            for file in one.files
            if one.layout != "column"
        )
        kinds["at the end"] += any(abs(time) > 2**60 for _, time in times)
        kinds["late"] += any(detector.time_offset_ps for detector in one.detectors.values())

    wanted = {*TABLES, *OF_COMPASS, "files", "apart", "folders", "column", "dense", "usual", "holes", "ends", "ticks"}
    wanted |= {"1 files", "2 files", "3 files", "0 hits", "1 hits", "2 hits", "runs", "one run"}
    assert all(kinds[kind] > 5 for kind in {*wanted, "ties", "disorder", "at the end", "late"}), kinds
