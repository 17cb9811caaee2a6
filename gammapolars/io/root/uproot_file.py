"""ROOT files opened by uproot, for what is not read here directly."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def opened_by_uproot(path: str | Path) -> Iterator[Any]:
    """A ROOT file opened by uproot, which afterwards knows what it knew before.

    uproot makes classes of what a file tells of its types, and keeps them for all files to come: what a damaged file
    tells would change how the next one is read.
    """
    import uproot

    before = dict(uproot.classes)
    versions = {
        name: dict(classes) for name, kind in before.items() if (classes := getattr(kind, "known_versions", None))
    }
    try:
        with uproot.open(str(path)) as file:
            yield file
    finally:
        uproot.classes.clear()
        uproot.classes.update(before)
        for name, of_class in versions.items():
            before[name].known_versions.clear()
            before[name].known_versions.update(of_class)
