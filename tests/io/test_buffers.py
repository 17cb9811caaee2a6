"""Memory of columns: used again when nothing lies in it any more, and not before."""

import gc

import numpy as np
import polars as pl
import pytest

from gammapolars.io import buffers
from gammapolars.io.buffers import PAGE_BYTES, paged_array

BYTES = np.dtype(np.uint8)


@pytest.fixture(autouse=True)
def _nothing_free() -> None:
    gc.collect()
    buffers._FREE.clear()


def place(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_is_used_again_when_the_last_view_is_gone() -> None:
    array = paged_array(PAGE_BYTES, BYTES)
    first, view = place(array), array[10:20].view(np.uint16)
    view[:] = 7
    del array

    other = paged_array(PAGE_BYTES, BYTES)
    other[:] = 1
    assert place(other) != first
    assert view.tolist() == [7] * 5
    del view

    assert place(paged_array(PAGE_BYTES // 8, np.dtype(np.int64))) == first


def test_a_column_of_polars_keeps_its_memory() -> None:
    """In which it lies without a copy."""
    array = paged_array(PAGE_BYTES, np.dtype(np.uint16))
    first = place(array)
    array[:] = 3
    column = pl.DataFrame({"adc": array})["adc"][100:200]
    assert column.to_numpy().ctypes.data == first + 200
    del array

    others = [paged_array(PAGE_BYTES, np.dtype(np.uint16)) for _ in range(3)]
    for other in others:
        other[:] = 9

    assert first not in map(place, others)
    assert column.to_list() == [3] * 100


@pytest.mark.parametrize("size", [1, PAGE_BYTES // 2, PAGE_BYTES + 1])
def test_arrays_do_not_overlap(size: int) -> None:
    arrays = [paged_array(size, BYTES) for _ in range(5)]
    del arrays[1], arrays[2]
    arrays += [paged_array(size, BYTES) for _ in range(3)]
    for number, array in enumerate(arrays):
        array[:] = number

    assert all((array == number).all() and len(array) == size for number, array in enumerate(arrays))


def test_little_memory_is_kept_and_none_is_wasted() -> None:
    del (arrays := [paged_array(9 * PAGE_BYTES, BYTES) for _ in range(10)])[:]
    assert not arrays
    assert 0 < sum(size for size, _ in buffers._FREE) <= buffers.MOST_FREE

    free = len(buffers._FREE)
    small = paged_array(PAGE_BYTES, BYTES)
    assert len(buffers._FREE) == free
    del small
    large = paged_array(buffers.LARGEST + 1, BYTES)
    del large
    assert max(size for size, _ in buffers._FREE) == 9 * PAGE_BYTES
