"""What Windows does not allow, refused here as well: renaming, replacing and removing files that are open or mapped."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def in_use(path: str | Path) -> bool:
    """Whether this process has a file, or something in a folder, open or mapped."""
    name = os.path.realpath(path)
    used = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            used.add(str(descriptor.readlink()))
        except OSError:
            continue
    for line in Path("/proc/self/maps").read_text().splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6:
            used.add(parts[5])
    return any(one == name or one.startswith(f"{name}/") for one in used)


def _refusing(function: Callable[..., Any], *, both: bool) -> Callable[..., Any]:
    def checked(path: Any, *words: Any, **named: Any) -> Any:
        for one in (path, *words[:1]) if both else (path,):
            if isinstance(one, str | Path) and os.path.lexists(one) and in_use(one):
                raise PermissionError(errno.EACCES, "The process cannot access the file: it is in use", str(one))
        return function(path, *words, **named)

    return checked


def emulate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process refuse it."""
    for name, both in (("rename", True), ("replace", True), ("unlink", False), ("remove", False)):
        monkeypatch.setattr(os, name, _refusing(getattr(os, name), both=both))
