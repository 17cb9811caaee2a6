"""Whole commands on one machine, beside the work that cannot be left out and beside another checkout.

`--baseline CHECKOUT` names the other version: a folder with its package. In one process the two take turns, so that
what disturbs the machine disturbs both. Without it the present version stands for both, and nothing is asked.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import gammapolars as gp
from gammapolars.detectors import format_detectors
from gammapolars.io.root.tree import open_tree
from gammapolars.simulate.run import DEFAULT_DETECTORS
from tests.benchmarks import opponent
from tests.benchmarks.coincidences import SCRIPT, command
from tests.benchmarks.files import Plan
from tests.benchmarks.measure import ROOT, Child, Outcome, Side, faster, in_turn, limit, run_child, within
from tests.benchmarks.opponent import BRANCHES
from tests.benchmarks.reading import THREADS, frames_of, grouped, inflate

INFLATING = 1.7
"""`coincidences` in process over inflating the same baskets."""

SECOND_LOOK = {".arrow": 0.5, ".parquet": 0.75}
"""Reading hits again, from what `convert` wrote, over the baseline's time from ROOT."""

OF_COINCIDENCES = {"events": 1.6, "gate": 1.6, "rates": 1.6}
"""Whole processes over the baseline's `coincidences`."""

OF_THEMSELVES = {"align": 0.5, "peaks": 0.5, "report": 0.6}
"""Whole processes over the baseline's."""

SCRIPT_FASTER = 2.8
START = 0.84
"""Start-up over that of the baseline: 0.38 s where it is 0.45 s."""
PEAK_MB = 600
SHORT_HITS = 20_000


class Taken(NamedTuple):
    """What some work took: wall and CPU times (s), once per repetition."""

    wall: Side
    cpu: Side


def one_machine(plan: Plan) -> list[Outcome]:
    """All commands of a run that are to be fast, each with its limit."""
    with TemporaryDirectory() as folder:
        detectors = Path(folder) / "detectors.toml"
        detectors.write_text(format_detectors(DEFAULT_DETECTORS), encoding="utf-8")
        files = {".root": plan.run()} | {suffix: _converted(plan, suffix) for suffix in SECOND_LOOK}
        return [
            *_in_process(plan, files, detectors),
            *_as_processes(plan, files[".root"], detectors, Path(folder)),
            *_start(plan, Path(folder)),
        ]


def _converted(plan: Plan, suffix: str) -> Path:
    path = plan.run().with_suffix(suffix)
    if not path.exists():
        gp.save(gp.scan(plan.run()), path)
    return path


def _in_process(plan: Plan, files: dict[str, Path], detectors: Path) -> Iterator[Outcome]:
    """Work in one process from each form of the same hits, beside the baseline from ROOT."""
    size = f"{plan.hits / 1e6:g}M hits, in process"
    for work in ("coincidences", "spectrum", "gate"):
        ways = {(ROOT, suffix): f"{work} from {suffix}" for suffix in files}
        ways |= {(plan.baseline or ROOT, ".root"): f"{work} from .root, baseline"}
        taken = _taken(plan, work, ways, files, detectors)
        before = taken[plan.baseline or ROOT, ".root"]
        if work == "coincidences":
            bare, script = _bare(plan, files[".root"])
            yield within(size, taken[ROOT, ".root"].wall, bare, INFLATING)
            yield faster(size, taken[ROOT, ".root"].wall, script, None)
        yield _beside(plan, size, taken[ROOT, ".root"], before, None)
        for suffix, most in SECOND_LOOK.items():
            yield _beside(plan, size, taken[ROOT, suffix], before, most)
            yield _cpu(size, taken[ROOT, suffix], before)


def _beside(plan: Plan, subject: str, ours: Taken, before: Taken, most: float | None) -> Outcome:
    """A share of the baseline's time; nothing is asked where there is no baseline."""
    outcome = within(subject, ours.wall, before.wall, most or 1.0)
    return outcome if most and plan.baseline else outcome._replace(high=float("inf"), target="")


def _cpu(subject: str, ours: Taken, before: Taken) -> Outcome:
    return within(f"{subject}, CPU", ours.cpu, before.cpu, 1.0)._replace(high=float("inf"), target="")


def _bare(plan: Plan, run: Path) -> list[Side]:
    """Inflating the baskets with libdeflate, and the script without its output."""
    tree = open_tree(run, ("Data_R",))
    groups = grouped([frame for name in BRANCHES for frame in frames_of(run, tree, name)])
    with ThreadPoolExecutor(THREADS) as pool:
        return in_turn(
            plan.repeat,
            {
                f"libdeflate on {THREADS} threads": lambda: list(pool.map(inflate, groups)),
                "uproot + numba, without its output": lambda: opponent.read_and_pair(str(run)),
            },
        )


