"""Clusters that are started or connected to: what is missing is said in one line, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gammapolars.cluster import connect, connected, engine_of, local
from gammapolars.core.errors import ClusterError, InputError, UsageError
from gammapolars.io.root.writer import Layout
from tests.cluster.jobs import Counted
from tests.commandline import REPOSITORY
from tests.rootfiles import made_hits, write_hits

pytestmark = pytest.mark.cluster


@contextmanager
def scheduler(workers: int = 0, security: Any = None) -> Iterator[Any]:
    """A scheduler of Dask alone, and workers that are threads of this process."""
    import distributed

    with distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        protocol="tls://" if security else "tcp://",
        security=security,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        yield cluster


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    for start in (local(2), connected("tcp://127.0.0.1:1")):
        with pytest.raises(UsageError, match=r"pip install 'gammapolars\[cluster\]'$"), start:
            pass


def test_workers_are_not_forked() -> None:
    import distributed  # noqa: F401  # with its part of the configuration
    from dask import config

    with (
        config.set({"distributed.worker.multiprocessing-method": "fork"}),
        pytest.raises(UsageError, match=r"^Dask would fork its workers"),
        local(2),
    ):
        pass


def test_at_least_one_worker_is_needed() -> None:
    with pytest.raises(UsageError, match=r"^0 workers: at least one is needed$"), local(0):
        pass


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("tcp://127.0.0.1:1", ClusterError, r"^no scheduler answers at tcp://127\.0\.0\.1:1 \("),
        ("tls://127.0.0.1:1", ClusterError, r"^no scheduler answers at tls://127\.0\.0\.1:1 \("),
        ("tcp://127.0.0.1", ClusterError, r"^no scheduler answers at tcp://127\.0\.0\.1"),
        ("http://127.0.0.1:1", UsageError, "^http://127.0.0.1:1: a scheduler has an address such as tcp://HOST:PORT"),
        ("missing.json", InputError, "^missing.json: no such file$"),
    ],
)
def test_a_scheduler_that_is_not_there(
    address: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connect, "ANSWER_S", 0.5)

    with pytest.raises(error, match=message), connected(address):
        pass


def test_a_file_that_no_scheduler_has_written(tmp_path: Path) -> None:
    (tmp_path / "scheduler.json").write_text("[]", encoding="utf-8")

    with pytest.raises(InputError, match="is not a file that a scheduler"), connected(str(tmp_path / "scheduler.json")):
        pass


def test_the_first_worker_is_waited_for(tmp_path: Path) -> None:
    said = []
    with scheduler() as cluster:

        def say(text: str) -> None:
            said.append(text)
            cluster.scale(1)

        with connected(cluster.scheduler_address, say=say) as engine:
            assert said[0] == f"waiting for a worker of {cluster.scheduler_address}"
            assert dict(engine.results([Counted(tmp_path, 4)]))[0][0] == 4


def test_a_scheduler_is_found_by_its_file(tmp_path: Path) -> None:
    with scheduler(1) as cluster:
        (tmp_path / "scheduler.json").write_text(f'{{"address": "{cluster.scheduler_address}"}}', encoding="utf-8")

        with connected(str(tmp_path / "scheduler.json")) as engine:
            assert engine.workers == 1


def test_certificates_are_those_of_the_configuration_of_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed
    from dask import config

    security = distributed.Security.temporary()
    tls = {
        "distributed.comm.tls.ca-file": security.tls_ca_file,
        "distributed.comm.tls.client.cert": security.tls_client_cert,
        "distributed.comm.tls.client.key": security.tls_client_key,
    }
    monkeypatch.setattr(connect, "ANSWER_S", 0.5)
    with scheduler(1, security) as cluster:
        with (
            pytest.raises(ClusterError, match=r"^no scheduler answers at tls://"),
            connected(cluster.scheduler_address),
        ):
            pass
        with config.set(tls), connected(cluster.scheduler_address) as engine:
            assert engine.workers == 1


def test_a_worker_with_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    with scheduler(1) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        for versions, what in (({"polars": "0.1"}, "polars"), ({"no-such-package": "1.0"}, "no-such-package")):
            monkeypatch.setattr(connect, "same_versions", lambda versions=versions: versions)
            with pytest.raises(ClusterError, match=rf"^worker tcp://\S+ (has|does not have) {what}.*: install"):
                engine_of(client)


PROGRAM = """
import sys
from pathlib import Path
from gammapolars.cluster import local
from gammapolars.core.interrupts import raise_on_interrupt
from tests.cluster.jobs import Late

if __name__ == "__main__":
    with local(2) as engine:
        list(engine.results([Late(Path(sys.argv[1]), number) for number in range(4)]))
"""


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that these have."""
    import psutil

    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def is_alive(pid: int) -> bool:
    """Whether a process is at work; in a container, nobody may take note of the end of one whose parent has ended."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    work, scratch, program = tmp_path / "work", tmp_path / "scratch", tmp_path / "program.py"
    work.mkdir()
    scratch.mkdir()
    program.write_text(PROGRAM, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(scratch)}
    running = subprocess.Popen(
        [sys.executable, program, work], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(list(work.iterdir())) < 2:
        assert running.poll() is None
        time.sleep(0.05)
    started = descendants(running.pid)
    assert list(scratch.iterdir())

    began = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)  # a terminal sends it to all processes
    _, said = running.communicate(timeout=30)

    assert time.monotonic() - began < 25
    assert said.count("Traceback") == 1, said
    assert said.rstrip().endswith("KeyboardInterrupt"), said
    assert len(started) >= 2
    time.sleep(0.2)
    assert [pid for pid in started if is_alive(pid)] == []
    assert list(scratch.iterdir()) == []


def test_ctrl_c_ends_a_command_in_one_line(tmp_path: Path) -> None:
    run, scratch = write_hits(tmp_path / "run.root", made_hits(200_000), Layout(entries=5000)), tmp_path / "scratch"
    scratch.mkdir()
    words = ("coincidences", run, "-o", tmp_path / "pairs.parquet", "--workers", "2", "--hits-per-task", "5000")
    running = subprocess.Popen(
        [sys.executable, "-m", "gammapolars", *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(started := descendants(running.pid)) < 3:  # one of them takes away what the others leave
        assert running.poll() is None
        time.sleep(0.02)

    os.killpg(running.pid, signal.SIGINT)
    out, said = running.communicate(timeout=30)

    assert (running.returncode, out, said) == (130, "", "Error: interrupted\n")
    time.sleep(0.2)
    assert [pid for pid in started if is_alive(pid)] == []
    assert list(scratch.iterdir()) == []
    assert sorted(tmp_path.iterdir()) == [run, scratch]


def test_a_script_without_a_main_guard_is_explained(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("from gammapolars.cluster import local\nwith local(1):\n    pass\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, program],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "put its body under if __name__ == '__main__':" in done.stderr
