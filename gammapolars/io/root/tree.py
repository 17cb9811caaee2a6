"""A TTree's metadata, read by uproot: where the baskets of its flat branches lie."""

import os
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gammapolars.core.errors import InputError, first_line, readable
from gammapolars.core.wording import setting
from gammapolars.io.remote import is_remote
from gammapolars.io.root.branches import Branch, Tree, checked
from gammapolars.io.root.recovery import Expected, recover
from gammapolars.io.root.tree_parser import check_keys, classes_in, parse_tree
from gammapolars.io.root.uproot_file import RNTUPLE, opened_by_uproot, rntuple_tree

TREES = ("TTree", "TNtuple", "TNtupleD", RNTUPLE)
"""Classes of objects with entries."""

FOLDERS = ("TDirectory", "TDirectoryFile")
"""Classes of folders, which may have trees in them."""

HISTOGRAM = "TH[123][CSIFDL]"

SHOWN = 8
"""This many histograms are named."""


class Header(NamedTuple):
    """Where a ROOT file ends by its header, and how many bytes it has."""

    end: int
    size: int


def open_tree(
    path: str | Path, names: tuple[str, ...], expected: Expected | None = None, *, keep_going: bool = False
) -> Tree:
    """Read the metadata of the first of the named trees that a file has.

    Trees as digitizers write them are read directly; whatever is unusual about a file is left to uproot, whose import
    takes longer than finding the pairs of ten million hits. A file that has grown beyond the length in its header was
    not closed: its metadata are missing or old, and its tree is put together from its baskets.

    `expected` are the branches of a tree without metadata, without which none is read; with `keep_going`, a file whose
    end is missing, or whose metadata are damaged, is read as far as it goes.

    Raises:
        InputError: the file is missing, empty, truncated or no ROOT file, or has none of the trees.
    """
    path = path if isinstance(path, Path) else Path(path)
    if is_remote(path):
        expected = None  # to look for baskets all over the file would be to copy it
    header = read_header(path)
    if header.size < header.end and not (keep_going and expected):
        raise InputError(
            f"{path}: is truncated: it has {header.size} of the {header.end} bytes given in its header: "
            f"copy it again, or read what is there with {setting('--keep-going', 'losses=gp.Losses()')}"
        )
    try:
        tree = parse_tree(path, names) or _open_by_uproot(path, names)
    except InputError as error:
        if expected is None or not (keep_going or header.end < header.size):
            raise
        recovered = recover(path, names, expected, header.size)
        if recovered is None and header.end < header.size:
            raise InputError(f"{error} (it was not closed and contains no complete basket yet)") from None
        if recovered is None:
            raise
        return _with_note(recovered, header)
    if header.end < header.size and not is_remote(path):
        types = {name: branch.dtype for name, branch in tree.branches.items()}
        recovered = recover(path, names, Expected(types, tuple((name,) for name in types)), header.size)
        if recovered and recovered.entries > tree.entries:
            return _with_note(recovered, header)
    if header.end > header.size:
        missing = f"{header.end - header.size} bytes are missing"
        return replace(tree, note=f"is truncated ({missing}): the hits in this part are skipped and counted")
    return tree


def _with_note(tree: Tree, header: Header) -> Tree:
    """A recovered tree with a note of why it was to be recovered, and which part of it is read."""
    if header.end < header.size:
        reason = "was not closed (is it still being recorded?)"
    elif header.end > header.size:
        reason = f"is truncated ({header.end - header.size} bytes are missing, an unknown number of hits)"
    else:
        reason = "has damaged metadata (an unknown number of hits is missing)"
    return replace(tree, note=f"{reason}: read up to the last complete basket, {tree.entries} hits")


def _open_by_uproot(path: Path, names: tuple[str, ...]) -> Tree:
    trees = classes_in(path)
    if trees and not {*names, *trees.values()} & {*trees, *FOLDERS}:
        raise _no_tree(path, names, trees)  # without importing uproot
    try:
        check_keys(path)
        with opened_by_uproot(path) as file:
            trees = {key.partition(";")[0]: kind for key, kind in file.classnames().items()}
            for name in names:
                if trees.get(name) in TREES[:-1]:
                    return _tree(path, file[name])
                if trees.get(name) == RNTUPLE:
                    return checked(rntuple_tree(path, name, file[name]))
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as a ROOT file; is it damaged or incomplete? ({first_line(error)})"
        ) from None
    raise _no_tree(path, names, trees)


def _no_tree(path: Path, names: tuple[str, ...], kinds: dict[str, str]) -> InputError:
    return InputError(f"{path}: has no tree {' or '.join(names)} {_instead(kinds)}")


def _instead(kinds: dict[str, str]) -> str:
    """The content of a file in place of a tree that is looked for, and advice."""
    if have := ", ".join(sorted(name for name, kind in kinds.items() if kind in TREES)):
        return f"(trees in it: {have}): choose the tree with {setting('--tree', 'tree')}"
    histograms = [name for name, kind in kinds.items() if re.fullmatch(HISTOGRAM, kind)]
    if not histograms:
        return "(trees in it: none) and no histograms: it contains no hits"
    more = f" and {len(histograms) - SHOWN} more" if len(histograms) > SHOWN else ""
    advice = setting(
        f"commands that take spectra, such as peaks, read one by its name: --spectrum '{histograms[0]}'",
        f"gp.read_spectrum reads one by its name, '{histograms[0]}'",
    )
    shown = ", ".join(histograms[:SHOWN])
    return f"(trees in it: none), but histograms ({shown}{more}): these are not hits; {advice}"


def trees_in(path: Path) -> list[str]:
    """The names of the trees in a ROOT file's top folder; none where it cannot be read."""
    return [name for name, kind in classes_in(path).items() if kind in TREES]


def read_header(path: Path) -> Header:
    """The length of a ROOT file from its header; an InputError, where it is missing, empty or something else."""
    with readable(path), path.open("rb") as file:
        head = file.read(64)
        size = path.stat().st_size if is_remote(path) else os.fstat(file.fileno()).st_size
    if not head:
        raise InputError(f"{path}: is empty")
    if head[:4] != b"root" or len(head) < 24:
        raise InputError(f"{path}: is not a ROOT file (it does not begin with 'root')")
    version = struct.unpack(">i", head[4:8])[0]
    end = struct.unpack(">q", head[12:20])[0] if version >= 1_000_000 else struct.unpack(">i", head[12:16])[0]
    return Header(end, size)


def _tree(path: Path, tree: Any) -> Tree:
    branches, other = {}, []
    for branch in tree.branches:
        described = _branch(branch)
        if described is None:
            other.append(branch.name)
        else:
            branches[branch.name] = described
    codec = next((str(branch.compression) for branch in tree.branches if branch.compression), "set in each basket")
    return checked(Tree(path, tree.name, int(tree.num_entries), branches, codec, tuple(other)))


def _branch(branch: Any) -> Branch | None:
    """The parameters needed to read a branch; None where it is not one number per entry."""
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
