"""The benchmarks' contestants agree, so that what is timed is the same work."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.io.root.tree import open_tree
from tests.benchmarks import measure
from tests.benchmarks.agreement import DisagreementError, agree
from tests.benchmarks.files import WINDOW_PS, Plan, describe

HITS = 50_000


@pytest.fixture(scope="module")
def contestants() -> SimpleNamespace:
    """The modules that need other packages, and that numba compiles when they are imported."""
    for package in ("numba", "duckdb", "pandas", "boost_histogram"):
        pytest.importorskip(package, reason=f"{package} is in the benchmark extra")
    names = ("binning", "coincidences", "in_memory", "opponent", "reading")
    return SimpleNamespace(**{name: import_module(f"tests.benchmarks.{name}") for name in names})


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Plan(tmp_path_factory.mktemp("benchmark"), HITS, repeat=1)


@pytest.fixture(scope="module")
def pairs(plan: Plan) -> pl.DataFrame:
    return gp.scan(plan.run()).pipe(gp.pairs, WINDOW_PS).collect()


@pytest.mark.slow
def test_the_run_has_one_hit_in_twenty_in_coincidence(plan: Plan) -> None:
    text = describe(plan.run())
    part = float(text.partition(" MB, ")[2].partition("%")[0])
    assert part == pytest.approx(5, abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["100 MB", 7_001, 50, 1])
def test_the_script_loses_no_pair_between_steps(
    contestants: SimpleNamespace, plan: Plan, pairs: pl.DataFrame, step: str | int
) -> None:
    count = HITS if step != 1 else 300
    run = plan.run(hits=count)
    expected = pairs if count == HITS else gp.scan(run).pipe(gp.pairs, WINDOW_PS).collect()
    assert agree(expected, contestants.opponent.read_and_pair(str(run), step), "the script") > 0


@pytest.mark.slow
def test_steps_shorter_than_the_window_lose_no_pair(
    contestants: SimpleNamespace, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = 10**10  # 10 ms: tens of hits
    monkeypatch.setattr(contestants.opponent, "WINDOW_PS", window)
    run = plan.run(hits=300)
    expected = gp.scan(run).pipe(gp.pairs, window).collect()
    assert agree(expected, contestants.opponent.read_and_pair(str(run), 7), "the script") > 1000


def test_a_missing_pair_is_noticed(pairs: pl.DataFrame) -> None:
    with pytest.raises(DisagreementError, match="do not find the same pairs"):
        agree(pairs, pairs[1:], "a cheat")
    turned = pairs.with_columns(adc_b=pl.col("adc_b").shift(1, fill_value=0))
    with pytest.raises(DisagreementError):
        agree(pairs, turned, "a cheat")


@pytest.mark.slow
def test_comparisons_in_process_run_and_agree(contestants: SimpleNamespace, plan: Plan) -> None:
    outcomes = [
        *contestants.coincidences.in_process(plan),
        *contestants.in_memory.in_memory(plan),
        *contestants.reading.reading(plan),
        *contestants.binning.binning(plan),
    ]
    assert len(outcomes) == 18
    text = measure.table(outcomes, markdown=True)
    assert text.count("\n") == 1 + len(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["native", "large", "small"])
def test_both_sides_of_reading_see_every_hit(contestants: SimpleNamespace, plan: Plan, layout: str) -> None:
    run, reading, opponent = plan.run(layout), contestants.reading, contestants.opponent
    assert set(reading.TARGETS) == {"native", "large", "small"}
    assert reading.read_arrays(run) == reading.read_frames(run) == HITS
    tree = open_tree(run, ("Data_R",))
    frames = [frame for name in opponent.BRANCHES for frame in reading.frames_of(run, tree, name)]
    assert sum(map(reading.inflate, reading.grouped(frames))) == 18 * HITS


def test_a_measured_child_counts_its_own_memory_only() -> None:
    ballast = bytearray(400_000_000)
    child = measure.run_child("-c", "pass")
    assert child.peak_mb < 100 < len(ballast) / 1e6
    with pytest.raises(RuntimeError, match="failed"):
        measure.run_child("-c", "raise SystemExit(3)")


@pytest.mark.parametrize(
    ("outcome", "figure", "met"),
    [
        (measure.faster("", measure.Side("", [1, 2, 3]), measure.Side("", [8, 8, 1]), 3.5), 4, True),
        (measure.faster("", measure.Side("", [3.0]), measure.Side("", [9.0]), 3.5), 3, False),
        (measure.within("", measure.Side("", [3.0]), measure.Side("", [2.0]), 1.6), 1.5, True),
        (measure.within("", measure.Side("", [4.0]), measure.Side("", [2.0]), 1.6), 2, False),
        (measure.alike("", measure.Side("", [100.0]), measure.Side("", [112.0]), "MB", 0.1), 1.12, False),
        (measure.limit("", measure.Side("", [0.3, 0.6, 0.4]), "s", 0.5), 0.4, True),
    ],
)
def test_a_target_is_met_by_the_ratio_of_medians(outcome: measure.Outcome, figure: float, met: bool) -> None:
    assert outcome.figure == pytest.approx(figure)
    assert outcome.met is met


@pytest.mark.slow
def test_whole_processes_agree(contestants: SimpleNamespace, plan: Plan) -> None:
    (outcome,) = contestants.coincidences.as_processes(plan)
    assert len(outcome.ours.values) == 1
    assert Path(contestants.coincidences.SCRIPT).is_file()
