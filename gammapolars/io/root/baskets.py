"""TTree baskets decoded in threads into native arrays: the part of reading where the time goes.

Jobs of many small baskets or one large one, libdeflate, and a big-endian copy straight into the column's buffer.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from itertools import chain, pairwise
from threading import Lock
from typing import Any, NamedTuple

import deflate
import numpy as np
import numpy.typing as npt

from gammapolars.core.errors import InputError, first_line
from gammapolars.core.threads import threads
from gammapolars.io.buffers import paged_array
from gammapolars.io.placed_reading import read_at
from gammapolars.io.remote import THREADS, RemotePath
from gammapolars.io.root.branches import Branch, Tree
from gammapolars.io.root.uproot_file import opened_by_uproot, read_field

CHUNK_HITS = 1_000_000
"""Chunks of at least this many hits are decoded at once; one large basket makes a larger chunk."""

AHEAD_CHUNKS = 3
"""This many times CHUNK_HITS are decoded at once, or two larger chunks: with one, threads would idle at its end."""

JOB_HITS = 200_000
"""Small baskets of one branch are decoded in jobs of about this many hits."""

MAX_CHUNK_HITS = 8_000_000
"""Above this a chunk no longer follows the baskets' borders: memory counts for more than decoding twice."""

LEAST_KEY_BYTES = 18
"""A basket's key is longer in any case."""

WHOLE_READ_BYTES = 4 * 2**20
"""Baskets up to this size are read at once, larger ones frame by frame."""


class Damage(NamedTuple):
    """Entries that cannot be read, from `first` to before `last`: in which basket, where in the file, and why."""

    place: str
    reason: str
    first: int
    last: int

    @property
    def what(self) -> str:
        """Place and reason as one clause."""
        return f"{self.place} is damaged: {self.reason}"


def read_chunks(
    tree: Tree,
    names: list[str],
    *,
    chunk_hits: int = CHUNK_HITS,
    most_hits: int = MAX_CHUNK_HITS,
    workers: int | None = None,
    on_damage: Callable[[Damage], object] | None = None,
) -> Iterator[tuple[int, dict[str, npt.NDArray[Any]]]]:
    """Read branches in chunks whose borders follow those of the baskets, some chunks ahead.

    Chunks but the last have `chunk_hits` at least, and above `most_hits` are cut within baskets. `on_damage` is called
    which entries of a chunk cannot be read before the chunk is given, with zeros in their place.

    Yields:
        The number of the chunk's first entry, and one native array per branch.

    Raises:
        InputError: a basket is truncated or damaged, and there is no `on_damage`; the message names the branch and the
            hits.
    """
    branches = [tree.branches[name] for name in names]
    borders = chunk_borders(branches, tree.entries, chunk_hits, most_hits)
    remote = isinstance(tree.path, RemotePath)
    workers = workers or (THREADS if remote else threads())
    opened = nullcontext() if remote else tree.path.open("rb")
    with opened as file, ThreadPoolExecutor(workers, thread_name_prefix="basket") as pool:
        decoder = _Decoder(tree, file.fileno() if file else -1)
        ahead: deque[_Chunk] = deque()
        waiting = deque(pairwise(borders))
        try:
            while waiting or ahead:
                while waiting and (len(ahead) < 2 or _hits(ahead) < AHEAD_CHUNKS * chunk_hits):
                    first, last = waiting.popleft()
                    ahead.append(_submit(pool, decoder, branches, first, last))
                chunk = ahead.popleft()
                for damage in chain.from_iterable(job.result() for job in chunk.jobs):
                    if on_damage is None:
                        raise InputError(f"{tree.path}: {damage.what}")
                    on_damage(damage)
                yield chunk.first, chunk.arrays
                del chunk  # its memory goes back as soon as nobody else holds it
        finally:
            pool.shutdown(cancel_futures=True)


