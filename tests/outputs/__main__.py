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
from tests.outputs.command_line import CommandLine, chosen
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
    asked = parser.parse_args()
    lines = chosen(all_lines(recorded_runs()), asked.only)
    if not lines:
        parser.error(f"no command line has the word '{asked.only}'")
    with ExitStack() as stack:
        try:
            check_checkout(asked.other)
            folder = _folder(asked.keep, stack)
            sides = _sides(asked.other.resolve(), folder)
        except (OSError, InputError) as error:
            print(f"Error: {error}", file=sys.stderr)
            return 2
        return report(lines, sides, NONE if asked.exact else CHANGES)


def recorded_runs() -> Path | None:
    """The folder of recorded runs, if there is one."""
    name = os.environ.get("GAMMAPOLARS_REAL_DATA")
    return Path(name) if name else None


def all_lines(recorded: Path | None) -> list[CommandLine]:
    """All command lines that can run here."""
    return [*on_simulated_runs(), *with_errors(), *(on_recorded_runs() if recorded else ())]


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outputs-"))).resolve()
    keep.mkdir(parents=True)
    return keep.resolve()


def _sides(other: Path, folder: Path) -> tuple[Side, Side]:
    """This checkout and the other, with inputs for both."""
    started = time.monotonic()
    inputs = folder / "inputs"
    make_inputs(other, inputs, recorded_runs())
    print(f"inputs made by {other} in {time.monotonic() - started:.0f} s", flush=True)
    return Side(HERE, folder / "here", inputs), Side(other, folder / "there", inputs)


def report(lines: Sequence[CommandLine], sides: tuple[Side, Side], changes: Changes) -> int:
    """Print what is the same and what differs; 1 if anything does."""
    differing, started = 0, time.monotonic()
    for line, differences in compared(lines, sides, changes):
        differing += bool(differences)
        print(f"{'DIFFERENT' if differences else 'same':9}  {line.name}: {line.text}", flush=True)
        for difference in differences:
            print(f"           {difference}", flush=True)
    print(f"{time.monotonic() - started:.0f} s")
    print(f"{len(lines)} command lines, {differing} differ")
    return int(differing > 0)


def compared(
    lines: Sequence[CommandLine], sides: tuple[Side, Side], changes: Changes
) -> Iterator[tuple[CommandLine, list[str]]]:
    """Run each line on both sides at the same time, each side in order, and compare what comes of it."""
    here, there = sides
    with ThreadPoolExecutor(1) as of_here, ThreadPoolExecutor(1) as of_there:
        outcomes = [(line, of_here.submit(here.run, line), of_there.submit(there.run, line)) for line in lines]
        for line, one, other in outcomes:
            comparison = Comparison(line, changes)
            yield line, comparison.differences(one.result(), other.result(), here.files(line), there.files(line))


if __name__ == "__main__":
    sys.exit(main())
