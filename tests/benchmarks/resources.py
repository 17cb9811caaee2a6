"""What the command line needs: memory on long runs, time on short ones."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.coincidences import command
from tests.benchmarks.files import Plan
from tests.benchmarks.measure import Child, Outcome, Side, alike, limit, run_child

PEAK_MB = 700
SHORT_HITS = 780_000  # 6 MB


def memory(plan: Plan) -> list[Outcome]:
    """Peak memory of `coincidences`, and that it does not grow with the run."""
    sides = {}
    for hits in (plan.hits, *plan.large):
        runs = _coincidences(plan, plan.run(hits=hits))
        sides[hits] = Side(f"{hits / 1e6:g}M hits", [run.peak_mb for run in runs])
    outcomes = [limit("peak memory of coincidences", side, "MB", PEAK_MB) for side in sides.values()]
    if len(plan.large) > 1:
        first, second = (sides[hits] for hits in plan.large[:2])
        outcomes.append(alike("peak memory of coincidences", first, second, "MB", 0.1))
    return outcomes


def start(plan: Plan) -> list[Outcome]:
    """The help's CPU time, and a short run from start to end."""
    helps = [run_child("-m", "gammapolars", "--help") for _ in range(plan.repeat)]
    runs = _coincidences(plan, plan.run(hits=SHORT_HITS))
    return [
        limit("gammapolars --help", Side("CPU time", [run.cpu_s for run in helps]), "s", 0.5),
        limit("coincidences, 6 MB run", Side("whole process", [run.wall_s for run in runs]), "s", 2),
    ]


def _coincidences(plan: Plan, run: Path) -> list[Child]:
    with TemporaryDirectory() as folder:
        arguments = command(run, Path(folder) / "pairs.parquet")
        return [run_child("-m", "gammapolars", *arguments) for _ in range(plan.repeat)]
