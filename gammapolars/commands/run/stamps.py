"""Files as they were when they were read: by size, time and fingerprint."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from glob import glob
from pathlib import Path
from typing import Any

from gammapolars.core.errors import readable
from gammapolars.core.file_identity import real
from gammapolars.core.fingerprint import fingerprint

SETTLED_NS = 2 * 10**9
"""A file that was written so shortly ago may change again without a change of its time, as file systems keep it."""

SHOWN = 3
"""This many of the files that changed are named."""


@dataclass(frozen=True)
class Stamp:
    """A file at one time; of a file that is not there all are empty.

    Attributes:
        size: in bytes.
        time_ns: when it was last changed; None where that was too recent to go by.
        hash: its fingerprint.
    """

    size: int | None = None
    time_ns: int | None = None
    hash: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The stamp as plain values."""
        return asdict(self)


def stamp(path: Path, before: Stamp | None = None) -> Stamp:
    """The stamp of a file now; the fingerprint of a former stamp where size and time are the same."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return Stamp()
    if before and (status.st_size, status.st_mtime_ns) == (before.size, before.time_ns):
        return before
    with readable(path):
        return Stamp(status.st_size, _settled(status.st_mtime_ns), fingerprint(path))


def _settled(time_ns: int) -> int | None:
    return time_ns if abs(time.time_ns() - time_ns) > SETTLED_NS else None


def listed(path: Path, without: Path) -> Iterator[Path]:
    """The files that a name means now.

    Args:
        path: of a file, of a folder whose files are meant, or a pattern: its folders that are there mean themselves.
        without: a folder of outputs, which are left out.
    """
    if path.is_dir():
        yield from _below(path, without)
    elif path.exists():
        yield path
    else:
        folder = next((one for one in path.parents if one.is_dir()), Path())
        for name in sorted(glob(str(path.relative_to(folder)), root_dir=folder)):  # noqa: PTH207 - pathlib takes no root
            one = folder / name
            yield from _below(one, without) if one.is_dir() else (one,)


def _below(folder: Path, without: Path) -> Iterator[Path]:
    """All files in a folder that are not hidden."""
    left_out = real(without)
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and real(Path(place) / one) != left_out)
        if real(Path(place)) != left_out:
            yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


def changes(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> Iterator[str]:
    """How files differ from what they were, in words: the first few of many."""
    hashes = {name: (before.get(name, Stamp()).hash, now.get(name, Stamp()).hash) for name in {**before, **now}}
    different = {name: both for name, both in hashes.items() if both[0] != both[1]}
    for name, (old, new) in list(different.items())[:SHOWN]:
        yield f"{'new input' if old is None else 'input missing' if new is None else 'input changed'}: {name}"
    if len(different) > SHOWN:
        yield f"{len(different) - SHOWN} more files"
