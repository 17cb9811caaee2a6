"""Taking times: contestants in turn, children with their memory, and what must be known of the machine."""

import gc
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
"""Where `python -m gammapolars` and `python -m tests.benchmarks` are run from."""

PACKAGES = ("polars", "uproot", "deflate", "numpy", "numba", "duckdb", "pandas", "boost-histogram")


class Side(NamedTuple):
    """One contestant and what it needed, once per repetition."""

    label: str
    values: list[float]

    @property
    def median(self) -> float:
        return median(self.values)


class Outcome(NamedTuple):
    """One comparison, or one quantity with a limit, and what is asked of it.

    Attributes:
        subject: what is done, and on what.
        ours: gammapolars.
        other: who it is compared to; None for a limit.
        unit: of both sides' values.
        figure: what the target is about: a ratio of medians, or our median.
        low: the least figure that meets the target.
        high: the greatest.
        target: the same in words; empty where nothing is asked.
    """

    subject: str
    ours: Side
    other: Side | None
    unit: str
    figure: float
    low: float = -math.inf
    high: float = math.inf
    target: str = ""

    @property
    def met(self) -> bool:
        return self.low <= self.figure <= self.high


def faster(subject: str, ours: Side, other: Side, least: float | None) -> Outcome:
    """How many times as fast as another way we are; `least` is asked, or nothing."""
    target = f"≥ {least:g}×" if least else ""
    return Outcome(subject, ours, other, "s", other.median / ours.median, low=least or 0, target=target)


def within(subject: str, ours: Side, other: Side, most: float) -> Outcome:
    """How many times the time of a bare minimum of work we need; `most` is allowed."""
    return Outcome(subject, ours, other, "s", ours.median / other.median, high=most, target=f"≤ {most:g}×")


def alike(subject: str, ours: Side, other: Side, unit: str, part: float) -> Outcome:
    """How many times as much as ours the other is; `part` up or down is allowed."""
    target = f"±{part:.0%}"
    return Outcome(subject, ours, other, unit, other.median / ours.median, low=1 - part, high=1 + part, target=target)


def limit(subject: str, ours: Side, unit: str, most: float | None) -> Outcome:
    """A quantity of ours; `most` is allowed, or anything."""
    target = f"≤ {most:g} {unit}" if most else ""
    return Outcome(subject, ours, None, unit, ours.median, high=most or math.inf, target=target)


def in_turn(repeat: int, contestants: Mapping[str, Callable[[], object]]) -> list[Side]:
    """Time contestants alternately, so that what disturbs the machine disturbs all of them."""
    sides = [Side(label, []) for label in contestants]
    for _ in range(repeat):
        for side, contestant in zip(sides, contestants.values(), strict=True):
            gc.collect()
            start = time.perf_counter()
            result = contestant()
            side.values.append(time.perf_counter() - start)
            del result
    return sides


class Child(NamedTuple):
    """What a process needed from its start to its end."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run_child(*arguments: str | Path, checkout: Path = ROOT) -> Child:
    """Run a Python process with the package of a checkout and measure it.

    A small process stands between: a child counts the memory of the process that it was forked from as its own peak.
    """
    command = [sys.executable, str(Path(__file__).with_name("child.py")), sys.executable, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed: {done.stderr.strip()}")
    return Child(**json.loads(done.stdout))


def machine() -> str:
    """Date, processor, load and versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return (
        f"{datetime.now():%Y-%m-%d %H:%M}, {os.cpu_count()} cores, {model}, {platform.system()}; {load()}\n"
        f"Python {platform.python_version()}, {versions}"
    )


def load() -> str:
    """The machine's load averages, or that they are unknown."""
    if not hasattr(os, "getloadavg"):
        return "load unknown"
    return "load {:.2f} {:.2f} {:.2f}".format(*os.getloadavg())


def table(outcomes: list[Outcome], *, markdown: bool) -> str:
    """The outcomes, one a line."""
    header = ["what", "gammapolars: min, median", "beside", "min, median", "ratio", "target", "met"]
    rows = [header, *(_row(outcome) for outcome in outcomes)]
    if markdown:
        rows.insert(1, ["---"] * len(header))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _row(outcome: Outcome) -> list[str]:
    subject, ours, other, unit, figure, *_ = outcome
    beside = [other.label, _values(other, unit), f"{figure:.2f}×"] if other else ["", "", ""]
    met = ("yes" if outcome.met else "NO") if outcome.target else ""
    return [f"{subject}: {ours.label}", _values(ours, unit), *beside, outcome.target, met]


def _values(side: Side, unit: str) -> str:
    return f"{min(side.values):.3g}, {side.median:.3g} {unit}"
