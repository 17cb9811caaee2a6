"""RadWare: gf3's binary spectra, and matrices of 4096 × 4096 channels without any header."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, OutputError
from gammapolars.io.spectra.channels import Channels, Grid, whole_counts
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, one_line, recorded

CHANNELS = 16384
SIDE = 4096
"""Channels on each axis of a matrix."""

BLOCK_ROWS = 256

COLUMNS = dict.fromkeys(("adc_x", "adc_y", "counts", "variance"), pl.Float64())
"""Columns of a matrix as it is read."""

_HEAD_BYTES = 24
_FIRST_LENGTHS = (struct.pack("<i", _HEAD_BYTES), struct.pack(">i", _HEAD_BYTES))


def is_spectrum(head: bytes) -> bool:
    """Whether a file begins as gf3's spectra do: with the length of its first record, in either byte order."""
    return head[:4] in _FIRST_LENGTHS


def encode(channels: Channels) -> bytes:
    """The bytes of a gf3 spectrum. It has no place for a calibration or times, and 8 letters for the detector or title.

    Raises:
        OutputError: a count is no number, or a whole one of more digits than the format's 24 bits hold.
    """
    with np.errstate(over="ignore"):
        counts = channels.counts.astype("<f4")
    rounded = (channels.counts == np.rint(channels.counts)) & (counts != channels.counts)
    if not np.isfinite(counts).all() or rounded.any():
        wrong = channels.counts[rounded | ~np.isfinite(counts)][0]
        raise OutputError(
            f"RadWare .spe stores 24 bits of a count, but a bin has {wrong:.17g}: write .root, .csv or .parquet"
        )
    measurement = channels.measurement
    name = one_line(measurement.detector or measurement.title).encode("ascii", "replace")[:8].ljust(8)
    head = struct.pack("<i8s5i", _HEAD_BYTES, name, len(counts), 1, 1, 1, _HEAD_BYTES)
    length = struct.pack("<i", counts.nbytes)
    return head + length + counts.tobytes() + length


def decode(data: bytes) -> RecordedSpectrum:
    """The spectrum of a gf3 file, in either byte order.

    Raises:
        InputError: it is no such file, is cut short, or contains something other than numbers.
    """
    if not is_spectrum(data) or len(data) < _HEAD_BYTES + 16:
        raise InputError("is not a RadWare spectrum, or is cut short: it has no complete header")
    order = "<" if data[:4] == _FIRST_LENGTHS[0] else ">"
    _, name, number, *_, head_end, begin = struct.unpack_from(f"{order}i8s6i", data)
    place = _HEAD_BYTES + 12
    if head_end != _HEAD_BYTES or not 0 < number <= CHANNELS or begin != 4 * number:
        raise InputError(f"its header is damaged: it announces {number} channels in {begin} bytes")
    if len(data) < place + begin + 4 or struct.unpack_from(f"{order}i", data, place + begin)[0] != begin:
        raise InputError(f"announces {number} channels, but fewer follow: is it cut short?")
    counts = np.frombuffer(data, f"{order}f4", number, place)
    if not np.isfinite(counts).all():
        raise InputError(f"channel {int(np.isfinite(counts).argmin())} has no number: is it damaged?")
    return recorded(counts, Measurement(title=one_line(name.decode("latin-1"))))


def write_mat(grid: Grid, file: BinaryIO) -> None:
    """Write a matrix of 16-bit counts, all x of one y in a row; an OutputError, where it does not fit."""
    _write(grid, file, "<u2", 0, 2**16 - 1, ".mat", "write .m4b, which holds up to 2^31 - 1, or .root or .parquet")


def write_m4b(grid: Grid, file: BinaryIO) -> None:
    """The same of signed 32-bit counts."""
    _write(grid, file, "<i4", -(2**31), 2**31 - 1, ".m4b", "write .root or .parquet")


def _write(grid: Grid, file: BinaryIO, dtype: str, low: int, high: int, suffix: str, instead: str) -> None:
    what = f"RadWare {suffix}"
    if max(grid.x.bins, grid.y.bins) > SIDE:
        raise OutputError(
            f"the matrix has {grid.x.bins:,} × {grid.y.bins:,} channels, and {what} {SIDE:,} a side: "
            f"choose wider bins, or write .parquet"
        )
    counts = whole_counts(grid.counts, low, high, what, instead)
    dense = np.zeros(SIDE * SIDE, dtype)
    dense[grid.y_places * SIDE + grid.x_places] = counts
    file.write(dense.data)


def batches(path: Path, dtype: str) -> Iterator[pl.DataFrame]:
    """The filled bins of a matrix of counts of this type: `adc_x` and `adc_y` (channels), `counts`, `variance`."""
    row_bytes = SIDE * np.dtype(dtype).itemsize
    with path.open("rb") as file:
        for first in range(0, SIDE, BLOCK_ROWS):
            data = file.read(BLOCK_ROWS * row_bytes)
            if len(data) < BLOCK_ROWS * row_bytes:
                raise InputError(f"{path}: was cut short while it was read")
            counts = np.frombuffer(data, dtype)
            filled = np.flatnonzero(counts)
            values = counts[filled].astype(np.float64)
            yield pl.DataFrame([filled % SIDE, first + filled // SIDE, values, np.abs(values)], COLUMNS)


def check_matrix(path: Path, dtype: str) -> None:
    """Raise an InputError unless a file has the length of a matrix of such counts."""
    expected, size = SIDE * SIDE * np.dtype(dtype).itemsize, path.stat().st_size
    if size != expected:
        raise InputError(
            f"{path}: is not a RadWare matrix, or is cut short: it has {size:,} bytes, "
            f"and {SIDE} × {SIDE} channels are {expected:,}"
        )