def _taken(
    plan: Plan, work: str, ways: dict[tuple[Path, str], str], files: dict[str, Path], detectors: Path
) -> dict[tuple[Path, str], Taken]:
    """The times of each way: one process does it once, then the next."""
    taken = {way: Taken(Side(label, []), Side(label, [])) for way, label in ways.items()}
    for _ in range(plan.repeat):
        for checkout, suffix in ways:
            with _inside(checkout, work, files[suffix], detectors) as once:
                found = min((once() for _ in range(2)), key=lambda times: times["wall_s"])
            for side, name in zip(taken[checkout, suffix], ("wall_s", "cpu_s"), strict=True):
                side.values.append(found[name])
    return taken


@contextmanager
def _inside(checkout: Path, work: str, run: Path, detectors: Path) -> Iterator["Once"]:
    """A process of a checkout's package that has done the work once, to do it again."""
    script = Path(__file__).with_name("inside.py")
    with TemporaryDirectory() as folder:
        words = [sys.executable, script, checkout, work, run, detectors, Path(folder) / "out.parquet"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen([*map(str, words)], cwd=checkout, **pipes) as process:  # type: ignore[call-overload]
            process.stdout.readline()
            yield Once(process)
            process.stdin.close()


class Once:
    """Does a process's work once."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self) -> dict[str, float]:
        assert self._process.stdin
        assert self._process.stdout
        print(file=self._process.stdin, flush=True)
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return found


def _as_processes(plan: Plan, run: Path, detectors: Path, folder: Path) -> Iterator[Outcome]:
    """Commands from start to end, imports included, and their memory."""
    size, baseline = f"{plan.hits / 1e6:g}M hits, whole process", plan.baseline or ROOT
    commands = _commands(run, detectors, folder)
    ours: dict[str, list[Child]] = {name: [] for name in commands}
    before: dict[str, list[Child]] = {name: [] for name in ("coincidences", *OF_THEMSELVES)}
    script = []
    for _ in range(plan.repeat):
        script.append(run_child(SCRIPT, run, folder / "pairs.root"))
        for name, words in commands.items():
            ours[name].append(run_child("-m", "gammapolars", *words))
            if name in before:
                before[name].append(run_child("-m", "gammapolars", *words, checkout=baseline))
    yield faster(size, _taken_by("coincidences", ours), Side("script", [one.wall_s for one in script]), SCRIPT_FASTER)
    for name in commands:
        beside = name if name in OF_THEMSELVES else "coincidences"
        most = (OF_COINCIDENCES | OF_THEMSELVES).get(name)
        mine = Taken(_taken_by(name, ours), _taken_by(name, ours))
        yield _beside(plan, size, mine, Taken(*[_taken_by(beside, before, " of baseline")] * 2), most)
    for name, children in ours.items():
        yield limit(f"{size}: peak memory", Side(name, [child.peak_mb for child in children]), "MB", _most_mb(name))


def _taken_by(name: str, children: dict[str, list[Child]], of: str = "") -> Side:
    return Side(f"{name}{of}", [child.wall_s for child in children[name]])


def _most_mb(name: str) -> float | None:
    """Commands that stream need no more memory for a longer run."""
    return None if name in OF_THEMSELVES else PEAK_MB


def _commands(run: Path, detectors: Path, folder: Path) -> dict[str, list[str | Path]]:
    """The words of each command line."""
    known: list[str | Path] = ["--detectors", detectors, "--overwrite"]
    return {
        "coincidences": command(run, folder / "pairs.parquet"),
        "events": ["events", run, "-o", folder / "events.parquet", *known],
        "gate": ["gate", run, "--on", "1173.228", "-o", folder / "gate.parquet", *known],
        "rates": ["rates", run, "-o", folder / "rates.parquet", *known],
        "spectrum": ["spectrum", run, "-o", folder / "spectrum.parquet", *known],
        "align": ["align", run, "-o", folder / "aligned.toml", *known],
        "peaks": ["peaks", run, "-o", folder / "peaks.parquet", *known],
        "report": ["report", run, "-o", folder / "report", *known],
    }


def _start(plan: Plan, folder: Path) -> Iterator[Outcome]:
    """The time of `coincidences` with next to nothing to do."""
    run = plan.run(hits=SHORT_HITS)
    ours, before = Side("coincidences", []), Side("coincidences of baseline", [])
    for _ in range(2 * plan.repeat):
        for side, checkout in ((ours, ROOT), (before, plan.baseline or ROOT)):
            side.values.append(
                run_child("-m", "gammapolars", *command(run, folder / "few.parquet"), checkout=checkout).wall_s
            )
    start = Taken(ours, ours)
    yield _beside(plan, f"{SHORT_HITS:,} hits: start-up", start, Taken(before, before), START)
