"""`python -m tests.house.pythons`: the Pythons of this machine that are newer than the one that runs this."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

TRIED = sorted(int(found[1]) for one in PROJECT["classifiers"] if (found := re.search(r":: 3\.(\d+)$", one)))
"""The versions 3.N that the classifiers name: all tests passed with them."""

NEWER = [minor for minor in (*TRIED, TRIED[-1] + 1) if minor > sys.version_info[1]]
"""Those that are newer than this one, and the first that nobody has tried."""


def interpreter(minor: int) -> Path | None:
    """The program of Python 3.N, from the path or from pyenv, if it is there and runs."""
    return next((path for path in _candidates(minor) if _runs(path, minor)), None)


def _candidates(minor: int) -> Iterator[Path]:
    if found := shutil.which(f"python3.{minor}"):
        yield Path(found)
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from sorted(versions.glob(f"3.{minor}.*/bin/python"), reverse=True)


def _runs(path: Path, minor: int) -> bool:
    """Whether a program is that version: pyenv has names of versions that it does not start."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return False
    return done.stdout.startswith(f"Python 3.{minor}.")


def main() -> None:
    by_minor = {minor: interpreter(minor) for minor in NEWER}
    found = [f"3.{minor} ({path})" for minor, path in by_minor.items() if path]
    missing = [f"3.{minor}" for minor, path in by_minor.items() if not path]
    print(f"found: {', '.join(found) or 'none'}")
    print(f"not found, and so not tried: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
