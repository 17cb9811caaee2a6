"""Memory for the columns of large chunks."""

import contextlib
import mmap
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.system import EMULATES_WINDOWS

PAGE_BYTES = 2**21
"""A huge page."""

MOST_FREE = 2**28
"""So much free memory is kept while a file is read, 256 MB: what waits between stages is a part of that."""

MOST_WASTE = 2
"""A block is used again for an array that fills this part of it, at least: half."""

_FREE: list[tuple[int, mmap.mmap]] = []
"""Blocks that nothing lies in any more, and their sizes. Threads add and take them one at a time."""

_READINGS: list[object] = []
"""One for each file that is being read."""


@contextlib.contextmanager
def reused_memory() -> Iterator[None]:
    """Use the memory of arrays again as long as a file is read, and give it back at the end.

    The system fills new memory with zeros first, which takes as long as to read it.
    """
    reading = object()
    _READINGS.append(reading)
    try:
        yield
    finally:
        _READINGS.remove(reading)
        if not _READINGS:
            _FREE.clear()


def paged_array(count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of shape (count,) in memory of its own, of whole huge pages if it is large; its contents are undefined.

    From the allocator's heaps, of which each thread has another, the arrays of a long file would leave ever more holes;
    and small pages cost a fault every 4 kB. The memory goes back when the last view of the array is gone, or is used
    again.
    """
    size = count * dtype.itemsize
    if size < PAGE_BYTES // 2:
        return np.frombuffer(_memory(max(size, 1)), dtype, count)
    size = -(-size // PAGE_BYTES) * PAGE_BYTES
    return np.asarray(_free_block(size) or _Block(size))[: count * dtype.itemsize].view(dtype)


class _Block:
    """Whole huge pages; numpy's arrays in them hold on to it, whatever views are made of them."""

    # There still when the process ends.
    _free, _readings, _most_free, _if_any = _FREE, _READINGS, MOST_FREE, contextlib.suppress(IndexError)

    def __init__(self, size: int, memory: mmap.mmap | None = None) -> None:
        self.size = size
        self._memory = memory or _memory(size + PAGE_BYTES)  # a page more, to begin where one begins
        if memory is None and sys.platform == "linux" and not EMULATES_WINDOWS:
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        begin = np.frombuffer(self._memory, np.uint8, 1).ctypes.data
        place = begin + -begin % PAGE_BYTES
        self.__array_interface__ = {"shape": (size,), "typestr": "|u1", "data": (place, False), "version": 3}

    def __del__(self) -> None:
        if self._readings:
            self._free.append((self.size, self._memory))
        # The latest stay: they are of the sizes that are needed next.
        while sum(size for size, _ in tuple(self._free)) > self._most_free:
            with self._if_any:
                self._free.pop(0)


def _free_block(size: int) -> _Block | None:
    """The smallest free block that has room for so many bytes, and not for very many more."""
    fitting = sorted((one for one in tuple(_FREE) if size <= one[0] <= MOST_WASTE * size), key=lambda one: one[0])
    for one in fitting:
        with contextlib.suppress(ValueError):  # another thread may have taken it
            _FREE.remove(one)
            return _Block(*one)
    return None


def _memory(size: int) -> mmap.mmap:
    """Memory of only this process, of some bytes."""
    if sys.platform == "win32" or EMULATES_WINDOWS:
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory has no huge pages
