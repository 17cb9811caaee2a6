"""The files that polars itself scans for a lazy frame, as its plan names them."""

import re
from pathlib import Path

import polars as pl

from gammapolars.core.errors import OutputError
from gammapolars.core.file_identity import same_file

_SCAN = re.compile(r"\bSCAN \[(?P<first>.*?)(?P<more>, \.\.\. \d+ other sources?)?\]$", re.MULTILINE)


def check_not_scanned(frame: pl.LazyFrame, path: Path) -> None:
    """Raise where an output would take the place of a file that polars scans for it.

    Files that this package scans look after themselves (`lazy_frame`). For more files than a few, plans name only the
    first: then those of the same format next to it are taken for the others.

    Raises:
        OutputError: it would.
    """
    if not path.exists():
        return
    for scan in _SCAN.finditer(frame.explain(optimized=False)):
        first = Path(scan["first"])
        # A list of a few names cannot be split where a name holds a comma: then the whole is one.
        names = [first, *map(Path, scan["first"].split(", "))]
        beside = bool(scan["more"]) and path.suffix == first.suffix and same_file(path.parent, [first.parent])
        if beside or same_file(path, [*names, *(name.parent for name in names if path.is_dir())]):
            raise OutputError(f"{path}: is the input of this frame and is never replaced by it: choose another output")
