"""Memory for the columns of large chunks."""

import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from gammapolars.core.system import EMULATES_WINDOWS

PAGE_BYTES = 2**21
"""A huge page."""


def paged_array(count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of shape (count,) in memory of its own, of whole huge pages if it is large; its contents are undefined.

    From the allocator's heaps, of which each thread has another, the arrays of a long file would leave ever more holes;
    and small pages cost a fault every 4 kB. The memory goes back when the last view of the array is gone.
    """
    if count * dtype.itemsize < PAGE_BYTES // 2:
        return np.frombuffer(_block(max(count * dtype.itemsize, 1)), dtype, count)
    size = -(-count * dtype.itemsize // PAGE_BYTES) * PAGE_BYTES
    block = _block(size + PAGE_BYTES)  # a page more, to begin where one begins
    if sys.platform == "linux" and not EMULATES_WINDOWS:
        block.madvise(mmap.MADV_HUGEPAGE)
    first_page = -np.frombuffer(block, np.uint8, 1).ctypes.data % PAGE_BYTES
    return np.frombuffer(block, dtype, count, offset=first_page)


def _block(size: int) -> mmap.mmap:
    """Memory of only this process, of some bytes."""
    if sys.platform == "win32" or EMULATES_WINDOWS:
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory has no huge pages
