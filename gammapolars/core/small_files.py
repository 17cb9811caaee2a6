"""Files that are read whole: no larger than they can sensibly be, and files, so that reading them comes to an end."""

import os
import stat
from pathlib import Path

from gammapolars.core.errors import InputError, readable

MAX_BYTES = 2**26

NEVER_WAIT: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Some files of the system give lines as they come, and would be waited for."""


def check_regular(path: Path) -> None:
    """Raise for what is no file: a device or a pipe may have no end, or never begin.

    Raises:
        InputError: there is none, or it is a folder, a device or a pipe.
    """
    with readable(path):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is a device or a pipe, not a file: save its data in a file first")


def read_small(path: Path, most: int = MAX_BYTES) -> bytes:
    """The whole content of a file.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        InputError: it cannot be read, is no file, or is larger.
    """
    check_regular(path)
    with readable(path), os.fdopen(os.open(path, os.O_RDONLY | NEVER_WAIT), "rb") as file:
        content: bytes | None = file.read(most + 1)
    if content is None:
        raise InputError(f"{path}: gives no data now: save its data in a file first")
    if len(content) > most:
        raise InputError(f"{path}: is larger than {most >> 20} MB, the limit for this kind of file")
    return content