def chunk_borders(branches: list[Branch], entries: int, chunk_hits: int, most_hits: int = MAX_CHUNK_HITS) -> list[int]:
    """Entries where chunks begin and end: where the baskets of all branches end together, as far as that goes."""
    common = branches[0].entries
    for branch in branches[1:]:
        common = np.intersect1d(common, branch.entries, assume_unique=True)
    coarsest = min((branch.entries for branch in branches), key=len)
    borders = [0]
    while borders[-1] < entries:
        here = borders[-1]
        for candidates in (common, coarsest):
            place = int(np.searchsorted(candidates, here + chunk_hits))
            border = int(candidates[place]) if place < len(candidates) else entries
            if border - here <= max(most_hits, chunk_hits):
                break
        else:
            border = here + chunk_hits
        borders.append(min(border, entries))
    return borders


class _Chunk(NamedTuple):
    first: int
    last: int
    arrays: dict[str, npt.NDArray[Any]]
    jobs: list[Future[list[Damage]]]


def _hits(chunks: Iterable[_Chunk]) -> int:
    return sum(chunk.last - chunk.first for chunk in chunks)


def _submit(pool: ThreadPoolExecutor, decoder: "_Decoder", branches: list[Branch], first: int, last: int) -> _Chunk:
    """Start the jobs that fill one chunk's arrays, those with most bytes first."""
    arrays = {branch.name: paged_array(last - first, branch.dtype.newbyteorder("=")) for branch in branches}
    jobs = []
    for branch in sorted(branches, key=lambda branch: -branch.dtype.itemsize):
        target = arrays[branch.name]
        if branch.embedded:
            jobs.append(pool.submit(decoder.fill_by_uproot, branch, first, last, target))
            continue
        baskets = range(*_overlapping(branch.entries, first, last))
        while baskets:
            count = int(np.searchsorted(branch.entries, branch.entries[baskets[0]] + JOB_HITS)) - baskets[0]
            group, baskets = baskets[: max(count, 1)], baskets[max(count, 1) :]
            jobs.append(pool.submit(decoder.fill, branch, group, first, target))
    return _Chunk(first, last, arrays, jobs)


def _overlapping(entries: npt.NDArray[Any], first: int, last: int) -> tuple[int, int]:
    """The baskets that hold any of the entries from first to last."""
    return int(np.searchsorted(entries, first, side="right")) - 1, int(np.searchsorted(entries, last, side="left"))


class _Decoder:
    """Fills arrays from baskets; called in several threads at once."""

    def __init__(self, tree: Tree, descriptor: int) -> None:
        self.path = tree.path
        self.tree = tree.name
        self.descriptor = descriptor
        self._uproot_lock = Lock()

    def fill(self, branch: Branch, baskets: range, first: int, target: npt.NDArray[Any]) -> list[Damage]:
        """Decode some baskets into an array whose first element is entry `first`; damaged entries are 0."""
        size = branch.dtype.itemsize
        damages = []
        for basket in baskets:
            begin, end = int(branch.entries[basket]), int(branch.entries[basket + 1])
            low, high = max(begin, first), min(end, first + len(target))
            try:
                pieces = self._pieces(branch, basket, (end - begin) * size, (low - begin) * size, (high - begin) * size)
                _copy(pieces, branch.dtype, target[low - first : high - first])
            except (deflate.DeflateError, ValueError, IndexError, OSError) as error:
                target[low - first : high - first] = 0
                hits = f"hits {begin + 1} to {end}"
                place = f"basket {basket} of branch '{branch.name}' ({hits}, at byte {branch.seeks[basket]})"
                damages.append(Damage(place, str(error), low, high))
        return damages

    def fill_by_uproot(self, branch: Branch, first: int, last: int, target: npt.NDArray[Any]) -> list[Damage]:
        """Let uproot read entries that are not in ordinary baskets."""
        try:
            with self._uproot_lock, opened_by_uproot(self.path) as file:
                tree = file[self.tree]
                if hasattr(tree, "cluster_summaries"):
                    target[:] = read_field(tree, branch.name, first, last)
                else:
                    target[:] = tree[branch.name].array(entry_start=first, entry_stop=last, library="np")
        except Exception as error:
            target[:] = 0
            place = f"branch '{branch.name}' (hits {first + 1} to {last})"
            return [Damage(place, first_line(error), first, last)]
        return []

    def _pieces(self, branch: Branch, basket: int, whole: int, low: int, high: int) -> Iterator[memoryview]:
        """Bytes `low` to `high` of a basket's `whole` uncompressed bytes, frame by frame."""
        seek, size = int(branch.seeks[basket]), int(branch.sizes[basket])
        if seek < 0 or size < LEAST_KEY_BYTES:
            raise ValueError(f"it cannot have {size} bytes")
        raw = memoryview(self._read(seek, size if size <= WHOLE_READ_BYTES else 64))
        stored, length, key = struct.unpack_from(">i2xi4xh", raw)
        if stored != size or length != whole or not LEAST_KEY_BYTES <= key <= size:
            raise ValueError(
                f"its key gives {stored} bytes in the file and {length} uncompressed, not {size} and {whole}"
            )
        if size <= WHOLE_READ_BYTES:
            return uncompressed(lambda at, count: raw[at : at + count], key, size, whole, low, high)
        return uncompressed(lambda at, count: self._read(seek + at, count), key, size, whole, low, high)

    def _read(self, offset: int, count: int) -> bytes:
        if isinstance(self.path, RemotePath):
            data = self.path.read_range(offset, count)
        else:
            data = read_at(self.descriptor, count, offset)
        if len(data) != count:
            raise ValueError(f"the file ends {count - len(data)} bytes too early")
        return data


