"""Options of commands that workers may share, and what is said of it; without any workers."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gammapolars.commands.summaries import tasks
from gammapolars.core.summaries import ClusterUse, SharedSummary
from tests.commandline import REPOSITORY, gammapolars
from tests.rootfiles import made_hits, write_hits

RUN = REPOSITORY / "data" / "co60-four-hpge.root"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--workers", 2, "--scheduler", "tcp://node:1"), "leave --workers or --scheduler out"),
        (("--hits-per-task", 5), "--hits-per-task needs workers: give --workers or --scheduler, too"),
        (("--workers", 2, "--hits-per-task", 0), "--hits-per-task 0: must be at least 1"),
        (("--scheduler", "http://node:1"), "a scheduler has an address such as tcp://HOST:PORT or tls://HOST:PORT"),
        (("--resume",), "--resume goes on with the tasks of workers: give --workers or --scheduler, too"),
        (("--workers", 0), "0 workers: at least one is needed"),
    ],
)
def test_options_that_make_no_sense(words: tuple[str | int, ...], message: str, tmp_path: Path) -> None:
    pytest.importorskip("distributed")

    command = "coincidences" if "--resume" in words else "rates"
    done = gammapolars(command, RUN, "-o", tmp_path / "out.csv", *map(str, words))

    assert done.code == 2
    assert message in done.error


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    done = gammapolars("rates", RUN, "-o", tmp_path / "rates.csv", "--workers", "2")

    assert done.code == 2
    assert done.error.endswith("pip install 'gammapolars[cluster]'")


def test_workers_share_no_saved_pairs_and_no_triples(tmp_path: Path) -> None:
    run, pairs = write_hits(tmp_path / "run.root", made_hits(2000)), tmp_path / "pairs.parquet"
    assert gammapolars("coincidences", run, "-o", pairs).code == 0
    detectors = ("--detectors", REPOSITORY / "data" / "detectors.toml")

    for words in (
        ("matrix", pairs, *detectors, "-o", tmp_path / "m.parquet"),
        ("gate", pairs, *detectors, "--on", "1332.5", "-o", tmp_path / "g.csv"),
        ("gate", RUN, *detectors, "--on", "1332.5", "--and", "1173.2", "-o", tmp_path / "g.csv"),
    ):
        done = gammapolars(*words, "--workers", "2")
        assert (done.code, done.error[-21:]) == (2, ": leave --workers out")


def test_the_summary_says_how_the_work_was_shared() -> None:
    use = ClusterUse(tasks=8, workers=2, retried=1, whole={"run_2.root": "a clock starts again"})

    assert tasks(SharedSummary()) == []  # type: ignore[arg-type]
    assert tasks(SharedSummary(cluster=use)) == [  # type: ignore[arg-type]
        "8 tasks on 2 workers; 1 task begun again",
        "  run_2.root: read in one task: a clock starts again",
    ]
    assert SharedSummary(cluster=use).to_json().items() >= {"tasks": 8, "workers": 2, "retried": 1}.items()
    resumed = replace(use, whole={}, resumed=5)
    assert tasks(SharedSummary(cluster=resumed)) == ["8 tasks on 2 workers; 5 tasks done before; 1 task begun again"]  # type: ignore[arg-type]
    assert "tasks" not in SharedSummary().to_json()
