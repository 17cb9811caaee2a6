"""Files as they were when they were read: by size, time and fingerprint."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from gammapolars.core.errors import readable
from gammapolars.core.file_identity import real
from gammapolars.core.fingerprint import SAMPLED_BYTES, fingerprint

SETTLED_NS = 2 * 10**9
"""A file that was written so shortly ago may change again without a change of its time, as file systems keep it."""

SHOWN = 3
"""This many of the files that changed are named."""


@dataclass(frozen=True)
class Stamp:
    """A file at one time; of a file that is not there all are empty.

    Attributes:
        size: in bytes.
        time_ns: when its content was last changed, as the system says and programs may set it.
        change_ns: when anything of it was last changed; None where that was too recent to go by.
        hash: its fingerprint.
    """

    size: int | None = None
    time_ns: int | None = None
    change_ns: int | None = None
    hash: str | None = None

    def is_same(self, other: "Stamp") -> bool:
        """Whether the content is the same; a fingerprint of parts of a file does not show that if its time changed."""
        is_whole = self.size is None or self.size <= 2 * SAMPLED_BYTES
        return self.hash == other.hash and (is_whole or self.time_ns == other.time_ns)


def stamp(path: Path, before: Stamp | None = None) -> Stamp:
    """The stamp of a file now; a former stamp where nothing of the file was changed since."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return Stamp()
    present = status.st_size, status.st_mtime_ns, status.st_ctime_ns
    if before and present == (before.size, before.time_ns, before.change_ns):
        return before
    is_settled = abs(time.time_ns() - max(present[1:])) > SETTLED_NS
    with readable(path):
        return Stamp(*present[:2], present[2] if is_settled else None, fingerprint(path))


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
    both = {name: (before.get(name, Stamp()), now.get(name, Stamp())) for name in {**before, **now}}
    different = {name: (old.hash, new.hash) for name, (old, new) in both.items() if not old.is_same(new)}
    for name, (old, new) in list(different.items())[:SHOWN]:
        yield f"{'new input' if old is None else 'input missing' if new is None else 'input changed'}: {name}"
    if len(different) > SHOWN:
        yield f"{len(different) - SHOWN} more files"
