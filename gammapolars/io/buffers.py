"""Memory for columns that is used again and again while a file streams through."""

import mmap
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 2**20
"""Blocks are whole multiples of this."""

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
        block = self._taken(size) or _new_block(-(-size // BLOCK_BYTES) * BLOCK_BYTES)
        array = np.frombuffer(block, dtype, count)
        # Views refer to this array, not to the block: when it is collected, nobody can see the block any more.
        weakref.finalize(array, self._give_back, block).atexit = False
        return array

    def _taken(self, size: int) -> mmap.mmap | None:
        """A free block that fits without wasting more than half of it."""
        for place, block in enumerate(self._free):
            if size <= len(block) <= 2 * size + BLOCK_BYTES:
                try:
                    return self._free.pop(place)
                except IndexError:  # another thread was faster
                    return None
        return None

    def _give_back(self, block: mmap.mmap) -> None:
        if sum(map(len, self._free)) + len(block) <= MAX_FREE_BYTES:
            self._free.append(block)


def _new_block(size: int) -> mmap.mmap:
    block = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block
