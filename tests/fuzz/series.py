"""The command line of a long series of cases: all of them in workers, or one alone in this process."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.fuzz import runner

SHOWN = 20

RunCase = Callable[[str, int, int, Path | None], dict[str, Any]]
"""Runs a case of some kind by its seed and number, in a folder that stays if one is named."""


def series(module: str, about: str | None, kinds: Mapping[str, int], run_case: RunCase, *, limit_s: float) -> int:
    """Run what the command line asks for; 1 if anything failed.

    Args:
        module: the series' package; its module `worker` runs cases as `tests.fuzz.worker` does.
        about: what its help says.
        kinds: of cases, and how many of each are usual.
        run_case: runs one.
        limit_s: how long a case may take.
    """
    parser = argparse.ArgumentParser(
        f"python -m {module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=kinds, action="append", help="may be given again; otherwise all")
    parser.add_argument("--cases", type=int, help=f"of all kinds together; otherwise {sum(kinds.values())}")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case of each kind")
    parser.add_argument("--seconds", type=float, help="of each kind: no case is begun after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--case", type=int, help="one case alone of each kind, in this process")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="with --case: keep its files here")
    wanted = parser.parse_args()
    names = wanted.kind or list(kinds)
    if wanted.case is not None:
        return max(one_case(run_case, name, wanted.seed, wanted.case, wanted.write) for name in names)
    share = 1 if wanted.cases is None else wanted.cases / sum(kinds[name] for name in names)
    worker = (sys.executable, "-m", f"{module}.worker")
    done = failed = 0
    for name in names:
        found = runner.run(
            name,
            range(wanted.first, wanted.first + max(round(share * kinds[name]), 1)),
            seed=wanted.seed,
            seconds=wanted.seconds,
            workers=wanted.workers,
            limit_s=limit_s,
            command=worker,
            log=_log(name, wanted.seed),
        )
        slowest, number = found.slowest
        print(
            f"{name:12}{found.cases:6} cases, {len(found.failures):3} failed; "
            f"the slowest took {slowest:5.1f} s (case {number})",
            flush=True,
        )
        done, failed = done + found.cases, failed + len(found.failures)
    print(f"{done} cases, {failed} failed")
    return int(failed > 0)


def _log(name: str, seed: int) -> Callable[[int, dict[str, Any]], None]:
    """Prints the first failures of a kind as they come."""
    shown = 0

    def log(number: int, answer: dict[str, Any]) -> None:
        nonlocal shown
        if "failure" in answer and shown < SHOWN:
            shown += 1
            print(f"  --kind {name} --seed {seed} --case {number}: {answer['failure'][:1000]}", flush=True)

    return log


def one_case(run_case: RunCase, name: str, seed: int, number: int, folder: Path | None) -> int:
    """Run one case and tell what came of it."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    answer = run_case(name, seed, number, folder)
    print(f"{name} case {number}: {answer.get('base', '')}, {', '.join(answer.get('steps', ()))}")
    print("\n".join(answer.get("commands", ())))
    print(answer.get("trace", ""))
    print(answer.get("failure", "all as it should be"))
    return int("failure" in answer)
