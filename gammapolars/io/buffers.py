"""Memory for the columns of large chunks."""

import contextlib
import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.system import EMULATES_WINDOWS

PAGE_BYTES = 2**21
"""A huge page."""

MOST_FREE = 2**26
"""This much memory, 64 MB, is kept to be used again: as much as is read ahead of what is being worked on."""

LARGEST = 2**25
"""Larger blocks are not kept: one would be all that there is."""

MOST_WASTE = 2
"""A block is used again for an array that fills so large a part of it, at least: half."""


def paged_array(count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of shape (count,) in memory of its own, of whole huge pages if it is large; its contents are undefined.

    From the allocator's heaps, of which each thread has another, the arrays of a long file would leave ever more holes;
    and small pages cost a fault every 4 kB. When the last view of the array is gone, its memory is used again: the
    system fills new memory with zeros first, which takes as long as writing it.
    """
    size = count * dtype.itemsize
    if size < PAGE_BYTES // 2:
        return np.frombuffer(_memory(max(size, 1)), dtype, count)
    size = -(-size // PAGE_BYTES) * PAGE_BYTES
    return np.asarray(_free_block(size) or _Block(size))[: count * dtype.itemsize].view(dtype)


_FREE: list[tuple[int, mmap.mmap]] = []
"""Blocks that nothing lies in any more, and their sizes. Threads add and take them one at a time."""


class _Block:
    """Whole huge pages; numpy's arrays in them hold on to it, whatever views are made of them."""

    _free, _most_free, _largest = _FREE, MOST_FREE, LARGEST  # there still when the process ends

    def __init__(self, size: int, memory: mmap.mmap | None = None) -> None:
        self.size = size
        self._memory = memory or _memory(size + PAGE_BYTES)  # a page more, to begin where one begins
        if memory is None and sys.platform == "linux" and not EMULATES_WINDOWS:
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        begin = np.frombuffer(self._memory, np.uint8, 1).ctypes.data
        place = begin + -begin % PAGE_BYTES
        self.__array_interface__ = {"shape": (size,), "typestr": "|u1", "data": (place, False), "version": 3}

    def __del__(self) -> None:
        kept = sum(size for size, _ in tuple(self._free))
        if self.size <= self._largest and kept + self.size <= self._most_free:
            self._free.append((self.size, self._memory))


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
