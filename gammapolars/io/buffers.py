"""Memory for the columns of large chunks."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

PAGE_BYTES = 2**21
"""A huge page."""


def paged_array(count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of shape (count,) in memory of its own, of whole huge pages; its contents are undefined.

    From the allocator's heaps, of which each thread has another, the arrays of a long file would leave ever more holes;
    and small pages cost a fault every 4 kB. The memory goes back when the last view of the array is gone.
    """
    size = -(-max(count * dtype.itemsize, 1) // PAGE_BYTES) * PAGE_BYTES
    # Private memory, because shared memory is not given in huge pages; a page more, to begin where one begins.
    block = mmap.mmap(-1, size + PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    first_page = -np.frombuffer(block, np.uint8, 1).ctypes.data % PAGE_BYTES
    return np.frombuffer(block, dtype, count, offset=first_page)
