"""What is known of a TTree before its baskets are read: its flat branches, and where their baskets lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.errors import InputError


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
    """A TTree's metadata: enough to read any of its flat branches."""

    path: Path
    name: str
    entries: int
    branches: dict[str, Branch]
    compression: str
    other_branches: tuple[str, ...]


def checked(tree: Tree) -> Tree:
    """The tree itself.

    Raises:
        InputError: one of its branches ends before the tree does.
    """
    for branch in tree.branches.values():
        if branch.entries[-1] != tree.entries:
            raise InputError(
                f"{tree.path}: branch '{branch.name}' holds {branch.entries[-1]} of {tree.entries} entries: "
                "the file is damaged, or was not closed"
            )
    return tree
