"""The metadata of an ordinary TTree, read without uproot: trees of plain branches, as digitizers write them.

The layout is that of ROOT's streamers for TFile, TKey, TTree (versions 19 and 20), TBranch (12 and 13) and TLeaf. What
is not exactly as expected is not guessed at: the caller then asks uproot.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import deflate
import numpy as np
import numpy.typing as npt

from gammapolars.io.root.branches import Branch, Tree, checked
from gammapolars.io.root.frames import uncompressed

COUNTED = 0x40000000
"""A bit that distinguishes a byte count from a version."""

NEW_CLASS = 0xFFFFFFFF
"""The tag in front of a class's name."""

KNOWN_CLASS = 0x80000000
"""A bit of a tag that refers to a class named before."""

REFERENCED = 0x10
"""A bit of a TObject that is followed by the number of a process."""

LEAF_TYPES = {
    "TLeafB": "i1",
    "TLeafS": "i2",
    "TLeafI": "i4",
    "TLeafL": "i8",
    "TLeafG": "i8",
    "TLeafF": "f4",
    "TLeafD": "f8",
}

CODECS = {1: "ZLIB", 2: "LZMA", 4: "LZ4", 5: "ZSTD"}

UNREADABLE = (struct.error, ValueError, IndexError, KeyError, OSError, OverflowError, MemoryError)


def parse_tree(path: Path, names: tuple[str, ...]) -> Tree | None:
    """The metadata of the first of the named trees in a file's top folder, `checked`; None if anything is unusual."""
    try:
        with path.open("rb") as file:
            keys = _top_keys(file)
            for name in names:
                cycles = [key for key in keys if key.name == name]
                if cycles:
                    newest = max(cycles, key=lambda key: key.cycle)
                    tree = _parsed(path, file, newest) if newest.kind == "TTree" else None
                    return tree and checked(tree)
    except (*UNREADABLE, deflate.DeflateError):
        return None
    return None


def parse_text(path: Path, name: str) -> str | None:
    """The TObjString of a name in a file's top folder; empty where there is none, None if anything is unusual."""
    try:
        with path.open("rb") as file:
            cycles = [key for key in _top_keys(file) if key.name == name]
            if not cycles:
                return ""
            newest = max(cycles, key=lambda key: key.cycle)
            if newest.kind != "TObjString":
                return None
            buffer = _object(file, newest)
            buffer.header()
            buffer.tobject()
            return buffer.text()
    except (*UNREADABLE, deflate.DeflateError):
        return None


def check_keys(path: Path) -> None:
    """A ValueError or struct.error, if a top folder's list of keys is none: uproot follows it wherever it leads."""
    with path.open("rb") as file:
        _top_keys(file)


def kinds_in(path: Path) -> set[str]:
    """The classes of the objects in a file's top folder, such as TTree; none where that cannot be read."""
    return set(classes_in(path).values())


def classes_in(path: Path) -> dict[str, str]:
    """The classes of the objects in a file's top folder, by name; none where that cannot be read."""
    try:
        with path.open("rb") as file:
            return {key.name: key.kind for key in _top_keys(file)}
    except UNREADABLE:
        return {}


class _UnusualError(ValueError):
    """Something that is left to uproot."""


class _Key(NamedTuple):
    """A TKey: where an object lies in the file."""

    bytes: int
    object_bytes: int
    length: int
    cycle: int
    seek: int
    kind: str
    name: str


