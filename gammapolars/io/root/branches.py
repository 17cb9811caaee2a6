"""What is known of a TTree before its baskets are read: its flat branches, and where their baskets lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import InputError

MAX_BASKET_BYTES = 2**31 - 1
"""What a basket's key can tell."""


@dataclass(frozen=True)
class Branch:
    """Where one branch's baskets lie.

    Attributes:
        name: the branch's name in the tree.
        dtype: of its values on disk, big-endian.
        entries: first entry of each basket, and the end: shape (baskets + 1,).
        seeks: file offset of each basket, in bytes.
        sizes: bytes of each basket, its key included.
        embedded: whether the last baskets lie inside the tree's metadata, where only uproot reads them.
    """

    name: str
    dtype: np.dtype[Any]
    entries: npt.NDArray[Any]
    seeks: npt.NDArray[Any]
    sizes: npt.NDArray[Any]
    embedded: bool = False


@dataclass(frozen=True)
class Tree:
    """A TTree's metadata: enough to read any of its flat branches.

    Attributes:
        path: the file.
        name: the tree's.
        entries: how many there are to read; a branch may have more.
        branches: those that hold one number per entry.
        compression: codec and level, as far as the metadata tell.
        other_branches: the names of those that hold something else.
        note: what a user must know about how it was found.
    """

    path: Path
    name: str
    entries: int
    branches: dict[str, Branch]
    compression: str
    other_branches: tuple[str, ...]
    note: str = ""


def checked(tree: Tree) -> Tree:
    """The tree itself.

    Raises:
        InputError: one of its branches ends before the tree does, or has a basket larger than any can be, or baskets
            that do not follow one another.
    """
    for branch in tree.branches.values():
        if branch.entries[0] != 0 or (np.diff(branch.entries) < 0).any():
            raise InputError(f"{tree.path}: branch '{branch.name}' has baskets in an impossible order: it is damaged")
        if len(branch.entries) > 1 and int(np.diff(branch.entries).max()) * branch.dtype.itemsize > MAX_BASKET_BYTES:
            raise InputError(f"{tree.path}: branch '{branch.name}' has a basket of impossible length: it is damaged")
        if branch.entries[-1] != tree.entries:
            raise InputError(
                f"{tree.path}: branch '{branch.name}' holds {branch.entries[-1]} of {tree.entries} entries: "
                "the file is damaged, or was not closed"
            )
    return tree
