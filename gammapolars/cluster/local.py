"""A cluster of processes on this computer."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from gammapolars.cluster.engine import ALLOWED_FAILURES, DaskEngine
from gammapolars.cluster.packages import check_start, distributed, log_level, quiet
from gammapolars.core.errors import ClusterError, UsageError, first_line
from gammapolars.core.interrupts import is_started_by_python
from gammapolars.core.threads import LIMIT, threads

WATCH_S = 3.0
"""How often it is looked whether workers are missing: one that is replaced is back within two seconds."""

START_S, CLOSE_S = 120, 10
"""How long workers may take to start and to end; two seconds are usual."""

SETTINGS = {
    # A worker is ended at 95 % of its memory. It is not stopped before that, nor are results written to disk: polars
    # gives memory back late, so that a worker that waits for it would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.http.routes": [],
    "distributed.scheduler.http.routes": [],
}


@contextmanager
def local(
    workers: int, *, allowed_failures: int = ALLOWED_FAILURES, hits_per_task: int | None = None
) -> Iterator[DaskEngine]:
    """Start processes on this computer, which share its processors and its memory; they end with the block.

    Connections need a certificate that only these processes have: a scheduler's port runs code for whoever reaches it,
    also for other users of this computer.

    Args:
        workers: how many processes; one job at a time runs in each.
        allowed_failures: how often a job may lose its worker and be tried again.
        hits_per_task: about how many hits a job is to have; None: as suits the workers.

    Raises:
        UsageError: fewer than one worker, a missing package, or workers that would be forked.
        ClusterError: the processes do not start.
    """
    if workers < 1:
        raise UsageError(f"{workers} workers: at least one is needed")
    check_start()
    if is_started_by_python():
        raise UsageError("workers run the script again that starts them: put its body under if __name__ == '__main__':")
    from dask import config

    with ExitStack() as stack:
        stack.enter_context(quiet())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gammapolars-", ignore_cleanup_errors=True))
        further = {"temporary-directory": folder, "distributed.scheduler.allowed-failures": allowed_failures}
        stack.enter_context(config.set(SETTINGS | further))
        stack.enter_context(_same_environment())  # after the end: workers that replace lost ones set them, too
        with _same_environment():
            client = stack.enter_context(_started(workers, folder))
        yield DaskEngine(client, allowed_failures=allowed_failures, own=True, hits_per_task=hits_per_task)


@contextmanager
def _same_environment() -> Iterator[None]:
    """Take back the variables that Dask sets for its workers in this process, too, and leaves there."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _started(workers: int, folder: str) -> Iterator[Any]:
    """A client of a scheduler and processes that are started for it."""
    dask = distributed()
    options = {
        "processes": True,
        "host": "127.0.0.1",
        "dashboard_address": None,
        "scheduler_kwargs": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        "security": dask.Security.temporary(),
        "silence_logs": log_level(),
        "local_directory": folder,
        "memory_limit": dask.system.MEMORY_LIMIT // workers,
        "env": {LIMIT: max(threads() // workers, 1)},
    }
    with ExitStack() as stack:
        loop = stack.enter_context(_loop())
        try:
            with _interrupted_later():
                cluster = dask.LocalCluster(n_workers=workers, threads_per_worker=1, loop=loop, **options)
                stack.callback(_close, cluster)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ClusterError(f"the workers do not start ({first_line(error)})") from None
        client = dask.Client(cluster, set_as_default=False)
        stack.callback(client.close, timeout=2)
        client.wait_for_workers(workers, timeout=START_S)
        stack.enter_context(_kept_up(cluster, workers))
        yield client


@contextmanager
def _kept_up(cluster: Any, workers: int) -> Iterator[None]:
    """Start workers again that are missing for a while: Dask does not always replace one that was killed."""
    ended = threading.Event()

    def watch() -> None:
        missing = 0
        while not ended.wait(WATCH_S):
            missing = missing + 1 if len(cluster.scheduler.workers) < workers else 0
            if missing > 1:
                cluster.scale(workers)
                missing = 0

    watcher = threading.Thread(target=watch, name="workers", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@contextmanager
def _loop() -> Iterator[Any]:
    """The loop of a thread that does not see Ctrl-C, and so of processes that do not, which it starts.

    A terminal sends it to all processes: workers would write tracebacks, in place of being ended by this process.
    """
    from distributed.utils import LoopRunner

    runner = LoopRunner()
    if sys.platform == "win32":
        runner.start()
    else:
        _start_tracker()  # this would let the thread see interrupts again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            runner.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield runner.loop
    finally:
        runner.stop(timeout=5)


def _start_tracker() -> None:
    """Start the process that takes away what Python leaves behind of processes that are killed: without a word."""
    with _same_environment():
        before = os.environ.get("PYTHONWARNINGS")
        silent = "ignore::UserWarning:multiprocessing.resource_tracker"
        os.environ["PYTHONWARNINGS"] = f"{before},{silent}" if before else silent
        resource_tracker.ensure_running()


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Ctrl-C waits for the end of the block, as half-started processes cannot be ended in order; a second one does not.

    In other threads than the main one nothing is interrupted anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def note(number: int, _: object) -> None:
        caught.append(number)
        if len(caught) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
    if caught:
        raise KeyboardInterrupt


def _close(cluster: Any) -> None:
    """End the processes of a cluster, at once where something went wrong: what is at work in them is not wanted."""
    pids = [nanny.pid for nanny in cluster.workers.values() if nanny.pid is not None]
    if sys.exc_info()[0] is not None:
        _kill(pids)
    try:
        cluster.close(timeout=CLOSE_S)
    except TimeoutError:
        _kill(pids)


def _kill(pids: list[int]) -> None:
    if sys.platform == "win32":
        at_once = signal.SIGTERM
    else:
        at_once = signal.SIGKILL
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, at_once)
