"""A cluster that is there already."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gammapolars.cluster.carried import check_versions, same_versions
from gammapolars.cluster.engine import ALLOWED_FAILURES, DaskEngine
from gammapolars.cluster.packages import answers, check_start, distributed, quiet
from gammapolars.core.errors import ClusterError, InputError, UsageError, first_line, readable

ANSWER_S = 10
"""How long a scheduler may take to answer."""

PAUSE_S = 0.1

Say = Callable[[str], None]


def no_words(_: str) -> None:
    """Say nothing."""


@contextmanager
def connected(
    address: str, *, allowed_failures: int = ALLOWED_FAILURES, hits_per_task: int | None = None, say: Say = no_words
) -> Iterator[DaskEngine]:
    """Connect to a scheduler, and wait for its first worker.

    Args:
        address: `tcp://HOST:PORT`, `tls://HOST:PORT`, or the name of the file that a scheduler has written.
        allowed_failures: how often a job may lose its worker and be tried again.
        hits_per_task: about how many hits a job is to have; None: as suits the workers.
        say: gets, again and again, what is waited for.

    Raises:
        UsageError: no such address, or a missing package.
        InputError: the file cannot be read.
        ClusterError: no scheduler answers, or a worker has other versions of gammapolars or polars.
    """
    dask = distributed()
    address = _address(address)
    with quiet():
        try:
            client = dask.Client(address, timeout=ANSWER_S, set_as_default=False)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            hint = ": see the guide for certificates" if address.startswith("tls://") else ""
            raise ClusterError(f"no scheduler answers at {address} ({first_line(error)}){hint}") from None
        try:
            yield _engine(client, say, allowed_failures, hits_per_task)
        finally:
            client.close(timeout=2)


def engine_of(
    client: Any, *, allowed_failures: int = ALLOWED_FAILURES, hits_per_task: int | None = None, say: Say = no_words
) -> DaskEngine:
    """The workers of a client of Dask.

    Args:
        client: a `distributed.Client`.
        allowed_failures: how often a job may lose its worker and be tried again.
        hits_per_task: about how many hits a job is to have; None: as suits the workers.
        say: gets, again and again, what is waited for.

    Raises:
        UsageError: a client of coroutines, a missing package, or workers that Dask forks.
        ClusterError: a worker has other versions of gammapolars or polars.
    """
    distributed()
    if not hasattr(client, "nthreads") or client.asynchronous:
        raise UsageError("the client is not a distributed.Client, or is one of coroutines")
    if client.cluster is not None:
        check_start()
    return _engine(client, say, allowed_failures, hits_per_task)


def _engine(client: Any, say: Say, allowed_failures: int, hits_per_task: int | None) -> DaskEngine:
    while not client.nthreads():
        say(f"waiting for a worker of {client.scheduler.address}")
        time.sleep(PAUSE_S)
    _check_workers(client)
    return DaskEngine(client, allowed_failures=allowed_failures, hits_per_task=hits_per_task)


def _check_workers(client: Any) -> None:
    ours = same_versions()
    theirs = {name: answers(client, version, name) for name in ours}
    for worker in {worker for found in theirs.values() for worker in found}:
        check_versions(worker, {name: found.get(worker, ours[name]) for name, found in theirs.items()}, ours)


def _address(given: str) -> str:
    """The address of a scheduler, as it is given or stands in a file.

    Raises:
        UsageError: it is none.
        InputError: the file is missing, or not one that a scheduler has written.
    """
    if "://" in given:
        if not given.startswith(("tcp://", "tls://")):
            raise UsageError(f"{given}: a scheduler has an address such as tcp://HOST:PORT or tls://HOST:PORT")
        return given
    with readable(given):
        text = Path(given).read_text(encoding="utf-8", errors="replace")
    try:
        return str(json.loads(text)["address"])
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{given}: is not a file that a scheduler of Dask has written") from None
