"""Hidden files and folders that outputs grow in: locked while they are used, removed when they are abandoned.

Where a system locks files only, as Windows does, a file next to a folder is locked for it.
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from gammapolars.core.errors import writable
from gammapolars.core.system import IS_WINDOWS, patiently
from gammapolars.io.locks import try_lock

Kind = Literal["part", "partial", "sort"]
"""A file that is being written, a folder of such files, a folder of temporary files."""

HIDDEN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(?P<kind>part|partial|sort|lock)", re.DOTALL)
"""Their names; a `lock` is the file that is locked for a folder."""

_HELD: dict[Path, int] = {}
"""The descriptors by which files are locked."""


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
        kind: its purpose.
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


def abandoned_folder(path: Path, kind: Kind, cleaning: ExitStack, fits: Callable[[Path], bool]) -> Path | None:
    """A hidden folder of an output that no process holds any more, locked and removed as a new one is.

    Args:
        path: the output.
        kind: the purpose of the folder.
        cleaning: at whose end it is removed.
        fits: whether a folder will do.

    Returns:
        None where there is none, or the file system has no locks to know it by.
    """
    with writable(path):
        others = sorted(path.parent.iterdir())
    for other in others:
        match = HIDDEN.fullmatch(other.name)
        if not match or (match["name"], match["kind"]) != (path.name, kind) or other.is_symlink() or not other.is_dir():
            continue
        with ExitStack() as own:
            if hold(other, own, surely=True) and fits(other):
                cleaning.callback(remove, other)
                cleaning.push(own.pop_all())
                return other
    return None


def leave(hidden: Path, cleaning: ExitStack) -> None:
    """Let a hidden folder outlive `cleaning`, as one that nobody holds."""
    cleaning.pop_all()
    let_go(_locked_for(hidden))


def hold(path: Path, cleaning: ExitStack, *, surely: bool = False) -> bool:
    """Lock a file or folder until the end of `cleaning`: so other processes know that it is in use.

    Args:
        path: of the file or folder.
        cleaning: at whose end it is unlocked.
        surely: whether it does not do where the file system has no locks.

    Returns:
        Whether it is there: another process may have taken it for abandoned before it was locked.
    """
    locked = _locked_for(path)
    if locked != path:
        cleaning.callback(remove, locked)
        locked.touch()
    try:
        opened = os.open(locked, os.O_RDWR if locked.is_file() and IS_WINDOWS else os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return not surely
    if (is_free := try_lock(opened)) is False or (surely and not is_free):
        os.close(opened)
        return False
    _HELD[locked] = opened
    cleaning.callback(let_go, locked)
    with contextlib.suppress(OSError):
        return path.exists() and os.path.samestat(os.fstat(opened), locked.stat())
    return False


def let_go(path: Path) -> None:
    """Unlock a file or folder that is held, if it is."""
    with contextlib.suppress(KeyError):
        os.close(_HELD.pop(path))


def ready_to_move(path: Path) -> None:
    """Unlock a file that is about to be renamed, where the system does not rename open files."""
    if IS_WINDOWS:
        let_go(path)


def _locked_for(path: Path) -> Path:
    """The file that is locked for a hidden file or folder."""
    return path.with_suffix(".lock") if IS_WINDOWS and path.is_dir() else path


def remove(hidden: Path) -> None:
    """Remove a hidden file, or a hidden folder with all that is in it, if it is there."""
    with contextlib.suppress(OSError):
        if not hidden.is_dir() or hidden.is_symlink():
            patiently(lambda: hidden.unlink(missing_ok=True))
            return
    with contextlib.suppress(OSError):
        for _ in range(10):  # a thread that still writes there may be in the way for a moment
            patiently(lambda: shutil.rmtree(hidden, ignore_errors=not IS_WINDOWS))
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
        locked = _locked_for(hidden)
        if locked != hidden and not locked.exists():
            remove(hidden)
            return
        opened = os.open(locked, os.O_RDWR if IS_WINDOWS else os.O_RDONLY)
        try:
            if not try_lock(opened):
                return
            if not IS_WINDOWS:  # so that nobody locks it meanwhile
                remove(hidden)
        finally:
            os.close(opened)
        if IS_WINDOWS:  # which removes nothing that is open
            remove(hidden)
            remove(locked)
