"""Memory for the columns of large chunks."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

PAGE_BYTES = 2**21
"""A huge page."""


def paged_array(count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of shape (count,) in memory of its own, of whole huge pages if it is large; its contents are undefined.

    From the allocator's heaps, of which each thread has another, the arrays of a long file would leave ever more holes;
    and small pages cost a fault every 4 kB. The memory goes back when the last view of the array is gone.
    """
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # shared memory is not given in huge pages
    if count * dtype.itemsize < PAGE_BYTES // 2:
        return np.frombuffer(mmap.mmap(-1, max(count * dtype.itemsize, 1), flags=private), dtype, count)
    size = -(-count * dtype.itemsize // PAGE_BYTES) * PAGE_BYTES
    block = mmap.mmap(-1, size + PAGE_BYTES, flags=private)  # a page more, to begin where one begins
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    first_page = -np.frombuffer(block, np.uint8, 1).ctypes.data % PAGE_BYTES
    return np.frombuffer(block, dtype, count, offset=first_page)
