"""Writing a TTree basket by basket, in the layout that CoMPASS's files have or with baskets of one given length.

uproot holds the file and the tree's metadata. The baskets are written here, because uproot's own `extend` gives every
branch a basket of the same number of entries, whereas ROOT closes each branch's basket where that branch is full.
"""

import os
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid1

import deflate
import numpy as np
import numpy.typing as npt
import polars as pl
import uproot

from gammapolars.errors import OutputError, UsageError

HIT_BRANCHES: dict[str, str] = {"Channel": "u2", "Timestamp": "u8", "Board": "u2", "Energy": "u2", "Flags": "u4"}
"""CoMPASS's branches of a hit, in its order, with their numpy types."""

_HIT_COLUMNS = {"Channel": "channel", "Timestamp": "timestamp_ps", "Board": "board", "Energy": "adc", "Flags": "flags"}
_KEY = struct.Struct(">ihiIhhqq")  # TKey of a file of any size: nbytes, version, objlen, date, keylen, cycle, seeks
_BASKET = struct.Struct(">HIIII")  # TBasket: version, fBufferSize, fNevBufSize, fNevBuf, fLast
_FRAME_BYTES = 2**24 - 1  # what the three bytes of a compressed frame's header can count
_FIRST_DAY = datetime(1995, 1, 1)  # the earliest date that a ROOT file can carry


class Layout(NamedTuple):
    """Where baskets end.

    Attributes:
        first_bytes: compressed bytes of all branches after which a basket holds a whole cluster; None: never.
        entries: the entries of every basket and cluster, instead of baskets that are full at 32 kB.
    """

    first_bytes: int | None = 30_000_000
    entries: int | None = None


NATIVE = Layout()
"""As ROOT does it for CoMPASS: 32 kB baskets for 30 MB, then clusters as long as those first 30 MB were."""

SMALL = Layout(first_bytes=None)
"""32 kB baskets throughout."""

LARGE = Layout(entries=4_000_000)
"""One basket per branch and 4 million entries throughout."""


def parse_layout(text: str) -> Layout:
    """The layout that `native`, `small`, `large` or a number of entries per basket names.

    Raises:
        UsageError: it is none of them.
    """
    named = {"native": NATIVE, "small": SMALL, "large": LARGE}
    if text in named:
        return named[text]
    if text.isascii() and text.isdigit() and 0 < int(text) <= 10**8:
        return Layout(entries=int(text))
    raise UsageError(f"unknown layout '{text}': write {', '.join(named)}, or a number of entries per basket up to 10^8")


