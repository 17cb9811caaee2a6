"""Patterns of file names, in which an existing folder is meant literally, whatever characters its name has."""

import glob
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TypeVar

P = TypeVar("P", bound=PurePath)


def matches(name: str | Path) -> list[Path] | None:
    """The files and folders that match a pattern, none of them too; None where a name is no pattern.

    Raises:
        OSError, ValueError: it cannot be looked up.
    """
    if not glob.has_magic(str(name)):
        return None
    return [Path(match) for match in glob.glob(as_pattern(Path(name), Path.is_dir))]  # noqa: PTH207 - it may be absolute


def as_pattern(path: P, is_there: Callable[[P], bool]) -> str:
    r"""A pattern whose beginning is the innermost of its folders that is there, character for character.

    So `run [1]/*.root` and `\\?\C:\DAQ\*.root` of Windows mean what they say.
    """
    folder = next((folder for folder in path.parents if folder.name and is_there(folder)), None)
    if folder is None:
        return str(path)
    plain = folder.drive + glob.escape(str(folder)[len(folder.drive) :])
    return str(type(path)(plain, *path.parts[len(folder.parts) :]))
