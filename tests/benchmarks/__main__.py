"""`python -m tests.benchmarks`: run the comparisons and print a table of them."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

try:
    from tests.benchmarks.binning import binning
    from tests.benchmarks.coincidences import as_processes, in_process
    from tests.benchmarks.in_memory import in_memory
    from tests.benchmarks.one_machine import one_machine
except ImportError as error:
    sys.exit(f"Error: the benchmarks need what is not installed ({error}): pip install '.[benchmark]'")

from tests.benchmarks.files import Plan, describe
from tests.benchmarks.forms import forms
from tests.benchmarks.measure import ROOT, Outcome, load, machine, table
from tests.benchmarks.one_pass import one_pass
from tests.benchmarks.reading import reading
from tests.benchmarks.resources import memory, start

COMPARISONS: dict[str, Callable[[Plan], list[Outcome]]] = {
    "one-machine": one_machine,
    "in-process": in_process,
    "whole-process": as_processes,
    "reading": reading,
    "forms": forms,
    "in-memory": in_memory,
    "binning": binning,
    "one-pass": one_pass,
    "memory": memory,
    "start": start,
}

LARGE = (100_000_000, 200_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--hits", type=lambda text: int(float(text)), default=20_000_000, help="hits of the runs")
    parser.add_argument("--large", action="store_true", help="also runs of 100 and 200 million hits (2.3 GB of files)")
    parser.add_argument("--repeat", type=int, default=3, help="how often each contestant is timed")
    parser.add_argument("--only", choices=COMPARISONS, action="append", help="this comparison; may be repeated")
    parser.add_argument("--data", type=Path, default=ROOT / ".benchmark", help="where runs are kept, to be used again")
    parser.add_argument("--baseline", type=Path, help="checkout of another version that `one-machine` compares with")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    given = parser.parse_args()
    large, baseline = LARGE if given.large else (), given.baseline and given.baseline.resolve()
    plan = Plan(given.data.resolve(), given.hits, given.repeat, large, progress=True, baseline=baseline)

    print(machine())
    print(describe(plan.run()), flush=True)
    outcomes = []
    for name in given.only or COMPARISONS:
        found = COMPARISONS[name](plan)
        print(f"{name}:\n{table(found, markdown=False)}\n", file=sys.stderr, flush=True)
        outcomes += found
    print(f"{load()} at the end; each contestant {given.repeat} times, in turn\n")
    print(table(outcomes, markdown=given.markdown))
    asked = [outcome for outcome in outcomes if outcome.target]
    print(f"\n{sum(outcome.met for outcome in asked)} of {len(asked)} targets met")


if __name__ == "__main__":
    main()