class _Buffer:
    """Big-endian numbers, strings and objects, one after the other; references to them count from `origin`."""

    def __init__(self, data: bytes | memoryview, origin: int = 0) -> None:
        self.data = data
        self.at = 0
        self._origin = origin
        self._classes: dict[int, str] = {}

    def numbers(self, form: str) -> tuple[Any, ...]:
        form = ">" + form
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def number(self, form: str) -> int:
        return int(self.numbers(form)[0])

    def text(self) -> str:
        length = self.number("B")
        if length == 255:
            length = self.number("I")
        return self._bytes(length).decode("utf-8", errors="surrogateescape")

    def _bytes(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise _UnusualError("a length beyond the end")
        data = bytes(self.data[self.at : self.at + count])
        self.at += count
        return data

    def array(self, count: int, dtype: str) -> npt.NDArray[Any]:
        """An array after the byte that ROOT puts in front of each."""
        self.at += 1
        return np.frombuffer(self._bytes(count * np.dtype(dtype).itemsize), dtype)

    def header(self) -> tuple[int, int]:
        """The version of the object that begins here, and where it ends."""
        count, version = self.numbers("IH")
        if not count & COUNTED:
            raise _UnusualError("an object without a byte count")
        return version, self.at - 2 + (count & ~COUNTED)

    def skip(self) -> None:
        """Skip the object that begins here."""
        _, self.at = self.header()

    def tobject(self) -> None:
        _, _, bits = self.numbers("HII")
        if bits & REFERENCED:
            self.at += 2

    def named(self) -> str:
        """The name of the TNamed that begins here."""
        _, end = self.header()
        self.tobject()
        name = self.text()
        self.at = end
        return name

    def objects(self) -> Iterator[tuple[str, int]]:
        """The class and the end of each object in the TObjArray that begins here; null objects are left out.

        The reader may stay anywhere in an object; the next one is found all the same.
        """
        _, end = self.header()
        self.tobject()
        self.text()
        count, _ = self.numbers("ii")
        for _ in range(count):
            begin = self.at
            size = self.number("I")
            if size == 0:
                continue
            if not size & COUNTED or size == NEW_CLASS:
                raise _UnusualError("an object without a byte count, or one seen before")
            behind = begin + 4 + (size & ~COUNTED)
            yield self._class(), behind
            self.at = behind
        self.at = end

    def _class(self) -> str:
        """The class of the object whose tag is here."""
        place = self.at - self._origin + 2
        tag = self.number("I")
        if tag == NEW_CLASS:
            end = bytes(self.data[self.at : self.at + 256]).index(0)
            self._classes[place] = self._bytes(end).decode("ascii")
            self.at += 1
            return self._classes[place]
        if not tag & KNOWN_CLASS:
            raise _UnusualError("a reference to an object")
        return self._classes[tag & ~KNOWN_CLASS]


def _top_keys(file: BinaryIO) -> list[_Key]:
    """The keys of a file's top folder."""
    head = _Buffer(_read(file, 0, 100))
    head.at = 4
    version, begin = head.numbers("ii")
    head.numbers("qqiii" if version >= 1_000_000 else "iiiii")
    head.at -= 4
    name_bytes = head.number("i")
    folder = _Buffer(_read(file, begin + name_bytes, 64))
    folder_version, _, _, key_bytes, _ = folder.numbers("hIIii")
    _, _, seek = folder.numbers("qqq" if folder_version > 1000 else "iii")
    if seek == 0:  # no list of keys has been written
        return []
    listing = _Buffer(_read(file, seek, key_bytes))
    _key(listing)
    return [_key(listing) for _ in range(listing.number("i"))]


def _key(buffer: _Buffer) -> _Key:
    size, version, object_bytes, _, length, cycle = buffer.numbers("ihiIhh")
    seek, _ = buffer.numbers("qq" if version > 1000 else "ii")
    kind, name, _ = buffer.text(), buffer.text(), buffer.text()
    return _Key(size, object_bytes, length, cycle, seek, kind, name)


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    if offset < 0 or not 0 < count < 2**30:
        raise _UnusualError("a place or length that cannot be")
    file.seek(offset)
    return file.read(count)


def _object(file: BinaryIO, key: _Key) -> _Buffer:
    """An object's bytes, not compressed."""
    raw = memoryview(_read(file, key.seek, key.bytes))
    packed = uncompressed(
        lambda at, count: raw[at : at + count], key.length, key.bytes, key.object_bytes, 0, key.object_bytes
    )
    return _Buffer(b"".join(packed), origin=-key.length)


def _parsed(path: Path, file: BinaryIO, key: _Key) -> Tree:
    buffer = _object(file, key)
    version, _ = buffer.header()
    if version not in (19, 20):
        raise _UnusualError(f"TTree of version {version}")
    name = buffer.named()
    for _ in range(3):  # attributes of lines, fills and markers
        buffer.skip()
    entries, *_, ranges = buffer.numbers("qqqqqdiiiiI")
    buffer.numbers("qqqqqq")
    buffer.array(ranges, ">i8")
    buffer.array(ranges, ">i8")
    if version == 20:
        buffer.skip()  # which features of reading and writing are on
    branches: dict[str, Branch] = {}
    other: list[str] = []
    codec = "set in each basket"
    for kind, _ in buffer.objects():
        if kind != "TBranch":
            raise _UnusualError(f"a branch that is a {kind}")
        branch, compression = _branch(buffer)
        if branch.dtype.kind == "V":
            other.append(branch.name)
        else:
            branches[branch.name] = branch
        if compression // 100 in CODECS:
            codec = f"{CODECS[compression // 100]}({compression % 100})"
    return Tree(path, name, entries, branches, codec, tuple(other))


def _branch(buffer: _Buffer) -> tuple[Branch, int]:
    """The branch that begins here, and its compression setting; a dtype of kind V marks one that is not flat."""
    version, _ = buffer.header()
    if version not in (12, 13):
        raise _UnusualError(f"TBranch of version {version}")
    name = buffer.named()
    buffer.skip()  # attributes of fills
    compression, _, _, count, _ = buffer.numbers("iiiiq")
    if version == 13:
        buffer.skip()  # features, as for the tree
    _, room, _, entries, first, _, _ = buffer.numbers("iIiqqqq")
    if list(buffer.objects()):
        raise _UnusualError("a branch of branches")
    leaves = [_leaf(buffer, kind) for kind, _ in buffer.objects()]
    if list(buffer.objects()):
        raise _UnusualError("baskets inside the metadata")
    sizes, firsts, seeks = (buffer.array(room, form) for form in (">i4", ">i8", ">i8"))
    if buffer.text() or first or not 0 <= count <= room:
        raise _UnusualError("baskets in another file, or before the first entry")
    dtype = leaves[0] if len(leaves) == 1 else np.dtype("V1")
    if count < room and firsts[count] != entries:
        raise _UnusualError("baskets that end before the branch")
    ends = np.append(firsts[:count], entries).astype(np.int64)
    if ends[0] != 0 or ((np.diff(ends) <= 0).any() and entries):
        raise _UnusualError("baskets out of order")
    return Branch(name, dtype, ends, seeks[:count].astype(np.int64), sizes[:count].astype(np.int64)), compression


def _leaf(buffer: _Buffer, kind: str) -> np.dtype[Any]:
    """The type of the numbers in the leaf that begins here; of kind V if not one number per entry."""
    buffer.header()
    buffer.header()
    _, end = buffer.header()
    buffer.at = end
    length, size, _, _, is_unsigned, counter = buffer.numbers("iii??I")
    flat = kind in LEAF_TYPES and length == 1 and counter == 0 and np.dtype(LEAF_TYPES[kind]).itemsize == size
    if not flat:
        return np.dtype("V1")
    code = LEAF_TYPES[kind]
    return np.dtype(">" + (code.replace("i", "u") if is_unsigned else code))
