"""Metadata of a TTree, known before its baskets are read: its flat branches, and where their baskets lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import InputError

MAX_BASKET_BYTES = 2**31 - 1
"""Information in the key of a basket."""


@dataclass(frozen=True)
class Branch:
    """Where one branch's baskets lie: each from byte `seeks` on, `sizes` long with its key.

    Attributes:
        dtype: of its values on disk, big-endian.
        entries: first entry of each basket, and the end: shape (baskets + 1,).
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

    `branches` hold one number per entry, `other_branches` something else; a branch may have more than `entries`.
    `compression` is codec and level, as far as the metadata says, `note` a remark for the user on how it was found.
    """

    path: Path
    name: str
    entries: int
    branches: dict[str, Branch]
    compression: str
    other_branches: tuple[str, ...]
    note: str = ""


def checked(tree: Tree) -> Tree:
    """The tree itself; an InputError, where a branch ends before it, or its baskets are too large or out of order."""
    for branch in tree.branches.values():
        if branch.entries[0] != 0 or (np.diff(branch.entries) < 0).any():
            raise InputError(f"{tree.path}: branch '{branch.name}' has baskets in an impossible order: it is damaged")
        if len(branch.entries) > 1 and int(np.diff(branch.entries).max()) * branch.dtype.itemsize > MAX_BASKET_BYTES:
            raise InputError(f"{tree.path}: branch '{branch.name}' has a basket of impossible length: it is damaged")
        if branch.entries[-1] != tree.entries:
            raise InputError(
                f"{tree.path}: branch '{branch.name}' contains {branch.entries[-1]} of {tree.entries} "
                "entries: the file is damaged, or was not closed"
            )
    return tree
