"""Passes cut into tasks: the same pairs, row for row, and the same numbers, as in one process."""

import pickle
import random
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.analysis import passes
from gammapolars.analysis.accumulators import AdcSpectra, HitTally, PairTally, Rates
from gammapolars.analysis.engine import Account, InProcess, Job
from gammapolars.analysis.preselection import preselection_of
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.run_warnings import run_warnings
from gammapolars.coincidences import PairRule
from gammapolars.core.errors import GammapolarsError
from gammapolars.detectors import Detector, Detectors
from gammapolars.io import open_runs
from gammapolars.io.root.writer import Layout
from tests.drawing import examples
from tests.hits import BAD
from tests.rootfiles import made_hits, write_hits


class Posted(InProcess):
    """Jobs as another process would get them: pickled, in any order, some of them twice."""

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        numbers = list(range(len(jobs)))
        random.Random(1).shuffle(numbers)
        for number in numbers:
            job = pickle.loads(pickle.dumps(jobs[number]))
            if number % 3 == 0:
                job()
            yield number, pickle.loads(pickle.dumps(job()))


def recording_of(folder: Path, detectors: Detectors, **reading: Any) -> Recording:
    return Recording(open_runs(*sorted(folder.glob("*.root")), **reading), detectors, many_pairs=True)


