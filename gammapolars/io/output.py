"""Outputs that appear under their name only when they are complete."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gammapolars.errors import OutputError


@contextmanager
def complete_or_nothing(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A hidden file beside `path` to write to; it takes the name `path` when the block ends without an error.

    Args:
        path: the output's final name.
        overwrite: whether a file of this name is replaced.

    Raises:
        OutputError: the output exists already, or its folder is missing or cannot be written to.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite)
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        hidden.touch(exist_ok=False)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        yield hidden
        _publish(hidden, path, overwrite=overwrite)
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink(missing_ok=True)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Raise before any work is done if an output cannot be written at the end of it.

    Raises:
        OutputError: as for `complete_or_nothing`.
    """
    try:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder: name a file")
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: exists already: name another output, or allow it with --overwrite")
        if not path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}: make it first")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None


def _publish(hidden: Path, path: Path, *, overwrite: bool) -> None:
    try:
        if overwrite:
            hidden.replace(path)
            return
        try:
            os.link(hidden, path)  # unlike a rename, never replaces what another process wrote meanwhile
        except FileExistsError:
            raise OutputError(f"{path}: was written by another process meanwhile: name another output") from None
        except OSError:
            hidden.rename(path)  # file systems without hard links
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
