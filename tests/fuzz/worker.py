"""A process that runs cases, one after the other: told of each by a line on stdin, it answers by one on stdout."""

import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.cases import Base, Case, formats, make_case, write_case
from tests.fuzz.outcomes import Wrong

MORE_BYTES = 3 * 2**29
"""So much memory a worker may take beyond what it has after its first cases: 1.5 GB."""

WARM_UP_CASES = 3


def main() -> None:
    """Run cases of the fuzzer until stdin ends."""
    serve(run_case)


def serve(run_case: Callable[[str, int, int], dict[str, Any]]) -> None:
    """Answer with what a function makes of the kind, the seed and the number of a case, until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else prints
    sys.set_int_max_str_digits(0)  # for the readers that results are compared with
    print(json.dumps({"ready": True}), file=answers)
    for done, line in enumerate(sys.stdin, 1):
        request = json.loads(line)
        answer = run_case(request["format"], request["seed"], request["case"])
        print(json.dumps(answer), file=answers)
        if done == WARM_UP_CASES:
            limit_memory()


def limit_memory() -> None:
    """Let allocations fail that go far beyond what a small file needs."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run_case(name: str, seed: int, number: int) -> dict[str, Any]:
    """Run one case; the answer is a verdict, or what went wrong."""
    started = time.perf_counter()
    case = None
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            case = case_of(name, seed, number)
            verdict = formats()[name].check(case, write_case(case, Path(folder)))
            answer: dict[str, Any] = verdict._asdict()
        except Wrong as wrong:
            answer = {"failure": str(wrong), "trace": traceback.format_exc()}
        except Exception as error:  # of the check itself
            answer = {"failure": f"the check failed: {error!r}", "trace": traceback.format_exc()}
    told = {"base": case.base.name, "steps": list(case.steps)} if case else {}
    return answer | told | {"seconds": time.perf_counter() - started}


def case_of(name: str, seed: int, number: int) -> Case:
    """A case by its number."""
    return make_case(name, _bases(name), seed=seed, number=number, text=formats()[name].text)


@cache
def _bases(name: str) -> list[Base]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return formats()[name].bases(Path(folder))


if __name__ == "__main__":
    main()
