"""Trees of ROOT files that were not closed, or whose end is missing, put together from the baskets themselves.

While a file is written its baskets lie one after the other, each after a key with its branch and tree; the list
that finds them is written last. ROOT numbers a branch's baskets in their keys, so that a missing one is noticed.
"""

import struct
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gammapolars.io.placed_reading import read_at
from gammapolars.io.root.branches import Branch, Tree

KEY_BYTES = 1024
"""No basket's key is longer: its names have 255 bytes at most."""

SEARCHED_BYTES = 2**20

FIRST_KEY = 100
"""Where it lies in every ROOT file."""

SIGNATURE = b"\x07TBasket"

OTHER_CLASSES = (b"TFile", b"TTree", b"TList", b"TDirectory", b"TObjString", b"")
"""Other classes that may lie between the baskets of a file without numbers. Any other may have been a basket."""

NUMBERS = 2**16
"""A basket's key has 16 bits for its number."""


class Expected(NamedTuple):
    """Types of a tree's branches on disk, and groups of which one branch is there, though it may have no basket."""

    types: Mapping[str, np.dtype[Any]]
    needed: tuple[tuple[str, ...], ...]


def recover(path: Path, names: tuple[str, ...], expected: Expected, size: int) -> Tree | None:
    """The first of the named trees of which a file has baskets, up to the last entry that all its branches have.

    Only the first `size` bytes of the file count: later writes are ignored. None: no tree has a basket.
    """
    trees: dict[str, list[_Basket]] = {name: [] for name in names}
    with path.open("rb") as file:
        sure = True
        for basket in _baskets(file.fileno(), size):
            sure &= basket.sure and basket.tree in trees and basket.branch in expected.types
            if basket.tree in trees:
                trees[basket.tree].append(basket._replace(sure=sure))
    for name, baskets in trees.items():
        if baskets:
            return _tree(path, name, baskets, expected)
    return None


class _Basket(NamedTuple):
    """Information on a basket from its key.

    Attributes:
        number: of the branch's baskets, from 0 and modulo `NUMBERS`; always 0 in files that uproot wrote.
        entry_bytes: of each entry; 0 where entries differ in length.
        sure: whether no basket before it can have been overlooked, or have been another branch's.
    """

    tree: str
    branch: str
    number: int
    seek: int
    size: int
    entries: int
    entry_bytes: int
    sure: bool


def _tree(path: Path, name: str, baskets: list[_Basket], expected: Expected) -> Tree:
    numbered = any(basket.number for basket in baskets)
    by_branch: dict[str, list[_Basket]] = {}
    for basket in baskets:
        by_branch.setdefault(basket.branch, []).append(basket)
    branches, other = {}, []
    for branch, own in by_branch.items():
        dtype = expected.types.get(branch)
        fitting = [basket for basket in own if dtype and basket.entry_bytes == dtype.itemsize]
        if dtype is None or not fitting:
            other.append(branch)
        elif numbered:
            branches[branch] = _branch(branch, dtype, _in_order(fitting))
        else:
            branches[branch] = _branch(branch, dtype, _sure(own, dtype))
    for group in expected.needed:
        if not any(branch in branches for branch in group) and group[0] not in other:
            branches[group[0]] = _branch(group[0], expected.types[group[0]], [])
    entries = min((int(branch.entries[-1]) for branch in branches.values()), default=0)
    return Tree(path, name, entries, branches, "set in each basket", tuple(other))


def _sure(baskets: list[_Basket], dtype: np.dtype[Any]) -> list[_Basket]:
    """A branch's baskets as far as none can be missing between them."""
    return list(takewhile(lambda basket: basket.sure and basket.entry_bytes == dtype.itemsize, baskets))