def hit_branches(hits: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """A table of hits as the arrays of CoMPASS's branches."""
    return {branch: hits[column].to_numpy() for branch, column in _HIT_COLUMNS.items()}


@dataclass
class _Branch:
    name: str
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
        """What is not written yet, as one array."""
        if len(self.pending) != 1:  # without dtype, concatenate gives numbers in the machine's byte order
            self.pending = [np.concatenate([np.empty(0, self.dtype), *self.pending], dtype=self.dtype)]
        return self.pending[0]

    def drop(self, entries: int) -> None:
        """Forget the first entries of what is pending: they are written, and a copy frees their memory."""
        self.pending = [self.joined()[entries:].copy()]


class TreeWriter:
    """A TTree of flat numeric branches, written as entries come, in memory bounded by one cluster.

    The file grows beside its place under a hidden name and takes its own name when `close` is done; an exception inside
    the `with` block removes it. Baskets of different branches follow each other in the order in which they fill, each
    compressed by zlib in 9-byte-headed frames of at most 16 MB, or stored plain where compression does not shrink it.

    Args:
        path: the ROOT file.
        branches: name and numpy type of each branch, such as `HIT_BRANCHES`.
        tree: the tree's name.
        title: the tree's title.
        layout: `NATIVE`, `SMALL`, `LARGE` or a `Layout`.
        level: zlib's, 1 to 9.
        metadata: texts to be stored beside the tree, each as a TObjString under its name.
        overwrite: replace a file that exists.
        reproducible: write no date and no unique number, so that equal entries give equal bytes.

    Raises:
        OutputError: the file exists already or cannot be written, or an entry does not fit its branch.
    """

    def __init__(
        self,
        path: str | Path,
        branches: Mapping[str, str],
        *,
        tree: str = "Data_R",
        title: str = "CoMPASS RAW events TTree",
        layout: Layout = NATIVE,
        level: int = 1,
        metadata: Mapping[str, str] | None = None,
        overwrite: bool = False,
        reproducible: bool = False,
    ) -> None:
        self.path = Path(path)
        self.entries = 0
        if self.path.exists() and not overwrite:
            raise OutputError(f"{self.path}: exists already: choose another name or allow overwriting")
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._layout, self._level, self._reproducible = layout, level, reproducible
        self._start = 0  # entry at which the present cluster begins
        self._cluster = layout.entries
        self._zipped = 0
        self._auto_flush = layout.entries or -30_000_000
        self._flushed_bytes = 0
        self._date = _root_date(_FIRST_DAY if reproducible else datetime.now())
        self._branches = [_branch(name, dtype, tree) for name, dtype in branches.items()]
        self._open(tree, title, metadata or {})
        self._pool = ThreadPoolExecutor(2)

    def _open(self, tree: str, title: str, metadata: Mapping[str, str]) -> None:
        compression = uproot.ZLIB(self._level)
        unique = (lambda: UUID(int=0)) if self._reproducible else uuid1
        try:
            handle = self._part.open("w+b")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from None
        try:
            self._file = uproot.recreate(handle, compression=compression, uuid_function=unique)
            self._tree_name = tree
            types = {branch.name: branch.dtype for branch in self._branches}
            self._tree = self._file.mktree(tree, types, title=title)._cascading
            for name, text in metadata.items():
                self._file[name] = text
        except BaseException:
            handle.close()
            self._part.unlink(missing_ok=True)
            raise
        self._sink = self._file._file.sink

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def extend(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Append entries: one array a branch, all of the same length; numbers are converted if they fit.

        Raises:
            OutputError: a number does not fit its branch, or the disk is full.
        """
        lengths = {len(columns[branch.name]) for branch in self._branches}
        if len(lengths) != 1 or len(columns) != len(self._branches):
            raise ValueError("every branch of the tree needs one array, all of the same length")
        converted = [_converted(columns[branch.name], branch, self.path) for branch in self._branches]
        for branch, values in zip(self._branches, converted, strict=True):
            branch.pending.append(values)
        self.entries += lengths.pop()
        try:
            if self._cluster is None:
                self._write_full_baskets()
            while self._cluster and self.entries - self._start >= self._cluster:
                self._flush(self._start + self._cluster)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from None

    def _write_full_baskets(self) -> None:
        """Write every basket that is full, in the order in which they filled, up to the first cluster's end."""
        plan = sorted(
            (end, place)
            for place, branch in enumerate(self._branches)
            for end in range(branch.ends[-1] + branch.entries_per_basket, self.entries + 1, branch.entries_per_basket)
        )
        begins = [branch.ends[-1] for branch in self._branches]
        payloads = []
        for end, place in plan:
            branch, begin = self._branches[place], begins[place]
            payloads.append(branch.joined()[end - branch.entries_per_basket - begin : end - begin])
        limit = self._layout.first_bytes
        first_end = None
        compressed = self._pool.map(self._compressed, payloads)
        for (end, place), payload, stored in zip(plan, payloads, compressed, strict=True):
            self._write_basket(self._branches[place], payload, stored)
            if limit is not None and self._zipped > limit:
                first_end = end
                break
        for branch, begin in zip(self._branches, begins, strict=True):
            branch.drop(branch.ends[-1] - begin)
        if first_end is not None:
            self._begin_clusters(first_end)

    def _begin_clusters(self, end: int) -> None:
        """End the first cluster. From here on ROOT gives each branch a basket that holds as many entries as it had."""
        self._flush(end)
        self._cluster = self._auto_flush = end
        self._flushed_bytes = self._zipped
        for branch in self._branches:
            needed = branch.key_bytes + end * branch.dtype.itemsize
            branch.basket_size = max(branch.basket_size, -(-needed // 512) * 512)

    def _flush(self, end: int) -> None:
        """End every branch's basket at this entry, and the cluster with it."""
        payloads = [branch.joined()[: end - branch.ends[-1]] for branch in self._branches]
        frames = [_frames(payload) for payload in payloads]
        stored = self._pool.map(self._compressed_frame, [frame for parts in frames for frame in parts])
        for branch, payload, parts in zip(self._branches, payloads, frames, strict=True):
            if len(payload):
                self._write_basket(branch, payload, _joined_frames([next(stored) for _ in parts], payload.nbytes))
                branch.drop(len(payload))
        self._start = end

    def _compressed(self, payload: npt.NDArray[Any]) -> bytes | None:
        return _joined_frames([self._compressed_frame(frame) for frame in _frames(payload)], payload.nbytes)

    def _compressed_frame(self, frame: memoryview) -> bytes | None:
        zipped = deflate.zlib_compress(frame, self._level)
        if len(zipped) >= len(frame):
            return None
        sizes = len(zipped).to_bytes(3, "little") + len(frame).to_bytes(3, "little")
        return b"ZL\x08" + sizes + bytes(zipped)

    def _write_basket(self, branch: _Branch, payload: npt.NDArray[Any], stored: bytes | None) -> None:
        size = branch.key_bytes + (payload.nbytes if stored is None else len(stored))
        place = self._tree._freesegments.allocate(size)
        directory = self._tree._directory.key.location
        key = _KEY.pack(size, 1004, payload.nbytes, self._date, branch.key_bytes, 0, place, directory)
        names = b"".join(bytes([len(text)]) + text for text in _basket_names(branch.name, self._tree_name))
        last = branch.key_bytes + payload.nbytes
        basket = _BASKET.pack(3, max(branch.basket_size, last), branch.dtype.itemsize, len(payload), last)
        self._sink.write(place, key + names + basket + b"\0")
        self._sink.write(place + branch.key_bytes, payload.tobytes() if stored is None else stored)
        branch.ends.append(branch.ends[-1] + len(payload))
        branch.seeks.append(place)
        branch.sizes.append(size)
        branch.total_bytes += last
        self._zipped += size

    def close(self) -> None:
        """Write what is pending and the tree's metadata, and give the file its name.

        Raises:
            OutputError: the disk is full, or the place cannot be written any more.
        """
        try:
            self._flush(self.entries)
            self._write_metadata()
            self._file.close()
            if self._reproducible:
                _remove_dates(self._part)
            self._part.replace(self.path)
        except OSError as error:
            self.discard()
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from None
        except BaseException:
            self.discard()
            raise
        self._pool.shutdown()

    def discard(self) -> None:
        """Give the file up and remove what was written of it."""
        self._pool.shutdown(cancel_futures=True)
        try:
            self._file.close()
        except OSError:  # a full disk: nothing of the file is wanted
            pass
        finally:
            self._part.unlink(missing_ok=True)

    def _write_metadata(self) -> None:
        tree = self._tree
        tree._num_entries = self.entries
        tree._num_baskets = max(len(branch.seeks) for branch in self._branches)
        tree._basket_capacity = capacity = max(10, tree._num_baskets + 1)
        tree._metadata |= {
            "fTotBytes": sum(branch.total_bytes for branch in self._branches),
            "fZipBytes": self._zipped,
            "fFlushedBytes": self._flushed_bytes,
            "fAutoFlush": self._auto_flush,
        }
        for branch in self._branches:
            datum = tree._branch_data[tree._branch_lookup[branch.name]]
            lists = {"fBasketBytes": branch.sizes, "fBasketEntry": branch.ends, "fBasketSeek": branch.seeks}
            for key, values in lists.items():
                datum[key] = np.zeros(capacity, datum[key].dtype)
                datum[key][: len(values)] = values
            datum |= {"fTotBytes": branch.total_bytes, "fZipBytes": sum(branch.sizes)}
            datum["fBasketSize"] = branch.basket_size
        tree._relocate(self._file._file, self._sink)
        tree._freesegments.write(self._sink)
        self._number_baskets()
        for start, stop in tree._freesegments._data.slices:  # ROOT marks a gap by its negative length
            self._sink.write(start, struct.pack(">i", start - stop).ljust(stop - start, b"\0")[: stop - start])
        self._sink.set_file_length(tree._freesegments.fileheader.end)
        self._sink.flush()

    def _number_baskets(self) -> None:
        """Correct, per branch, what uproot takes as equal in all: fCompress (algorithm, level) and fWriteBasket."""
        begin = self._tree._key.seek_location + self._tree._key.num_bytes
        for branch in self._branches:
            place = begin + self._tree._branch_data[self._tree._branch_lookup[branch.name]]["metadata_start"]
            self._sink.write(place, struct.pack(">i", 100 + self._level))
            self._sink.write(place + 12, struct.pack(">i", len(branch.seeks)))


def _basket_names(branch: str, tree: str) -> tuple[bytes, bytes, bytes]:
    return b"TBasket", branch.encode(), tree.encode()


def _branch(name: str, dtype: str, tree: str) -> _Branch:
    names = _basket_names(name, tree)
    if max(map(len, names)) > 254:
        raise UsageError(f"the names of branch '{name[:20]}…' and tree '{tree[:20]}' must stay below 255 bytes")
    key_bytes = _KEY.size + sum(1 + len(text) for text in names) + _BASKET.size + 1
    return _Branch(name, np.dtype(dtype).newbyteorder(">"), key_bytes)


def _converted(values: npt.NDArray[Any], branch: _Branch, path: Path) -> npt.NDArray[Any]:
    """A big-endian copy, which the caller's later changes do not reach."""
    if branch.dtype.kind in "iu" and len(values) and not np.can_cast(values.dtype, branch.dtype, "safe"):
        limits = np.iinfo(branch.dtype)
        low, high = values.min(), values.max()
        if not (limits.min <= low and high <= limits.max) or values.dtype.kind not in "iu":
            raise OutputError(f"{path}: branch {branch.name} ({branch.dtype.name}) cannot hold {low} to {high}")
    return np.array(values, dtype=branch.dtype, order="C")


def _frames(payload: npt.NDArray[Any]) -> list[memoryview]:
    octets = payload.view(np.uint8).data
    return [octets[begin : begin + _FRAME_BYTES] for begin in range(0, len(octets), _FRAME_BYTES)]


def _joined_frames(frames: list[bytes | None], plain_bytes: int) -> bytes | None:
    """The basket's compressed bytes, or None where a frame or the whole does not shrink: it is then stored plain."""
    kept = [frame for frame in frames if frame is not None]
    joined = b"".join(kept)
    return joined if len(kept) == len(frames) and len(joined) < plain_bytes else None


def _root_date(when: datetime) -> int:
    """ROOT's 32 bits of a date: 6 of the year since 1995, 4 month, 5 day, 5 hour, 6 minute, 6 second."""
    years = (when.year - 1995) << 26
    return years | when.month << 22 | when.day << 17 | when.hour << 12 | when.minute << 6 | when.second


def _remove_dates(path: Path) -> None:
    """Set the dates in the file's keys and its directory to the first day that ROOT knows."""
    with uproot.open(path) as root:
        file, listing = root.file, root.fSeekKeys
        names_end = file.fBEGIN + file.fNbytesName
        places = [file.fBEGIN, file.fSeekFree, file.fSeekInfo, listing]
        places += [root.key(name).fSeekKey for name in root.keys(recursive=False)]
        count = len(places) - 4
    date = struct.pack(">I", _root_date(_FIRST_DAY))
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
