"""As many threads as a process may use."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gammapolars
from gammapolars.core.threads import threads
from gammapolars.streaming.slices import in_parallel


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 processors, of which this process may use 3."""
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 9}, raising=False)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)


def test_processors_that_a_process_may_not_use_do_not_count() -> None:
    assert threads() == 3


def test_newer_pythons_know_it_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2, raising=False)

    assert threads() == 2


@pytest.mark.parametrize(("count", "expected"), [(8, 8), (None, 1)])
def test_systems_without_affinity_count_all(monkeypatch: pytest.MonkeyPatch, count: int | None, expected: int) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)

    assert threads() == expected


@pytest.mark.parametrize(("limit", "expected"), [("1", 1), ("16", 16), ("0", 3), ("", 3), ("-2", 3), ("many", 3)])
def test_the_limit_of_polars_holds_for_all(monkeypatch: pytest.MonkeyPatch, limit: str, expected: int) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", limit)

    assert threads() == expected


def test_no_more_items_are_computed_ahead_than_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", "2")
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    results = in_parallel(lambda number: iter([number]), numbers())

    assert next(results) == 0
    assert taken == [0, 1, 2]
    assert list(results) == list(range(1, 50))


def test_nobody_else_counts_processors() -> None:
    package = Path(gammapolars.__file__).parent
    counting = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"cpu_count|sched_getaffinity|POLARS_MAX_THREADS", path.read_text(encoding="utf-8"))
    ]

    assert counting == ["core/threads.py"]
