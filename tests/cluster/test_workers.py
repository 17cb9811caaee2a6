"""Jobs on the workers of a cluster: each has one result, whatever becomes of the workers."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from gammapolars.cluster import DaskEngine, folder
from gammapolars.core.errors import ClusterError, InputError, OutputError
from gammapolars.core.threads import threads
from tests.cluster.jobs import Counted, Deadly, Late, Unexpected, Unreachable, Wrong

pytestmark = pytest.mark.cluster


def all_of(engine: DaskEngine, jobs: list[Any]) -> dict[int, Any]:
    """The results by number; a number that comes twice is an error."""
    results = list(engine.results(jobs))
    assert len(dict(results)) == len(results)
    return dict(results)


def test_each_job_has_its_result_and_a_share_of_the_threads(engine: DaskEngine, tmp_path: Path) -> None:
    retried = engine.retried
    jobs = [Counted(tmp_path, number) for number in range(9)]

    results = all_of(engine, jobs)

    assert {number: result[0] for number, result in results.items()} == {number: number for number in range(9)}
    assert engine.workers == 2
    assert os.getpid() not in {pid for _, pid, _ in results.values()}
    assert {of_polars for *_, of_polars in results.values()} == {max(threads() // 2, 1)}
    assert engine.retried == retried
    assert len(list(tmp_path.iterdir())) == 9


def test_no_jobs_have_no_results(engine: DaskEngine) -> None:
    assert list(engine.results([])) == []


def test_a_job_is_done_again_where_its_worker_is_killed(engine: DaskEngine, tmp_path: Path) -> None:
    late = Late(tmp_path, 3)
    retried = engine.retried

    def kill() -> None:
        while not (started := late.starts()) or not (pid := started[0].read_text(encoding="utf-8")):
            time.sleep(0.01)
        os.kill(int(pid), signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    results = all_of(engine, [*(Counted(tmp_path, number) for number in range(3)), late, Counted(tmp_path, 4)])
    killer.join()

    assert {number: result[0] for number, result in results.items()} == {number: number for number in range(5)}
    assert len(late.starts()) == 2
    starts = len(list(tmp_path.iterdir()))  # a result may be lost with the worker on its way
    assert engine.retried - retried == starts - 5 >= 1


def test_a_job_that_always_ends_its_worker_is_named(engine: DaskEngine, tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as error:
        all_of(engine, [Counted(tmp_path, 0), Deadly(tmp_path, 1), *(Counted(tmp_path, one) for one in range(2, 6))])

    assert str(error.value) == "run.root, job 1: ended its worker 2 times: is there memory for it?"
    assert len(Deadly(tmp_path, 1).starts()) == 2
    assert all_of(engine, [Counted(tmp_path, 7)])[0][0] == 7  # and the cluster goes on


def test_the_first_error_in_order_is_raised_and_nothing_tried_again(engine: DaskEngine, tmp_path: Path) -> None:
    retried = engine.retried

    with pytest.raises(InputError, match=r"^file 0 is damaged$"):
        all_of(engine, [Wrong(tmp_path, 0), Wrong(tmp_path, 1), *(Counted(tmp_path, one) for one in range(2, 20))])

    assert len(Wrong(tmp_path, 0).starts()) == len(Wrong(tmp_path, 1).starts()) == 1
    assert len(list(tmp_path.iterdir())) < 20
    assert engine.retried == retried


def test_a_server_that_does_not_answer_is_asked_again(engine: DaskEngine, tmp_path: Path) -> None:
    retried = engine.retried

    assert all_of(engine, [Unreachable(tmp_path, 5)])[0][0] == 5
    assert engine.retried - retried == 2


def test_an_unexpected_error_names_the_job_and_the_worker(engine: DaskEngine, tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as error:
        all_of(engine, [Unexpected(tmp_path, 0)])

    start = "run.root, job 0: unexpected ZeroDivisionError: division by zero on worker tls://127.0.0.1:"
    assert str(error.value).startswith(start)


def test_results_that_nobody_takes_are_given_up(engine: DaskEngine, tmp_path: Path) -> None:
    results = engine.results([Counted(tmp_path, number) for number in range(100)])
    next(results)
    del results

    assert all_of(engine, [Counted(tmp_path, 200)])[0][0] == 200
    assert len(list(tmp_path.iterdir())) < 100


def test_a_folder_is_shared(engine: DaskEngine, tmp_path: Path) -> None:
    engine.check_folder(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_shared_is_refused(
    engine: DaskEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(mark: str, patience_s: float) -> str:
        return "no-such-file"

    async def blind(mark: str, patience_s: float) -> str:
        return await folder.answer("/nowhere", patience_s)

    monkeypatch.setattr(folder, "PATIENCE_S", 0.2)
    for answer, what in ((elsewhere, "writes to another folder"), (blind, "cannot use the folder")):
        with monkeypatch.context() as patch:
            patch.setattr(folder, "answer", answer)
            with pytest.raises(OutputError, match=f"^worker tls://.* {what} {tmp_path}"):
                engine.check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_workers_that_are_killed_while_they_start_come_back(engine: DaskEngine) -> None:
    """Dask gives up a process that ends before it has started; it is started again all the same."""
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
        time.sleep(0.25)

    end = time.monotonic() + 60
    while engine.workers < 2:
        assert time.monotonic() < end, "a worker was not replaced"
        time.sleep(0.1)
