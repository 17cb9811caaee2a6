"""A TTree's metadata, read by uproot: where the baskets of its flat branches lie."""

import os
import struct
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


def open_tree(path: str | Path, names: tuple[str, ...]) -> Tree:
    """Read the metadata of the first of the named trees that a file has.

    Raises:
        InputError: the file is missing, empty, truncated or no ROOT file, or has none of the trees.
    """
    import uproot

    path = Path(path)
    check_header(path)
    try:
        with uproot.open(path) as file:
            trees = {key.partition(";")[0]: kind for key, kind in file.classnames().items()}
            for name in names:
                if trees.get(name) == "TTree":
                    return _tree(path, file[name])
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as a ROOT file, is it damaged or incomplete? ({first_line(error)})"
        ) from None
    have = ", ".join(sorted(name for name, kind in trees.items() if kind == "TTree")) or "none"
    raise InputError(f"{path}: has no tree {' or '.join(names)} (trees in it: {have}): name the tree with --tree")


def check_header(path: Path) -> None:
    """Check that a file is a ROOT file of the length that its header tells.

    Raises:
        InputError: it is missing, unreadable, empty, something else or truncated.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if not head:
        raise InputError(f"{path}: is empty")
    if head[:4] != b"root" or len(head) < 24:
        raise InputError(f"{path}: is no ROOT file (it does not begin with 'root')")
    version = struct.unpack(">i", head[4:8])[0]
    end = struct.unpack(">q", head[12:20])[0] if version >= 1_000_000 else struct.unpack(">i", head[12:16])[0]
    if size < end:
        raise InputError(f"{path}: is truncated: it has {size} of the {end} bytes that its header tells: copy it again")


def _tree(path: Path, found: Any) -> Tree:
    branches, other = {}, []
    for branch in found.branches:
        described = _branch(branch)
        if described is None:
            other.append(branch.name)
        else:
            branches[branch.name] = described
    codec = next((str(branch.compression) for branch in found.branches if branch.compression), "as each basket tells")
    for branch in branches.values():
        if branch.entries[-1] != found.num_entries:
            raise InputError(
                f"{path}: branch '{branch.name}' holds {branch.entries[-1]} of {found.num_entries} entries: "
                "the file is damaged, or was not closed"
            )
    return Tree(path, found.name, int(found.num_entries), branches, codec, tuple(other))


def _branch(branch: Any) -> Branch | None:
    """What is needed to read a branch; None where it is not one number per entry."""
    dtype = getattr(branch.interpretation, "from_dtype", None)
    if dtype is None or dtype.kind not in "iuf" or dtype.shape or getattr(branch.interpretation, "inner_shape", ()):
        return None
    count = branch.num_baskets
    stored = count - len(branch.embedded_baskets)
    return Branch(
        name=branch.name,
        dtype=dtype,
        entries=np.asarray(branch.entry_offsets, np.int64),
        seeks=np.asarray(branch.member("fBasketSeek")[:stored], np.int64),
        sizes=np.asarray(branch.member("fBasketBytes")[:stored], np.int64),
        embedded=stored < count,
    )


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
