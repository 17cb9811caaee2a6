"""`python -m tests.outputs OTHER_CHECKOUT`: see the package's docstring."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests import outputs
from tests.outputs.changes import Changes
from tests.outputs.command_line import CommandLine, selection
from tests.outputs.command_lines import on_simulated_runs
from tests.outputs.comparing import Comparison
from tests.outputs.errors import with_errors
from tests.outputs.inputs import InputError, make_inputs
from tests.outputs.keys import CHANGES, NONE
from tests.outputs.recorded import on_recorded_runs
from tests.outputs.running import Side, check_checkout

HERE = Path(__file__).resolve().parents[2]
"""This checkout."""


def main() -> int:
    """Compare what the command line asks for; 1 if anything differs."""
    parser = argparse.ArgumentParser(
        "python -m tests.outputs", description=outputs.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, metavar="OTHER_CHECKOUT", help="the older code")
    parser.add_argument("--only", metavar="WORD", default="", help="command lines whose name or text has this word")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="new folder that keeps all inputs and outputs")
    parser.add_argument("--exact", action="store_true", help="let nothing differ, whatever keys.py says")
    options = parser.parse_args()
    lines = selection(all_lines(recorded_runs()), options.only)
    if not lines:
        parser.error(f"no command line has the word '{options.only}'")
    with ExitStack() as stack:
        try:
            check_checkout(options.other)
            folder = _folder(options.keep, stack)
            sides = _sides(options.other.resolve(), folder, lines)
        except (OSError, InputError) as error:
            print(f"Error: {error}", file=sys.stderr)
            return 2
        return report(lines, sides, NONE if options.exact else CHANGES)


def recorded_runs() -> Path | None:
    """The folder of recorded runs, if there is one."""
    name = os.environ.get("GAMMAPOLARS_REAL_DATA")
    return Path(name) if name else None


def all_lines(recordings: Path | None) -> list[CommandLine]:
    """All command lines that can run here."""
    return [*on_simulated_runs(), *with_errors(), *(on_recorded_runs() if recordings else ())]


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outputs-"))).resolve()
    keep.mkdir(parents=True)
    return keep.resolve()


def _sides(other: Path, folder: Path, lines: Sequence[CommandLine]) -> tuple[Side, Side]:
    """This checkout and the other, with inputs for both."""
    started = time.monotonic()
    inputs = folder / "inputs"
    make_inputs(other, inputs, recorded_runs(), lines)
    print(f"inputs made by {other} in {time.monotonic() - started:.0f} s", flush=True)
    return Side(HERE, folder / "here", inputs), Side(other, folder / "there", inputs)


def report(lines: Sequence[CommandLine], sides: tuple[Side, Side], changes: Changes) -> int:
    """Print what is the same and what differs; 1 if anything does.

    What differs runs once more: what is the same then differed by chance, as it would from one call to the next of the
    same code, and is told but does not count.
    """
    started = time.monotonic()
    first = print_comparisons(lines, sides, changes)
    second = []
    if first:
        print("\nThose that differ, once more:")
        second = print_comparisons(first, (sides[0].again(first), sides[1].again(first)), changes)
    print(f"\n{time.monotonic() - started:.0f} s")
    if unsteady := [line.name for line in first if line not in second]:
        print(f"not the same from one call to the next: {', '.join(unsteady)}")
    print(f"{len(lines)} command lines, {len(second)} differ")
    return int(bool(second))


def print_comparisons(lines: Sequence[CommandLine], sides: tuple[Side, Side], changes: Changes) -> list[CommandLine]:
    """Print a line for each command line, and what differs; those that differ."""
    different = []
    for line, differences in comparisons(lines, sides, changes):
        print(f"{'DIFFERENT' if differences else 'same':9}  {line.name}: {line.text}", flush=True)
        for difference in differences:
            print(f"           {difference}", flush=True)
        if differences:
            different.append(line)
    return different


def comparisons(
    lines: Sequence[CommandLine], sides: tuple[Side, Side], changes: Changes
) -> Iterator[tuple[CommandLine, list[str]]]:
    """Run each line on both sides at the same time, each side in order, and compare what comes of it."""
    here, there = sides
    pools = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
    try:
        outcomes = [(line, pools[0].submit(here.run, line), pools[1].submit(there.run, line)) for line in lines]
        for line, one, other in outcomes:
            comparison = Comparison(line, changes)
            yield line, comparison.differences(one.result(), other.result(), here.files(line), there.files(line))
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main())
