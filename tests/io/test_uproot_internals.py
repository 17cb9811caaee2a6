"""uproot's private parts, which may go with any version: named in one module, and still there."""

import re
from pathlib import Path

import numpy as np
import uproot

import gammapolars

PRIVATE = {
    "the writable file": ("_file",),
    "the writable tree": ("_cascading",),
    "a tree as it is written": (
        "_basket_capacity",
        "_branch_data",
        "_branch_lookup",
        "_directory",
        "_freesegments",
        "_key",
        "_metadata",
        "_num_baskets",
        "_num_entries",
        "_relocate",
    ),
    "the free segments": ("_data",),
}
"""The attributes, by what they are of."""

IO = Path(gammapolars.__file__).parent / "io"


def test_the_private_parts_are_there(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        writable = file.mktree("tree", {"x": np.dtype("i4")})
        tree = writable._cascading
        holders = dict(zip(PRIVATE, (file, writable, tree, tree._freesegments), strict=True))

        missing = [
            (what, name) for what, names in PRIVATE.items() for name in names if not hasattr(holders[what], name)
        ]

    assert missing == []


def test_they_are_used_in_one_module_and_listed_there() -> None:
    private = re.compile(r"(?<!self)(?<!cls)\.(_[a-z]\w*)|_tree\.(_[a-z]\w*)|file\.(_file)\b|\b(_cascading)\b")
    used: dict[str, set[str]] = {}
    for path in IO.rglob("*.py"):
        if "uproot" in (text := path.read_text(encoding="utf-8")):
            names = {name for found in private.findall(text) for name in found if name} - {"_replace", "_asdict"}
            used |= {path.name: names} if names else {}

    assert used == {"uproot_internals.py": {name for names in PRIVATE.values() for name in names}}
