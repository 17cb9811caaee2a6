"""Memory of columns: used again when nothing lies in it any more, and not before."""

import gc
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from gammapolars.io import buffers
from gammapolars.io.buffers import PAGE_BYTES, paged_array, reused_memory

BYTES = np.dtype(np.uint8)


@pytest.fixture(autouse=True)
def _reading() -> Iterator[None]:
    gc.collect()
    with reused_memory():
        yield


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


def test_memory_is_kept_within_limits_and_only_while_a_file_is_read() -> None:
    with reused_memory():
        arrays = [paged_array(40 * PAGE_BYTES, BYTES) for _ in range(4)]
        del arrays
        assert sum(size for size, _ in buffers._FREE) == 120 * PAGE_BYTES <= buffers.MOST_FREE
    assert buffers._FREE  # another file is being read

    small = paged_array(PAGE_BYTES, BYTES)
    assert len(buffers._FREE) == 3  # none of which is used for so little
    del small
    assert [size // PAGE_BYTES for size, _ in buffers._FREE] == [40, 40, 40, 1]


def test_nothing_is_kept_when_no_file_is_read() -> None:
    readings = buffers._READINGS[:]
    buffers._READINGS.clear()
    try:
        array = paged_array(PAGE_BYTES, BYTES)
        with reused_memory():
            other = paged_array(PAGE_BYTES, BYTES)
            del array
            assert len(buffers._FREE) == 1
        del other
        assert not buffers._FREE
    finally:
        buffers._READINGS.extend(readings)