def measured(recording: Recording, rule: PairRule, folder: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The pairs of a pass, and all that its summary and its accumulators say."""
    hits, pairs, rates = HitTally(), PairTally(rule.window), Rates(mask=BAD)
    reading = passes.PairPass(recording, rule, [hits, pairs, rates])
    if recording.engine:
        folder.mkdir()
        parts = reading.carry_out(recording.engine, folder)
        table = pl.concat([pl.read_parquet(folder / part.name) for part in parts])
    else:
        table = reading.pairs().collect()
    summary = passes.summarise(reading, hits, pairs).to_json()
    return table, summary | {"rates": rates.table().to_dicts()}


def counted(recording: Recording) -> dict[str, Any]:
    """All that a pass over hits says."""
    hits, rates, spectra = HitTally(), Rates(mask=BAD), AdcSpectra(BAD)
    passes.count_hits(recording, [hits, rates, spectra])
    warnings = list(run_warnings(recording.runs, hits))
    tables = [rates.table(), spectra.spectra(recording.detectors, None), hits.by_flags().sort(pl.all())]
    return {"warnings": warnings, "spans": hits.spans, "tables": [table.to_dicts() for table in tables]}


def both(recording: Recording, rule: PairRule, folder: Path, hits_per_task: int, **reading: Any) -> dict[str, Any]:
    """Measure in one process and in tasks; the same must come of it."""
    names = [file.path for file in recording.runs.files]
    posted, by_clock = (
        replace(
            recording,
            runs=open_runs(*names, **reading),
            account=Account(),
            preselection=deepcopy(recording.preselection),
            engine=Posted(hits_per_task=hits_per_task),
        )
        for _ in range(2)
    )
    assert counted(by_clock) == counted(replace(recording, runs=open_runs(*names, **reading)))
    alone, summary = measured(recording, rule, folder / "alone")
    parts, of_parts = measured(posted, rule, folder / "parts")
    assert_frame_equal(parts, alone)
    assert of_parts == summary
    return {"tasks": posted.account.tasks, "whole": posted.account.whole, "pairs": alone.height}


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[pl.DataFrame], int]:
    """Hits of one to three files, out of order by up to a limit, with bursts and equal times."""
    count, files = draw(st.integers(100, 1500)), draw(st.integers(1, 3))
    hits = made_hits(count, draw(st.integers(0, 10**6)), gap_ps=draw(st.sampled_from([2_000, 100_000, 5_000_000])))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    back = draw(st.sampled_from([0, 30_000, 900_000]))
    times = hits["timestamp_ps"].to_numpy() - rng.integers(0, back + 1, count)
    hits = hits.with_columns(timestamp_ps=pl.Series(np.abs(times) // 2000 * 2000, dtype=pl.Int64))
    cut = [hits.filter(pl.col("channel") % files == number) for number in range(files)]
    return cut, draw(st.sampled_from([7, 40, 130]))


RULES: dict[str, dict[str, Any]] = {
    "all": {},
    "random": {"random": ("300ns:900ns",)},
    "pairs of two": {"start": (0, 0), "stop": (0, 2)},
    "nearest": {"start": (0, 0), "stop": (0, 1), "nearest": True},
}


@examples(60)
@given(
    runs(),
    st.sampled_from(sorted(RULES)),
    st.sampled_from(["0ns:20ns", "250ns", "2us"]),
    st.integers(5, 400),
    st.sampled_from([0, 1, 2]),
    st.fixed_dictionaries({"reorder_ps": st.sampled_from([10**6, 10**9]), "apart": st.booleans()}),
)
def test_the_same_comes_of_tasks(
    files: tuple[list[pl.DataFrame], int],
    rule: str,
    window: str,
    hits_per_task: int,
    offset: int,
    reading: dict[str, Any],
) -> None:
    """However a run is cut: at ties, in bursts, with tasks of one hit or none, and reaches longer than tasks."""
    tables, entries = files
    offsets = [offset * ps for ps in (0, 1500, -70_000, 400_000)]
    detectors = Detectors(tuple(Detector(0, number, time_offset_ps=ps) for number, ps in enumerate(offsets)))
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, table in enumerate(tables):
            write_hits(folder / f"{number}.root", table, Layout(entries=entries + number))
        options = dict(RULES[rule])
        random = options.pop("random", ())
        made = PairRule("0ns:20ns" if random else window, reject={"bad": BAD}, **options)
        made = made.with_random(random) if random else made
        both(recording_of(folder, detectors, **reading), made, folder, hits_per_task, **reading)


@examples(60)
@given(
    runs(),
    st.sampled_from(["add-back", "veto", "both"]),
    st.sampled_from(["50ns", "2us", "20us"]),
    st.integers(5, 400),
    st.sampled_from([10**6, 10**9]),
)
def test_add_back_and_vetoes_are_cut_at_gaps(
    files: tuple[list[pl.DataFrame], int], kind: str, window: str, hits_per_task: int, reorder_ps: int
) -> None:
    """No sum and no veto crosses from one task to the next; where there is no gap, the run is one task."""
    tables, entries = files
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, table in enumerate(tables):
            write_hits(folder / f"{number}.root", table, Layout(entries=entries + number))
        recording = shielded(recording_of(folder, SHIELDED, reorder_ps=reorder_ps), kind, window)
        both(recording, PairRule("250ns", reject={"bad": BAD}), folder, hits_per_task, reorder_ps=reorder_ps)


SHIELDED = Detectors(
    (
        *(Detector(0, number, energy=(0.5, 0.1), group="clover") for number in range(3)),
        Detector(0, 3, kind="BGO", energy=(0.0, 0.1)),
    )
)


def shielded(recording: Recording, kind: str, window: str) -> Recording:
    """A recording with add-back, or vetoes, or both."""
    add_back, veto = window if kind != "veto" else None, [f"BGO={window}"] if kind != "add-back" else None
    return replace(recording, preselection=preselection_of(SHIELDED, add_back, veto))


def test_tasks_end_at_gaps_and_run_on_where_there_is_none(tmp_path: Path) -> None:
    """Chains of sums cross many of the times at which a run is cut; of one chain without an end there is one task."""
    write_hits(tmp_path / "run.root", made_hits(20_000, gap_ps=10_000_000), Layout(entries=200))
    recording = shielded(recording_of(tmp_path, SHIELDED), "both", "20us")
    done = both(recording, PairRule("250ns", reject={"bad": BAD}), tmp_path, 400)
    assert done["tasks"] == 50
    assert not done["whole"]

    endless = shielded(recording_of(tmp_path, SHIELDED), "add-back", "2ms")
    (tmp_path / "endless").mkdir()
    done = both(endless, PairRule("250ns", reject={"bad": BAD}), tmp_path / "endless", 400)
    assert done["tasks"] == 1
    (reason,) = done["whole"].values()
    assert reason == "no gap of 2.00025 ms between hits where it was to be cut"


def test_a_run_is_cut_into_tasks(tmp_path: Path) -> None:
    """Each hit is in one task, and no file is read further than it has to be."""
    for number in range(2):
        write_hits(tmp_path / f"{number}.root", made_hits(20_000, number), Layout(entries=500))
    done = both(recording_of(tmp_path, Detectors()), PairRule("250ns"), tmp_path, 5_000)
    assert done["tasks"] == 8
    assert not done["whole"]
    assert done["pairs"] > 1000


@pytest.mark.parametrize("late_hits", [1, 200])
def test_a_hit_far_back_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_hits: int) -> None:
    """Hits 4 s back are the same error as in one process, with the same name, also where no task reads their times."""
    monkeypatch.chdir(tmp_path)
    hits = made_hits(20_000, gap_ps=1_000_000_000)
    times = hits["timestamp_ps"].to_numpy().copy()
    times[15_000 : 15_000 + late_hits] -= 4 * 10**12
    write_hits(tmp_path / "run.root", hits.with_columns(timestamp_ps=pl.Series(times)), Layout(entries=500))
    recording = recording_of(Path(), Detectors())
    with pytest.raises(GammapolarsError) as alone:
        measured(recording, PairRule("250ns"), tmp_path / "alone")
    with pytest.raises(GammapolarsError) as parts:
        measured(replace(recording, engine=Posted(hits_per_task=2000)), PairRule("250ns"), tmp_path / "parts")
    assert (type(parts.value), str(parts.value)) == (type(alone.value), str(alone.value))
    assert str(parts.value).startswith("run.root: ")
    assert "15001" in str(parts.value).replace(",", "")


def test_tasks_are_plain_data_for_any_processes(tmp_path: Path) -> None:
    """Pickled tasks give the pairs of the run, and those of a run that cannot be cut all the same."""
    hits = made_hits(20_000)
    write_hits(tmp_path / "run.root", hits, Layout(entries=500))
    work = gp.tasks(tmp_path / "run.root", "250ns", random="300ns:900ns", hits_per_task=4000)

    results = [pickle.loads(pickle.dumps(task)).run() for task in work]

    assert [task.name for task in work[:2]] == ["run.root, hits 1 to 4,000", "run.root, hits 4,001 to 8,000"]
    expected = gp.pairs(gp.scan(tmp_path / "run.root"), "250ns", random="300ns:900ns").collect()
    assert_frame_equal(work.pairs(results).collect(), expected)
    with pytest.raises(gp.UsageError, match="there are 5 tasks, but 4 results"):
        work.pairs(results[1:])


def test_a_clock_that_starts_again_makes_one_task(tmp_path: Path) -> None:
    """Times after a reset depend on all before it: the run is read as a whole, and the summary says so."""
    hits = made_hits(20_000, gap_ps=10**9)
    times = hits["timestamp_ps"].to_numpy().copy()
    times[12_500:] -= times[12_500] - 2_000
    flags = hits["flags"].to_numpy().copy()
    flags[12_500] |= gp.FLAGS["external_reset"]
    write_hits(
        tmp_path / "run.root",
        hits.with_columns(timestamp_ps=pl.Series(times), flags=pl.Series(flags)),
        Layout(entries=500),
    )

    done = both(recording_of(tmp_path, Detectors()), PairRule("250ns"), tmp_path, 5_000)

    assert done["tasks"] == 1
    assert list(done["whole"]) == [str(tmp_path / "run.root")]
