"""`python -m tests.oracle`: see the package's docstring."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tests import oracle
from tests.fuzz import runner
from tests.oracle.worker import run_case

NAME = "oracle"

WORKER = (sys.executable, "-m", "tests.oracle.worker")

LIMIT_S = 120.0
"""A run takes half a second; a process of its own, where the machine is busy, some seconds."""

SHOWN = 20


def main() -> int:
    """Run what the command line asks for; 1 if anything failed."""
    parser = argparse.ArgumentParser(
        "python -m tests.oracle", description=oracle.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--seconds", type=float, help="no case is begun after this time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--case", type=int, help="one case alone, in this process")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="with --case: keep its files here")
    wanted = parser.parse_args()
    if wanted.case is not None:
        return one_case(wanted.seed, wanted.case, wanted.write)
    failures = 0

    def log(number: int, answer: dict[str, Any]) -> None:
        nonlocal failures
        if "failure" in answer:
            failures += 1
            if failures <= SHOWN:
                print(f"  --seed {wanted.seed} --case {number}: {answer['failure']}", flush=True)

    found = runner.run(
        NAME,
        range(wanted.first, wanted.first + wanted.cases),
        seed=wanted.seed,
        seconds=wanted.seconds,
        workers=wanted.workers,
        limit_s=LIMIT_S,
        command=WORKER,
        log=log,
    )
    slowest, number = found.slowest
    print(f"{found.cases} runs, {len(found.failures)} failed; the slowest took {slowest:.1f} s (case {number})")
    return int(bool(found.failures))


def one_case(seed: int, number: int, folder: Path | None) -> int:
    """Run one case and tell what came of it."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    answer = run_case(NAME, seed, number, folder)
    print(f"case {number}: {answer['base']}, {', '.join(answer['steps'])}")
    print("\n".join(answer["commands"]))
    print(answer.get("trace", ""))
    print(answer.get("failure", "all as it should be"))
    return int("failure" in answer)


if __name__ == "__main__":
    sys.exit(main())