def _in_order(baskets: list[_Basket]) -> list[_Basket]:
    """A branch's baskets by their numbers, up to the first that is missing.

    They lie in this order, but for those that ROOT put into a gap which something else had left.
    """
    sequence: list[_Basket] = []
    early: dict[int, _Basket] = {}
    for basket in baskets:
        ahead = (basket.number - len(sequence)) % NUMBERS
        if 0 < ahead < NUMBERS // 2:
            early[basket.number] = basket
        elif ahead == 0:
            sequence.append(basket)
            while following := early.pop(len(sequence) % NUMBERS, None):
                sequence.append(following)
    return sequence


def _branch(name: str, dtype: np.dtype[Any], baskets: list[_Basket]) -> Branch:
    ends = np.cumsum([0, *(basket.entries for basket in baskets)], dtype=np.int64)
    seeks, sizes = [basket.seek for basket in baskets], [basket.size for basket in baskets]
    return Branch(name, dtype, ends, np.array(seeks, np.int64), np.array(sizes, np.int64))


def _baskets(descriptor: int, size: int) -> Iterator[_Basket]:
    """All complete baskets of a file, in their order in it."""
    head = read_at(descriptor, 12, 0)
    at = int.from_bytes(head[8:12], "big")
    sure = at == FIRST_KEY
    while 0 < at < size:
        key = read_at(descriptor, min(KEY_BYTES, size - at), at)
        step = _step(key, at, size)
        if not step:  # something that is no key: a hole, or damage
            sure = False
            at = _next_signature(descriptor, at + 1, size)
            continue
        basket = _basket(key, at, sure) if step > 0 else None
        if basket:
            yield basket
        elif step > 0:
            sure &= _class(key) in OTHER_CLASSES
        at += abs(step)


def _step(key: bytes, at: int, size: int) -> int:
    """Bytes of the object whose key this is; less than 0 for a gap, 0 if it is no key or the object is not complete."""
    if len(key) < 26:
        return 0
    length, version, *_ = struct.unpack_from(">ih", key)
    if at + abs(length) > size or abs(length) < 8:
        return 0
    if length < 0:
        return int(length)
    seek = struct.unpack_from(">q" if version > 1000 else ">i", key, 18)[0]
    return int(length) if seek == at else 0


def _class(key: bytes) -> bytes:
    """The class of the object with this key."""
    place = 34 if struct.unpack_from(">h", key, 4)[0] > 1000 else 26
    return key[place + 1 : place + 1 + key[place]] if place < len(key) else b"?"


def _basket(key: bytes, at: int, sure: bool) -> _Basket | None:
    """Information in the key of a basket; None for other keys."""
    size, version, plain, _, key_bytes, number = struct.unpack_from(">ihiIhH", key)
    place = 34 if version > 1000 else 26
    if key[place : place + len(SIGNATURE)] != SIGNATURE:
        return None
    texts = []
    for _ in range(3):
        end = place + 1 + key[place]
        texts.append(key[place + 1 : end].decode("utf-8", errors="surrogateescape"))
        place = end
        if place + 19 > min(len(key), key_bytes):
            return None
    _, entry_bytes, entries, last = struct.unpack_from(">4i", key, place + 2)
    flat = plain > 0 and entries * entry_bytes == plain and last == key_bytes + plain
    if entries <= 0:
        return None
    return _Basket(texts[2], texts[1], number, at, size, entries, entry_bytes if flat else 0, sure)


def _next_signature(descriptor: int, at: int, size: int) -> int:
    """Where the next key of a basket begins, at a place or after it; the file's size if there is none."""
    while at < size:
        block = read_at(descriptor, min(SEARCHED_BYTES, size - at), at)
        offset = block.find(SIGNATURE)
        while offset >= 0:
            for before in (34, 26):
                place = at + offset - before
                if offset >= before and _step(block[offset - before : offset - before + 64], place, size) > 0:
                    return place
            offset = block.find(SIGNATURE, offset + 1)
        if len(block) < SEARCHED_BYTES:
            break
        at += len(block) - 34 - len(SIGNATURE)
    return size
