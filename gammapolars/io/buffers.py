"""Memory for columns that is used again and again while a file streams through."""

import mmap
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

PAGE_BYTES = 2**21
"""Blocks are whole multiples of a huge page, and begin with one: smaller pages cost hundreds of faults each."""

MAX_FREE_BYTES = 64 * 2**20
"""What waits to be used again, at most; more is given back to the system."""


class Buffers:
    """Arrays in blocks of memory that come back when the last view of an array is gone.

    A stream of chunks from several threads would otherwise scatter over the allocator's per-thread heaps and grow with
    the file, and fresh memory costs a page fault every 4 kB.
    """

    def __init__(self) -> None:
        self._free: list[mmap.mmap] = []

    def array(self, count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """An array of undefined contents, shape (count,)."""
        size = max(count * dtype.itemsize, 1)
        block = self._taken(size) or _new_block(-(-size // PAGE_BYTES) * PAGE_BYTES)
        array = np.frombuffer(block, dtype, count, offset=_first_page(block))
        # Views refer to this array, not to the block: when it is collected, nobody can see the block any more.
        weakref.finalize(array, self._give_back, block).atexit = False
        return array

    def _taken(self, size: int) -> mmap.mmap | None:
        """A free block that fits without wasting more than half of it."""
        for place, block in enumerate(self._free):
            if size <= len(block) - PAGE_BYTES <= 2 * size + PAGE_BYTES:
                try:
                    return self._free.pop(place)
                except IndexError:  # another thread was faster
                    return None
        return None

    def _give_back(self, block: mmap.mmap) -> None:
        if sum(map(len, self._free)) + len(block) <= MAX_FREE_BYTES:
            self._free.append(block)


def _new_block(size: int) -> mmap.mmap:
    """A block with room for so many bytes behind the first border between huge pages."""
    # Private memory, because shared memory is not given in huge pages.
    block = mmap.mmap(-1, size + PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


def _first_page(block: mmap.mmap) -> int:
    """Where the first huge page of a block begins."""
    return -np.frombuffer(block, np.uint8, 1).ctypes.data % PAGE_BYTES
