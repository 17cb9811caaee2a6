"""Work that was broken off goes on where it was: the same pairs, and no task twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.analysis.accumulators import HitTally, PairTally
from gammapolars.analysis.engine import InProcess, Job
from gammapolars.analysis.pair_output import save_pairs
from gammapolars.analysis.passes import PairPass, summarise
from gammapolars.analysis.recording import Recording
from gammapolars.coincidences import PairRule
from gammapolars.core.system import IS_WINDOWS
from gammapolars.detectors import Detectors
from gammapolars.io import open_runs
from gammapolars.io.root.writer import Layout
from tests.commandline import REPOSITORY, files_in
from tests.rootfiles import made_hits, write_hits

TASKS = 4
"""Of the run."""


class Breaking(InProcess):
    """Jobs in this process, of which only a few are done.

    Args:
        most: after this many, the process is interrupted, or killed.
        kill: whether it is killed.
    """

    def __init__(self, most: int, *, kill: bool = False) -> None:
        super().__init__(2, hits_per_task=2000)
        self.most, self.kill, self.done = most, kill, 0

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        for each in super().results(jobs):
            if self.done == self.most:
                if self.kill:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise KeyboardInterrupt
            self.done += 1
            yield each


def saved(run: Path, output: Path, engine: InProcess | None, *, resume: bool, window: str = "1us") -> dict[str, Any]:
    """Save the pairs of a run; the summary."""
    hits, rule = HitTally(), PairRule(window)
    pairs = PairTally(rule.window)
    recording = Recording(open_runs(run), Detectors(), many_pairs=True, engine=engine)
    reading = PairPass(recording, rule, [hits, pairs])
    save_pairs(reading, output, metadata=dict, overwrite=True, resume=resume)
    return summarise(reading, hits, pairs).to_json()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = Layout(entries=1000)
    return write_hits(tmp_path_factory.mktemp("run") / "run.root", made_hits(8_000, gap_ps=200_000), layout)


def left_after(run: Path, output: Path, most: int, **how: Any) -> int:
    """Break off after some tasks, and go on; how many were done then."""
    with pytest.raises(KeyboardInterrupt):
        saved(run, output, Breaking(most), resume=True)
    rest = Breaking(10**6)
    saved(run, output, rest, **{"resume": True, **how})
    return rest.done


@pytest.mark.parametrize("name", ["pairs", pytest.param("pairs.parquet", marks=pytest.mark.slow)])
def test_only_tasks_that_were_not_done_are_done(run: Path, tmp_path: Path, name: str) -> None:
    expected = saved(run, tmp_path / "expected.parquet", None, resume=False)
    engine = Breaking(10**6)
    assert saved(run, tmp_path / name, engine, resume=False) == expected
    assert engine.done == TASKS
    before = gp.scan_pairs(tmp_path / "expected.parquet").collect()

    assert left_after(run, tmp_path / name, 2) == TASKS - 3  # the third was done when it was interrupted

    assert_frame_equal(gp.scan_pairs(tmp_path / name).collect(), before)
    assert files_in(tmp_path) == sorted(["expected.parquet", name])
    with pytest.raises(KeyboardInterrupt):
        saved(run, tmp_path / name, Breaking(1), resume=True)
    assert saved(run, tmp_path / name, Breaking(10**6), resume=True) == expected


def test_other_work_is_done_anew(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run.root"
    copy.write_bytes(run.read_bytes())

    assert left_after(copy, tmp_path / "pairs", 2, window="500ns") == TASKS
    assert left_after(copy, tmp_path / "pairs", 2, resume=False) == TASKS
    with pytest.raises(KeyboardInterrupt):
        saved(copy, tmp_path / "pairs", Breaking(2), resume=True)
    os.utime(copy, (1, 1))
    rest = Breaking(10**6)
    saved(copy, tmp_path / "pairs", rest, resume=True)
    assert rest.done == TASKS


@pytest.mark.skipif(IS_WINDOWS, reason="Windows has other permissions")
def test_nothing_is_taken_from_a_folder_that_others_may_write_to(run: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        saved(run, tmp_path / "pairs", Breaking(2), resume=True)
    (folder,) = tmp_path.glob(".pairs.*.partial")
    folder.chmod(0o777)
    rest = Breaking(10**6)

    saved(run, tmp_path / "pairs", rest, resume=True)

    assert rest.done == TASKS
    assert files_in(tmp_path) == ["pairs"]


@pytest.mark.slow
def test_a_process_that_was_killed_is_gone_on_with_by_another_one(run: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.analysis.test_resumable import Breaking, saved; "
        "saved(Path(sys.argv[1]), Path(sys.argv[2]), Breaking(2, kill=True), resume=False)"
    )
    output = tmp_path / "pairs"
    done = subprocess.run(
        [sys.executable, "-c", program, str(run), str(output)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    rest = Breaking(10**6)

    saved(run, output, rest, resume=True)

    assert rest.done == TASKS - 3
    saved(run, tmp_path / "expected.parquet", None, resume=False)
    assert_frame_equal(gp.scan_pairs(output).collect(), gp.scan_pairs(tmp_path / "expected.parquet").collect())
    assert files_in(tmp_path) == ["expected.parquet", "pairs"]
