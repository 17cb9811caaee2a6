"""The bytes of a TTree's baskets: their headers, their compressed frames, and the dates in a ROOT file."""

import struct
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import deflate
import numpy as np
import numpy.typing as npt
import uproot

from gammapolars.core.errors import OutputError, UsageError

_KEY = struct.Struct(">ihiIhHqq")  # TKey of a file of any size: nbytes, version, objlen, date, keylen, cycle, seeks
_BASKET = struct.Struct(">HIIII")  # TBasket: version, fBufferSize, fNevBufSize, fNevBuf, fLast
_FRAME_BYTES = 2**24 - 1  # the largest number in the three bytes of a compressed frame's header
FIRST_DAY = datetime(1995, 1, 1)  # the earliest date that a ROOT file can carry


@dataclass
class Branch:
    """A branch while it is written: its pending entries, and where its baskets are."""

    name: str
    tree: str
    dtype: np.dtype[Any]  # big-endian, as in the file
    key_bytes: int  # of the header of each basket
    pending: list[npt.NDArray[Any]] = field(default_factory=list)
    ends: list[int] = field(default_factory=lambda: [0])  # the entry at which each basket ends
    seeks: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    total_bytes: int = 0
    basket_size: int = 32_000

    @property
    def entries_per_basket(self) -> int:
        return max(1, (self.basket_size - self.key_bytes) // self.dtype.itemsize)

    def joined(self) -> npt.NDArray[Any]:
        """The entries not written yet, as one array."""
        if len(self.pending) != 1:  # without dtype, concatenate gives numbers in the machine's byte order
            self.pending = [np.concatenate([np.empty(0, self.dtype), *self.pending], dtype=self.dtype)]
        return self.pending[0]

    def header(self, entries: int, size: int, date: int, *, place: int, directory: int) -> bytes:
        """The header (TKey, names, TBasket) of a basket of `size` bytes with it, as stored at a place in the file."""
        plain = entries * self.dtype.itemsize
        last = self.key_bytes + plain
        # Like ROOT, the cycle numbers the branch's baskets: where the metadata are lost, a missing one is noticed.
        key = _KEY.pack(size, 1004, plain, date, self.key_bytes, len(self.seeks) % 2**16, place, directory)
        names = b"".join(bytes([len(text)]) + text for text in _names(self.name, self.tree))
        return key + names + _BASKET.pack(3, max(self.basket_size, last), self.dtype.itemsize, entries, last) + b"\0"

    def drop(self, entries: int) -> None:
        """Forget the first pending entries: they are written, and a copy frees their memory."""
        self.pending = [self.joined()[entries:].copy()]


def _names(branch: str, tree: str) -> tuple[bytes, bytes, bytes]:
    return b"TBasket", branch.encode(), tree.encode()


def new_branch(name: str, dtype: str, tree: str) -> Branch:
    """A branch without entries; its names decide how long the headers of its baskets are."""
    names = _names(name, tree)
    if max(map(len, names)) > 254:
        raise UsageError(f"the names of branch '{name[:20]}…' and tree '{tree[:20]}' must be shorter than 255 bytes")
    key_bytes = _KEY.size + sum(1 + len(text) for text in names) + _BASKET.size + 1
    return Branch(name, tree, np.dtype(dtype).newbyteorder(">"), key_bytes)


def converted(values: npt.NDArray[Any], branch: Branch, path: Path) -> npt.NDArray[Any]:
    """A big-endian copy, which the caller's later changes do not reach."""
    if branch.dtype.kind in "iu" and len(values) and not np.can_cast(values.dtype, branch.dtype, "safe"):
        limits = np.iinfo(branch.dtype)
        low, high = values.min(), values.max()
        if not (limits.min <= low and high <= limits.max) or values.dtype.kind not in "iu":
            raise OutputError(f"{path}: branch {branch.name} ({branch.dtype.name}) cannot hold {low} to {high}")
    return np.array(values, dtype=branch.dtype, order="C")


def frames_of(payload: npt.NDArray[Any]) -> list[memoryview]:
    """A basket's entries in pieces that are compressed one by one."""
    octets = payload.view(np.uint8).data
    return [octets[begin : begin + _FRAME_BYTES] for begin in range(0, len(octets), _FRAME_BYTES)]


def compressed_frame(frame: memoryview, level: int) -> bytes | None:
    """A frame as ROOT stores it, after nine bytes of header: method and both sizes. None where it does not shrink."""
    zipped = deflate.zlib_compress(frame, level)
    if len(zipped) >= len(frame):
        return None
    return b"ZL\x08" + len(zipped).to_bytes(3, "little") + len(frame).to_bytes(3, "little") + bytes(zipped)


def joined_frames(frames: list[bytes | None], plain_bytes: int) -> bytes | None:
    """The basket's compressed bytes, or None where a frame or the whole does not shrink: it is then stored plain."""
    kept = [frame for frame in frames if frame is not None]
    joined = b"".join(kept)
    return joined if len(kept) == len(frames) and len(joined) < plain_bytes else None


def root_date(when: datetime) -> int:
    """ROOT's 32 bits of a date: 6 of the year since 1995, 4 month, 5 day, 5 hour, 6 minute, 6 second."""
    years = (when.year - 1995) << 26
    return years | when.month << 22 | when.day << 17 | when.hour << 12 | when.minute << 6 | when.second


def remove_dates(path: Path) -> None:
    """Set the dates in the file's keys and its directory to the first day that ROOT knows."""
    with uproot.open(path) as root:
        file, listing = root.file, root.fSeekKeys
        names_end = file.fBEGIN + file.fNbytesName
        places = [file.fBEGIN, file.fSeekFree, file.fSeekInfo, listing]
        places += [root.key(name).fSeekKey for name in root.keys(recursive=False)]
        count = len(places) - 4
    date = struct.pack(">I", root_date(FIRST_DAY))
    with path.open("r+b") as handle:
        handle.seek(listing)
        place = listing + struct.unpack(">h", handle.read(16)[14:])[0] + 4
        for _ in range(count):  # the directory's list holds a copy of each key
            places.append(place)
            handle.seek(place)
            place += struct.unpack(">h", handle.read(16)[14:])[0]
        for key in places:
            handle.seek(key + 10)
            handle.write(date)
        handle.seek(names_end + 2)
        handle.write(date * 2)
