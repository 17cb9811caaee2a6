"""The inputs that both sides share: simulated runs, what other commands make of them, and damaged files."""

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.outputs import input_files
from tests.outputs.command_line import CommandLine
from tests.outputs.running import run

WRITTEN_S = 10**9
"""When all inputs were written, since 1970: long ago, as a run that is young may still be growing."""

ON_GE = "--detectors ge.toml --layout small"

ALWAYS = ("convert nai.root -o nai.parquet",)
"""What files of hits in other formats are made of."""

RUNS = (
    f"simulate --source Eu-152=20kBq --hits 100000 --seed 152 {ON_GE} -o eu152.root",
    f"simulate --source Co-60=20kBq --hits 100000 --seed 61 --drift 0.3 {ON_GE} -o drift.root",
    "simulate --source In-111=20kBq --hits 100000 --seed 111 --detectors la.toml --solid-angle 0.2 "
    "--time-resolution 1ns --tick 100ps --dead-time 100ns -o in111.root",
    "simulate --source Co-60=20kBq --hits 400000 --seed 60 --detectors directions.toml --solid-angle 0.04 "
    "--background 0 --correlation 1173.2,1332.5=4,2,0 -o correlated.root",
    "coincidences co60.root --detectors co60.toml --random auto -o pairs.parquet --matrix matrix.parquet",
    "coincidences co60.root --detectors co60.toml --layout compass-pairs -o pairs.root --matrix matrix.root",
    "matrix co60.root --detectors co60.toml -o matrix.m4b",
)
"""What is made first."""

PRODUCTS = (
    "spectrum eu152.root --detectors ge.toml -o europium.spe",
    "spectrum eu152.root --detectors ge.toml -o spectra.parquet",
    "peaks eu152.root --detectors ge.toml -o peaks.csv",
    "drift drift.root --detectors ge.toml --track 1332.5 -o drift.parquet",
)
"""What is made of that."""

LAST = ("efficiency peaks.csv --detectors ge.toml --live-time 60 --started 2024-06-01 -o efficient.toml",)


class InputError(Exception):
    """An input cannot be made."""


def make_inputs(checkout: Path, folder: Path, recordings: Path | None, lines: Sequence[CommandLine]) -> None:
    """Make the inputs of some command lines.

    Args:
        checkout: whose examples, queries and commands they come from.
        folder: where they are to lie; it must not exist yet.
        recordings: a folder of recorded runs, which gets the name `recorded` there.
        lines: the command lines.

    Raises:
        InputError: a command fails.
    """
    folder.mkdir(parents=True)
    _copy_examples(checkout, folder)
    input_files.write_texts(folder)
    necessary = needed_steps(lines)
    _run_all(checkout, folder, [*ALWAYS, *(text for text in RUNS if text in necessary)])
    input_files.write_hits(folder)
    input_files.write_damage(folder)
    for steps in (PRODUCTS, LAST):
        _run_all(checkout, folder, [text for text in steps if text in necessary])
    for path in folder.rglob("*"):
        os.utime(path, (WRITTEN_S, WRITTEN_S))
    if recordings is not None:
        (folder / "recorded").symlink_to(recordings.resolve(), target_is_directory=True)


def needed_steps(lines: Iterable[CommandLine]) -> set[str]:
    """Those of the commands above whose outputs are inputs of command lines, or of a command that is needed itself."""
    names = [name for line in lines for name in line.inputs]
    steps: set[str] = set()
    for step in reversed([*RUNS, *PRODUCTS, *LAST]):
        stems = [Path(name).stem for name in re.findall(r"(?:-o|--matrix) (\S+)", step)]
        if any(name.startswith(stem) for stem in stems for name in names):
            steps.add(step)
            names += step.split()
    return steps


def _copy_examples(checkout: Path, folder: Path) -> None:
    names = {
        "co60-four-hpge.root": "co60.root",
        "detectors.toml": "co60.toml",
        "na22-two-nai.root": "nai.root",
        "detectors-nai.toml": "nai.toml",
    }
    for example, name in names.items():
        shutil.copy2(checkout / "data" / example, folder / name)
    shutil.copytree(checkout / "queries", folder / "queries", ignore=shutil.ignore_patterns("__pycache__"))


def _run_all(checkout: Path, folder: Path, texts: Iterable[str]) -> None:
    """Run commands that do not need each other, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        for text, outcome in [(text, pool.submit(run, checkout, shlex.split(text), folder)) for text in texts]:
            if outcome.result().code:
                raise InputError(f"gammapolars {text}: {outcome.result().err.strip()}")
