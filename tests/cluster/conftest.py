"""Workers that all tests share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gammapolars.cluster import DaskEngine, local


@pytest.fixture(scope="session")
def two_workers() -> Iterator[DaskEngine]:
    """Two workers; a job may lose one."""
    with local(2, allowed_failures=1) as engine:
        yield engine


@pytest.fixture
def engine(two_workers: DaskEngine) -> DaskEngine:
    """The same, when lost workers have been replaced."""
    while two_workers.workers < 2:
        time.sleep(0.05)
    return two_workers


@pytest.fixture
def shared(engine: DaskEngine, monkeypatch: pytest.MonkeyPatch) -> DaskEngine:
    """The same in place of those that `--workers` would start."""

    @contextmanager
    def started(workers: int, *, hits_per_task: int | None, **_: Any) -> Iterator[DaskEngine]:
        engine.hits_per_task, engine.retried = hits_per_task, 0
        yield engine

    monkeypatch.setattr("gammapolars.cluster.local", started)
    return engine
