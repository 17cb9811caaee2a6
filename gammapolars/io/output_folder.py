"""Folders of outputs: complete, or not there at all."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gammapolars.core.errors import OutputError, writable


@contextmanager
def folder_complete_or_nothing(folder: Path, *, overwrite: bool, last: str = "") -> Iterator[Path]:
    """A hidden folder to write files into; they move into place when the block ends without an error.

    In a folder that exists, files of the same names are replaced and nothing else is touched.

    Args:
        folder: the folder to be written; the one that holds it must exist.
        overwrite: whether the folder may exist already.
        last: the file that is moved last, and so is there only when all others are.

    Raises:
        OutputError: the folder exists and `overwrite` is False, or it cannot be written.
    """
    check_folder(folder, overwrite=overwrite)
    exists = folder.is_dir()
    hidden = f".{folder.name}.{secrets.token_hex(4)}.partial"
    partial = folder / hidden if exists else folder.with_name(hidden)
    try:
        with writable(folder):
            partial.mkdir()
            yield partial
            if exists:
                for file in sorted(partial.iterdir(), key=lambda file: file.name == last):
                    file.replace(folder / file.name)
            else:
                partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse what should not be written, before any work is done."""
    with writable(folder):
        if folder.is_dir():
            if not overwrite:
                raise OutputError(f"{folder}: exists already: choose another folder, or overwrite it with --overwrite")
        elif folder.exists() or folder.is_symlink():
            raise OutputError(f"{folder}: is no folder: choose another name")
        elif not folder.parent.is_dir():
            raise OutputError(f"{folder}: there is no folder {folder.parent} to write it into: create it first")
