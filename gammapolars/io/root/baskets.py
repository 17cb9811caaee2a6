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
from gammapolars.io.buffers import paged_array, reused_memory
from gammapolars.io.placed_reading import read_at
from gammapolars.io.remote import THREADS, RemotePath
from gammapolars.io.root.branches import Branch, Tree
from gammapolars.io.root.frames import PREFIX_BYTES, uncompressed
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
"""Baskets up to this size are read at once, larger ones, and those of which little is read, frame by frame."""


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
    rows: tuple[int, int] | None = None,
    whole_baskets: bool = False,
    workers: int | None = None,
    on_damage: Callable[[Damage], object] | None = None,
) -> Iterator[tuple[int, dict[str, npt.NDArray[Any]]]]:
    """Read branches in chunks whose borders follow those of the baskets, some chunks ahead.

    Chunks but the last have `chunk_hits` at least, and above `most_hits` are cut within baskets. `on_damage` is called
    which entries of a chunk cannot be read before the chunk is given, with zeros in their place.

    Args:
        tree: the tree.
        names: of its branches.
        chunk_hits: the least of a chunk.
        most_hits: the most of a chunk whose borders follow those of baskets.
        rows: only the entries from the first to before the second are read. Of a basket that is cut, no more is
            unpacked than is needed.
        whole_baskets: whether a basket of which only a part is read is checked whole, so that its damage costs the same
            entries wherever it is cut.
        workers: how many threads decode.
        on_damage: called with the entries that cannot be read.

    Yields:
        The number of the chunk's first entry, and one native array per branch.

    Raises:
        InputError: a basket is truncated or damaged, and there is no `on_damage`; the message names the branch and the
            hits.
    """
    branches = [tree.branches[name] for name in names]
    first, end = rows or (0, tree.entries)
    borders = chunk_borders(branches, end, chunk_hits, most_hits, first=first)
    remote = isinstance(tree.path, RemotePath)
    workers = workers or (THREADS if remote else threads())
    opened = nullcontext() if remote else tree.path.open("rb")
    with opened as file, reused_memory(), ThreadPoolExecutor(workers, thread_name_prefix="basket") as pool:
        decoder = _Decoder(tree, file.fileno() if file else -1, whole_baskets=whole_baskets)
        ahead: deque[_Chunk] = deque()
        waiting = deque(pairwise(borders))
        chunks, hits = 1, 0  # often no more than the first hits are asked for
        try:
            while waiting or ahead:
                while waiting and (len(ahead) < chunks or _hits(ahead) < hits):
                    first, last = waiting.popleft()
                    ahead.append(_submit(pool, decoder, branches, first, last))
                chunk = ahead.popleft()
                for damage in chain.from_iterable(job.result() for job in chunk.jobs):
                    if on_damage is None:
                        raise InputError(f"{tree.path}: {damage.what}")
                    on_damage(damage)
                yield chunk.first, chunk.arrays
                chunks, hits = 2, AHEAD_CHUNKS * chunk_hits
                del chunk  # its memory goes back as soon as nobody else holds it
        finally:
            pool.shutdown(cancel_futures=True)


def chunk_borders(
    branches: list[Branch], entries: int, chunk_hits: int, most_hits: int = MAX_CHUNK_HITS, *, first: int = 0
) -> list[int]:
    """Entries where chunks of those from `first` to before `entries` begin and end.

    That is where the baskets of all branches end together, as far as that goes.
    """
    common = branches[0].entries
    for branch in branches[1:]:
        common = np.intersect1d(common, branch.entries, assume_unique=True)
    coarsest = min((branch.entries for branch in branches), key=len)
    borders = [first]
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

    def __init__(self, tree: Tree, descriptor: int, *, whole_baskets: bool = False) -> None:
        self.path = tree.path
        self.tree = tree.name
        self.descriptor = descriptor
        self._whole_baskets = whole_baskets
        self._sound: set[tuple[str, int]] = set()
        self._uproot_lock = Lock()

    def fill(self, branch: Branch, baskets: range, first: int, target: npt.NDArray[Any]) -> list[Damage]:
        """Decode some baskets into an array whose first element is entry `first`; damaged entries are 0."""
        size = branch.dtype.itemsize
        damages = []
        for basket in baskets:
            begin, end = int(branch.entries[basket]), int(branch.entries[basket + 1])
            low, high = max(begin, first), min(end, first + len(target))
            try:
                part = (low - begin) * size, (high - begin) * size
                if self._whole_baskets and part != (0, (end - begin) * size):
                    self._check(branch, basket, (end - begin) * size)
                pieces = self._pieces(branch, basket, (end - begin) * size, *part)
                _copy(pieces, branch.dtype, target[low - first : high - first])
            except (deflate.DeflateError, ValueError, IndexError, OSError) as error:
                target[low - first : high - first] = 0
                hits = f"hits {begin + 1} to {end}"
                place = f"basket {basket} of branch '{branch.name}' ({hits}, at byte {branch.seeks[basket]})"
                damages.append(Damage(place, str(error), low, high))
        return damages

    def _check(self, branch: Branch, basket: int, whole: int) -> None:
        """Unpack a basket of which only a part is read, once, to find damage anywhere in it."""
        if (branch.name, basket) not in self._sound:
            deque(self._pieces(branch, basket, whole, 0, whole), maxlen=0)
            self._sound.add((branch.name, basket))

    def fill_by_uproot(self, branch: Branch, first: int, last: int, target: npt.NDArray[Any]) -> list[Damage]:
        """Let uproot read entries that are not in ordinary baskets: whole ones, one by one where there is damage."""
        low, high = _overlapping(branch.entries, first, last)
        begin, end = int(branch.entries[low]), int(branch.entries[high])
        try:
            target[:] = self._read_by_uproot(branch, begin, end)[first - begin : last - begin]
        except Exception as error:
            if high - low > 1:
                borders = [first, *map(int, branch.entries[low + 1 : high]), last]
                parts = [(at, to, target[at - first : to - first]) for at, to in pairwise(borders) if at < to]
                return [damage for part in parts for damage in self.fill_by_uproot(branch, *part)]
            target[:] = 0
            return [Damage(f"branch '{branch.name}' (hits {begin + 1} to {end})", first_line(error), first, last)]
        return []

    def _read_by_uproot(self, branch: Branch, first: int, last: int) -> npt.NDArray[Any]:
        with self._uproot_lock, opened_by_uproot(self.path) as file:
            tree = file[self.tree]
            if hasattr(tree, "cluster_summaries"):
                return read_field(tree, branch.name, first, last)
            values: npt.NDArray[Any] = tree[branch.name].array(entry_start=first, entry_stop=last, library="np")
            return values

    def _pieces(self, branch: Branch, basket: int, whole: int, low: int, high: int) -> Iterator[memoryview]:
        """Bytes `low` to `high` of a basket's `whole` uncompressed bytes, frame by frame."""
        seek, size = int(branch.seeks[basket]), int(branch.sizes[basket])
        if seek < 0 or size < LEAST_KEY_BYTES:
            raise ValueError(f"it cannot have {size} bytes")
        at_once = size <= WHOLE_READ_BYTES and (2 * (high - low) >= whole or size <= PREFIX_BYTES)
        raw = memoryview(self._read(seek, size if at_once else 64))
        stored, length, key = struct.unpack_from(">i2xi4xh", raw)
        if stored != size or length != whole or not LEAST_KEY_BYTES <= key <= size:
            raise ValueError(
                f"its key gives {stored} bytes in the file and {length} uncompressed, not {size} and {whole}"
            )
        if at_once:
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
