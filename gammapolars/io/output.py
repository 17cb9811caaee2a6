"""Outputs that appear under their name only when they are complete."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from gammapolars.core.errors import OutputError, UsageError, writable

try:
    import fcntl
except ImportError:  # no POSIX system: files of killed processes stay
    fcntl = None  # type: ignore[assignment]

HIDDEN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.part", re.DOTALL)
"""What a file is called while it is being written."""


@contextmanager
def complete_or_nothing(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A hidden file beside `path` to write to; it takes the name `path` when the block ends without an error.

    What processes that were killed have left of the same output is removed.

    Args:
        path: the output's final name.
        overwrite: whether a file of this name is replaced.

    Raises:
        OutputError: the output exists already, or its folder is missing or cannot be written to.
    """
    path = Path(path)
    if HIDDEN.fullmatch(path.name):  # whoever made this name will publish the file
        yield path
        return
    check_output(path, overwrite=overwrite)
    _remove_abandoned(path)
    with ExitStack() as cleaning:
        hidden = _hidden_file(path, cleaning)
        yield hidden
        _publish(hidden, path, overwrite=overwrite)


def _hidden_file(path: Path, cleaning: ExitStack) -> Path:
    """A new hidden file beside `path`, removed at the end of `cleaning` if it is still there.

    It is locked until then: so others know that it is being written.
    """
    while True:
        hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        cleaning.callback(_remove, hidden)  # before there is a file: an interrupt may come at any moment
        with writable(path):
            hidden.touch(exist_ok=False)
            try:
                file = cleaning.enter_context(hidden.open("rb"))
            except FileNotFoundError:  # somebody took it for abandoned, before it was locked
                continue
        if _locked(file) is not False and os.fstat(file.fileno()).st_nlink:
            return hidden


def _remove(hidden: Path) -> None:
    with contextlib.suppress(OSError):
        hidden.unlink(missing_ok=True)


def _locked(file: IO[bytes]) -> bool | None:
    """Lock a file against other processes; False if another one has, None if the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_abandoned(path: Path) -> None:
    """Remove the hidden files of this output that no process holds any more."""
    with contextlib.suppress(OSError):
        for other in path.parent.iterdir():
            match = HIDDEN.fullmatch(other.name)
            if not match or match["name"] != path.name:
                continue
            with contextlib.suppress(OSError), other.open("rb") as file:
                if _locked(file):
                    other.unlink()


def check_suffix(path: Path, what: str, suffixes: Iterable[str]) -> None:
    """Raise where an output's suffix does not tell its format.

    Args:
        path: the output.
        what: such as `matrices are`.
        suffixes: those that are known, in small letters.

    Raises:
        UsageError: it is none of them.
    """
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: unknown suffix '{path.suffix}': {what} written to {', '.join(suffixes)}")


def check_apart(*paths: Path | None) -> None:
    """Raise before any work is done if two outputs have one name.

    Raises:
        UsageError: they have; the message names it.
    """
    names = [path.resolve() for path in paths if path is not None]
    if twice := next((path for path in names if names.count(path) > 1), None):
        raise UsageError(f"{twice.name}: two outputs have this name: give each its own")


def check_output(path: Path, *, overwrite: bool) -> None:
    """Raise before any work is done if an output cannot be written at the end of it.

    Raises:
        OutputError: as for `complete_or_nothing`.
    """
    with writable(path):
        if path.is_dir():
            raise OutputError(f"{path}: is a folder: name a file")
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: exists already: name another output, or allow it with --overwrite")
        if not path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}: make it first")


def _publish(hidden: Path, path: Path, *, overwrite: bool) -> None:
    with writable(path):
        if overwrite:
            hidden.replace(path)
            return
        try:
            os.link(hidden, path)  # unlike a rename, never replaces what another process wrote meanwhile
        except FileExistsError:
            raise OutputError(f"{path}: was written by another process meanwhile: name another output") from None
        except OSError:
            hidden.rename(path)  # file systems without hard links