def _copy(pieces: Iterator[memoryview], dtype: np.dtype[Any], target: npt.NDArray[Any]) -> None:
    """Copy big-endian bytes into a native array: in one step where they come in one piece, as nearly always."""
    first = next(pieces, memoryview(b""))
    if len(first) == target.nbytes:
        target[:] = np.frombuffer(first, dtype)
        return
    octets = target.view(np.uint8)
    at = 0
    while len(first):
        octets[at : at + len(first)] = first
        at += len(first)
        first = next(pieces, memoryview(b""))
    if dtype.byteorder == ">":
        target.byteswap(inplace=True)


def uncompressed(
    fetch: Callable[[int, int], memoryview | bytes], at: int, end: int, whole: int, low: int, high: int
) -> Iterator[memoryview]:
    """Bytes `low` to `high` of the `whole` uncompressed ones that a basket's frames hold, frame by frame.

    `fetch` gives bytes of the basket from (offset, count); its frames lie from `at`, after the key, to `end`.

    Raises:
        ValueError, deflate.DeflateError: a frame is damaged.
    """
    if end - at == whole:
        yield memoryview(fetch(at + low, high - low))
        return
    done = 0
    while at < end and done < high:
        header = bytes(fetch(at, 9))
        tag, packed, size = header[:2], int.from_bytes(header[3:6], "little"), int.from_bytes(header[6:9], "little")
        if packed + 9 > end - at or size > whole - done or not size:
            raise ValueError("a compressed frame is longer than its basket")
        if done + size > low:
            frame = memoryview(_inflate(tag, fetch(at + 9, packed), size))
            yield frame[max(low - done, 0) : min(high - done, size)]
        at += 9 + packed
        done += size
    if done < high:
        raise ValueError(f"it contains {done} of {whole} bytes")


def _inflate(tag: bytes, packed: Any, size: int) -> bytes | bytearray:
    """One frame's uncompressed bytes; `tag` names the codec."""
    data: bytes | bytearray
    data = deflate.zlib_decompress(packed, size) if tag == b"ZL" else _inflate_by_uproot(tag, bytes(packed), size)
    if len(data) != size:
        raise ValueError(f"a frame contains {len(data)} bytes, not {size}")
    return data


def _inflate_by_uproot(tag: bytes, packed: bytes, size: int) -> bytes:
    import xxhash
    from uproot.compression import LZ4, LZMA, ZSTD

    codecs = {b"L4": LZ4, b"ZS": ZSTD, b"XZ": LZMA}
    if tag not in codecs:
        raise ValueError(f"a frame has the unknown codec {tag!r}")
    if tag == b"L4":  # ROOT's frames begin with a checksum of the rest
        checksum, packed = packed[:8], packed[8:]
        if xxhash.xxh64(packed).digest() != checksum:
            raise ValueError("the checksum of a frame is wrong")
    try:
        return bytes(codecs[tag](1).decompress(packed, uncompressed_bytes=size))  # any level decompresses
    except Exception as error:
        raise ValueError(f"a frame cannot be decompressed: {error}") from None
