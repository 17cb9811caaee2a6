"""Hidden files and folders that outputs grow in: locked while they are used, removed when they are abandoned."""

import contextlib
import os
import re
import secrets
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from gammapolars.core.errors import writable

try:
    import fcntl
except ImportError:  # no POSIX system: what killed processes leave stays
    fcntl = None  # type: ignore[assignment]

Kind = Literal["part", "partial", "sort"]
"""A file that is being written, a folder of such files, a folder of temporary files."""

HIDDEN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(?P<kind>part|partial|sort)", re.DOTALL)
"""What they are called."""


def hidden_name(path: Path, kind: Kind) -> Path:
    """A name that no file has, next to an output."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{kind}")


def is_part(path: Path) -> bool:
    """Whether a file has the name of one that is being written."""
    match = HIDDEN.fullmatch(path.name)
    return bool(match and match["kind"] == "part")


def hidden_file(path: Path, cleaning: ExitStack) -> Path:
    """A new hidden file next to `path`, locked until the end of `cleaning`, and removed then if it is still there."""
    while True:
        hidden = hidden_name(path, "part")
        cleaning.callback(remove, hidden)  # before there is a file: an interrupt may come at any moment
        with writable(path):
            hidden.touch(exist_ok=False)
            if hold(hidden, cleaning):
                return hidden


def hidden_folder(path: Path, kind: Kind, cleaning: ExitStack, *, inside: bool = False) -> Path:
    """A new hidden folder for an output, locked and removed in the same way.

    Args:
        path: the output, next to which the folder lies.
        kind: what it is for.
        cleaning: at whose end it is removed.
        inside: whether it lies in `path`, a folder, instead.
    """
    while True:
        hidden = hidden_name(path, kind)
        hidden = path / hidden.name if inside else hidden
        cleaning.callback(remove, hidden)
        with writable(path):
            hidden.mkdir()
            if hold(hidden, cleaning):
                return hidden


def hold(path: Path, cleaning: ExitStack) -> bool:
    """Lock a file or folder until the end of `cleaning`: so other processes know that it is in use.

    Returns:
        Whether it is there: another process may have taken it for abandoned before it was locked.
    """
    try:
        opened = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:  # a system that opens no folders
        return True
    cleaning.callback(os.close, opened)
    if _locked(opened) is False:
        return False
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(opened), path.stat())
    return False


def remove(hidden: Path) -> None:
    """Remove a hidden file, or a hidden folder with all that is in it, if it is there."""
    with contextlib.suppress(OSError):
        if not hidden.is_dir() or hidden.is_symlink():
            hidden.unlink(missing_ok=True)
            return
    for _ in range(10):  # a thread that still writes there may be in the way for a moment
        shutil.rmtree(hidden, ignore_errors=True)
        if not hidden.exists():
            break


def remove_abandoned(path: Path) -> None:
    """Remove the hidden files and folders of an output that no process holds any more."""
    for folder in (path.parent, path):
        with contextlib.suppress(OSError):
            for other in folder.iterdir():
                match = HIDDEN.fullmatch(other.name)
                if match and match["name"] == path.name:
                    _remove_unheld(other)


def _remove_unheld(hidden: Path) -> None:
    with contextlib.suppress(OSError):
        opened = os.open(hidden, os.O_RDONLY)
        try:
            if _locked(opened):
                remove(hidden)
        finally:
            os.close(opened)


def _locked(opened: int) -> bool | None:
    """Lock a file against other processes; False if another one has, None if the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
