"""From a ROOT file to a file of all pairs, beside the script that a physicist would write."""

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import uproot

import gammapolars as gp
from tests.benchmarks import opponent
from tests.benchmarks.agreement import agree
from tests.benchmarks.files import WINDOW_PS, Plan
from tests.benchmarks.measure import Outcome, Side, faster, in_turn, run_child

SCRIPT = Path(opponent.__file__)


def in_process(plan: Plan) -> list[Outcome]:
    """Reading and pairing in one process; the script's compilation and output are left out."""
    run = plan.run()
    with TemporaryDirectory() as folder:
        output = Path(folder) / "pairs.parquet"

        def ours() -> None:
            gp.scan(run).pipe(gp.pairs, WINDOW_PS).sink_parquet(output)

        ours()
        agree(pl.read_parquet(output), opponent.read_and_pair(str(run)), "the script")
        label = "ROOT → all pairs → Parquet, in process"
        our_side, theirs, threaded = in_turn(
            plan.repeat,
            {
                label: ours,
                "uproot + numba, without its output": lambda: opponent.read_and_pair(str(run)),
                "the same, uproot on 2 threads": lambda: _threaded(run),
            },
        )
    return [faster(_size(plan.hits), our_side, theirs, 3.5), faster(_size(plan.hits), our_side, threaded, None)]


def _threaded(run: Path) -> object:
    threads = uproot.ThreadPoolExecutor(2)
    try:
        return opponent.read_and_pair(str(run), decompression_executor=threads, interpretation_executor=threads)
    finally:
        threads.shutdown()


def as_processes(plan: Plan) -> list[Outcome]:
    """The command beside the script, from start to end: imports, compilation and output included."""
    sizes = {plan.hits: 3.0} | dict.fromkeys(plan.large[:1], 3.5)
    return [_as_processes(plan, hits, least) for hits, least in sizes.items()]


def _as_processes(plan: Plan, hits: int, least: float) -> Outcome:
    run = plan.run(hits=hits)
    ours, theirs = Side("gammapolars coincidences, whole process", []), Side("script, whole process", [])
    with TemporaryDirectory() as folder:
        parquet, root = Path(folder) / "pairs.parquet", Path(folder) / "pairs.root"
        for _ in range(plan.repeat):
            ours.values.append(run_child("-m", "gammapolars", *command(run, parquet)).wall_s)
            theirs.values.append(run_child(SCRIPT, run, root).wall_s)
        with uproot.open(root) as file:
            agree(pl.read_parquet(parquet), file["pairs"].arrays(library="np"), "the script")
    return faster(_size(hits), ours, theirs, least)


def command(run: Path, output: Path) -> list[str | Path]:
    """The command line that finds a run's pairs."""
    return ["coincidences", run, "-o", output, "--window", f"{WINDOW_PS}ps", "--overwrite"]


def _size(hits: int) -> str:
    return f"{hits / 1e6:g}M hits"
