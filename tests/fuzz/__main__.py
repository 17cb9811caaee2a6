"""`python -m tests.fuzz`: see the package's docstring."""

import argparse
import sys
import time
from pathlib import Path

from tests import fuzz
from tests.fuzz import runner
from tests.fuzz.cases import formats, write_case
from tests.fuzz.worker import case_of, run_case

SHOWN = 20


def main() -> int:
    """Run what the command line asks for; 1 if anything failed."""
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", description=fuzz.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--format", choices=formats(), action="append", help="may be given again; otherwise all")
    parser.add_argument("--cases", type=int, default=10_000, help="of each format")
    parser.add_argument("--seconds", type=float, help="for all together, if that is less")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=float, default=runner.LIMIT_S, help="seconds that a case may take")
    parser.add_argument("--case", type=int, help="one case alone, in this process")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="with --case: keep its files here")
    wanted = parser.parse_args()
    names = wanted.format or list(formats())
    if wanted.case is not None:
        return max(one_case(name, wanted.seed, wanted.case, wanted.write) for name in names)
    return all_cases(names, wanted)


def one_case(name: str, seed: int, number: int, folder: Path | None) -> int:
    """Run one case and tell what came of it."""
    case = case_of(name, seed, number)
    print(f"{name} case {number}: {case.base.name}, {', '.join(case.steps) or 'untouched'}")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        print(f"written to {write_case(case, folder)}")
    answer = run_case(name, seed, number)
    print(answer.pop("trace", ""))
    print(answer)
    return int("failure" in answer)


def all_cases(names: list[str], wanted: argparse.Namespace) -> int:
    """Run many cases of each format, and print a table and the cases that failed."""
    print(
        f"{'format':10}{'cases':>8}{'read':>8}{'refused':>9}{'partial':>9}{'unnoticed':>11}{'failed':>8}{'slowest':>10}"
    )
    failed = 0
    for place, name in enumerate(names):
        started = time.monotonic()
        seconds = None if wanted.seconds is None else wanted.seconds / (len(names) - place)
        found = runner.run(
            name,
            range(wanted.cases),
            seed=wanted.seed,
            seconds=seconds,
            workers=wanted.workers,
            limit_s=wanted.limit,
        )
        if wanted.seconds is not None:
            wanted.seconds -= time.monotonic() - started
        counts = found.counts
        print(
            f"{name:10}{found.cases:8}{counts['read']:8}{counts['refused']:9}{counts['partial']:9}"
            f"{counts['unnoticed']:11}{len(found.failures):8}{found.slowest[0]:8.1f} s in case {found.slowest[1]}",
            flush=True,
        )
        for number, what in sorted(found.failures.items())[:SHOWN]:
            print(f"  --format {name} --seed {wanted.seed} --case {number}: {what}")
        for number, text in sorted(found.printed.items())[:3]:
            print(f"  printed in case {number} ({len(found.printed)} cases print): {text.strip()[:300]}")
        failed += len(found.failures)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
