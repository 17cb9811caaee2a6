"""Which names mean the same file, and which files are about to be replaced by an output."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gammapolars.core.errors import InputError, OutputError

Identity = tuple[int, int]

_REPLACED: Counter[Identity] = Counter()
"""Identities of the files that unfinished outputs will replace."""


def identity(path: str | Path) -> Identity | None:
    """Device and inode of a file or folder, which all its names and links share; None: there is none."""
    try:
        of = Path(path).stat()
    except (OSError, ValueError):
        return None
    return (of.st_dev, of.st_ino)


def version(path: Path) -> tuple[str, int, int, int]:
    """What distinguishes a file, by name, from the same one after a change, without reading it."""
    status = path.stat()
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns


def real(path: Path) -> Path:
    """Where a path leads, without links; also where they lead in a circle, of which pathlib raises a RuntimeError."""
    return Path(os.path.realpath(path))


def same_file(path: Path, others: Iterable[Path]) -> Path | None:
    """The first of some files of which a path is another name or a link; None: of none."""
    own, resolved = identity(path), real(path)
    if own is None:
        return None
    # Not every file system numbers its files reliably.
    return next((one for one in others if identity(one) == own or real(one) == resolved), None)


def repeated_name(paths: Sequence[Path]) -> Path | None:
    """The first path that means the same file as one before it, whether the file exists or not.

    Names that differ in case, or in how accents are encoded, are taken for the same: on some file systems they are.
    """
    seen: set[object] = set()
    for path in paths:
        spelling = unicodedata.normalize("NFC", str(real(path))).casefold()
        keys = {spelling, identity(path) or spelling}
        if keys & seen:
            return path
        seen |= keys
    return None


@contextmanager
def replacing(path: Path) -> Iterator[None]:
    """While an output is written that takes the place of a file, no rows of that file are read."""
    own = identity(path)
    if own is not None:
        _REPLACED[own] += 1
    try:
        yield
    finally:
        if own is not None:
            _REPLACED[own] -= 1


def is_filled(path: Path) -> bool:
    """Whether a file is there and holds anything."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def begin_reading(path: Path, *, filled: bool) -> None:
    """Raise where the rows that are about to be read would become an output in place of this very file.

    Args:
        path: the file.
        filled: whether it held anything when it was opened.

    Raises:
        OutputError: they would.
        InputError: it was emptied after it was opened.
    """
    if filled and path.exists() and not is_filled(path):
        raise InputError(
            f"{path}: is now empty, but was not when it was opened: a polars sink truncates its output file "
            "before reading the input; save does not"
        )
    if any(_REPLACED.values()) and (own := identity(path)) is not None and _REPLACED[own]:
        raise OutputError(f"{path}: is the input of this output and is never replaced by it: choose another output")
