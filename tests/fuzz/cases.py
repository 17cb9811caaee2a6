"""Cases: a valid file of a format, what it holds, and what has been done to it."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz.mutations import mutated
from tests.fuzz.outcomes import Read, Refused, Wrong, read_hits, run_command, same

UNTOUCHED = 101
"""One case in so many is the valid file itself."""

COMMANDS, PROCESSES = 0.08, 0.005
"""So large a share of the cases goes through commands in this process, and in one of its own."""

LONG_AGO = 10**9
"""When files were written: none is taken for one that is still being written."""


@dataclass(frozen=True)
class Base:
    """A valid file.

    Attributes:
        name: what kind of its format it is.
        file: the name under which it is read.
        data: its bytes.
        truth: what it holds; the format's own checks know as what.
        hot: stretches of it on which the meaning of the others depends.
        bare: the stretches in which the contents of each column lie without a checksum.
        neighbours: files that lie beside it, undamaged.
    """

    name: str
    file: str
    data: bytes
    truth: Any
    hot: Sequence[tuple[int, int]] = ()
    bare: Sequence[tuple[str, int, int]] = ()
    neighbours: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A file after mutation.

    Attributes:
        base: as it was.
        data: as it is.
        steps: what was done, in words.
        rng: decides what else is random about the case.
    """

    base: Base
    data: bytes
    steps: tuple[str, ...]
    rng: random.Random

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has changed after all."""
        return self.data == self.base.data

    @property
    def touched(self) -> set[str]:
        """The columns of which bytes without a checksum have changed."""
        return {name for name, begin, end in self.base.bare if self.data[begin:end] != self.base.data[begin:end]}


class Verdict(NamedTuple):
    """What came of a case in which nothing went wrong.

    Attributes:
        read: whether the file was read in full; otherwise it was refused.
        partial: whether leave to go on made a difference: hits were left out and counted, or not all could be read.
        unnoticed: whether values are others than in the valid file, and nothing in the format could tell.
    """

    read: bool
    partial: bool = False
    unnoticed: bool = False


@dataclass(frozen=True)
class Format:
    """What there is to know about a kind of file.

    Attributes:
        bases: makes its valid files, in an empty folder.
        check: reads the file of a case and judges what comes out, or raises `Wrong`.
        text: whether it is a text.
    """

    bases: Callable[[Path], list[Base]]
    check: Callable[[Case, Path], Verdict]
    text: bool = False


def make_case(name: str, bases: Sequence[Base], *, seed: int, number: int, text: bool) -> Case:
    """The case of this number: the same whenever it is made."""
    rng = random.Random(f"{name} {seed} {number}")  # a text is hashed in the same way everywhere
    base = rng.choice(bases)
    if number % UNTOUCHED == 0:
        return Case(base, base.data, (), rng)
    data, steps = mutated(base.data, rng.choice(bases).data, rng, text=text, hot=base.hot)
    return Case(base, data, steps, rng)


def write_case(case: Case, folder: Path) -> Path:
    """The case's file, and those beside it, in an empty folder."""
    for name, data in {case.base.file: case.data, **case.base.neighbours}.items():
        (folder / name).write_bytes(data)
        os.utime(folder / name, (LONG_AGO, LONG_AGO))
    return folder / case.base.file


HitOracle = Callable[[Case, Read | Refused, bool], bool]
"""Compares hits, or an error, with what a case's file holds; told whether there was leave to go on. Gives whether
values are others than they were without anybody being able to tell; raises `Wrong` for anything worse."""


def check_hits(oracle: HitOracle) -> Callable[[Case, Path], Verdict]:
    """What has to be true of any file of hits, whatever its format; and what the format's oracle says."""

    def check(case: Case, path: Path) -> Verdict:
        engine = case.rng.random() < 0.5
        strict = read_hits(path, keep_going=False, streaming=engine)
        going = read_hits(path, keep_going=True, streaming=not engine)
        if case.is_untouched and not (isinstance(strict, Read) and same(strict.hits, case.base.truth)):
            raise Wrong(f"the valid file is not read as it should be: {strict}")
        _check_together(strict, going)
        unnoticed = oracle(case, strict, False) | oracle(case, going, True)
        if (drawn := case.rng.random()) < COMMANDS:
            run_command(path, case.rng, strict, process=drawn < PROCESSES)
        partial = isinstance(going, Read) and isinstance(strict, Refused)
        return Verdict(isinstance(strict, Read), partial, unnoticed)

    return check


def _check_together(strict: Read | Refused, going: Read | Refused) -> None:
    """What both ways of reading have to do with each other."""
    if isinstance(strict, Read):
        if strict.lost:
            raise Wrong(f"{strict.lost} hits are left out without leave")
        if not isinstance(going, Read) or going.lost or not same(going.hits, strict.hits):
            raise Wrong(f"with leave to go on, something else comes out of a file without damage: {going}")
    elif isinstance(going, Read) and not going.lost and not going.losses.notes and not going.losses.all:
        raise Wrong(f"with leave to go on nothing is left out or noted, though without it: {strict.message}")
    for read in (strict, going):
        if isinstance(read, Read) and read.told is not None and not read.losses.notes:
            missing = read.told - read.hits.height - read.lost
            if missing not in (0, -1):  # the record in which the file ends does not count there
                raise Wrong(f"{read.told} hits are told of, {read.hits.height} read and {read.lost} left out")


@cache
def formats() -> Mapping[str, Format]:
    """All formats by name."""
    from tests.fuzz import columnar_files, compass_files, notes, root_files, spectra, toml_files

    return {
        "root": Format(root_files.bases, check_hits(root_files.oracle)),
        "csv": Format(compass_files.csv_bases, check_hits(compass_files.csv_oracle), text=True),
        "bin": Format(compass_files.bin_bases, check_hits(compass_files.bin_oracle)),
        "parquet": Format(columnar_files.parquet_bases, check_hits(columnar_files.oracle)),
        "arrow": Format(columnar_files.arrow_bases, check_hits(columnar_files.oracle)),
        "toml": Format(toml_files.bases, toml_files.check, text=True),
        "spectrum": Format(spectra.bases, spectra.check, text=True),
        "notes": Format(notes.bases, notes.check, text=True),
    }
