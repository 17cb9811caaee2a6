"""A matrix as the page holds it: the bytes of its filled bins, and the parameters needed to read them.

The bytes are those of zlib: of `values` distinct counts, then as many variances (Float64, little endian); the bins by
the numbers x · bins_y + y, ascending, as the gap from one to the next; for each the place of its counts among the
distinct ones; and for each detector the counts of its spectrum in the bins of x. Whole numbers are in groups of seven
bits, the lowest first, the eighth bit set where more follow (LEB128). In a symmetric matrix x <= y. Counts and
variances are those of the table to the last bit, whatever their weights. `data.js` reads it.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.types import Floats, Integers
from gammapolars.spectra.bins import CLOSE, width_of
from gammapolars.spectra.matrices import is_symmetric
from gammapolars.spectra.matrix_cells import like_axes

LAYOUT = 1
"""Version of the data; the script refuses others."""

LEVEL, CLOSEST = 7, 9
"""Of compression: the second takes six times as long to be 3 % shorter, and is for data that just find room by it."""

MOST_CHARACTERS = 3_000_000
"""Characters of data in a page: where there would be more, bins are doubled."""

MOST_BINS = 2**16
"""Along an axis: a wider one is shown in wider bins."""


MOST_SINGLES = 32
"""Spectra of more detectors are left out: nobody could distinguish them."""


@dataclass(frozen=True)
class LiveAxis:
    """Equal bins along an axis: bin k is centred on (start + k + ½) · width + shift.

    Attributes:
        column: of the matrix.
        start: the number of the first bin.
        width: of the bins, in the column's unit.
        shift: by which edges lie off whole multiples of the width.
        bins: how many there are.
    """

    column: str
    start: int
    width: float
    shift: float
    bins: int

    def places(self, centres: Floats) -> Integers:
        """(n,) the numbers of bins, of the first 0, that values lie in."""
        return np.floor((centres - self.shift) / self.width + 1e-9).astype(np.int64) - self.start

    def doubled(self) -> "LiveAxis":
        """Bins twice as wide, in which whole ones of these lie."""
        start = self.start // 2
        return replace(self, start=start, width=2 * self.width, bins=(self.start + self.bins - 1) // 2 - start + 1)


@dataclass(frozen=True)
class LiveCells:
    """The filled bins of a matrix of pairs.

    Attributes:
        axes: x and y.
        symmetric: whether each pair is both at (x, y) and at (y, x), of which x <= y is kept.
        x: (n,) numbers of bins on x, those of y ascending in each.
        y: (n,) the same on y.
        counts: (n,) in the bin.
        variance: (n,) of these.
        doublings: how often the bins of the table were doubled.
    """

    axes: tuple[LiveAxis, LiveAxis]
    symmetric: bool
    x: Integers
    y: Integers
    counts: Floats
    variance: Floats
    doublings: int = 0

    def doubled(self) -> "LiveCells":
        """The matrix in bins twice as wide, as if it had been counted in them."""
        axes = self.axes[0].doubled(), self.axes[1].doubled()
        x, y = (
            (before.start + at) // 2 - after.start
            for before, after, at in zip(self.axes, axes, (self.x, self.y), strict=True)
        )
        cells, place = np.unique(x * axes[1].bins + y, return_inverse=True)
        counts, variance = (
            np.bincount(place, one, len(cells)).astype(np.float64) for one in (self.counts, self.variance)
        )
        x, y = np.divmod(cells, axes[1].bins)
        return LiveCells(axes, self.symmetric, x, y, counts, variance, self.doublings + 1)


def live_cells(matrix: pl.DataFrame, width: float | tuple[float, float] | None = None) -> LiveCells:
    """The cells of a matrix as a table.

    Args:
        matrix: as `gp.matrix` gives it.
        width: of the bins, on both axes or on each; None: from the distances of the centres.

    Raises:
        TableError: it is no matrix of two energies or of two adc values, in equal bins, whose cells are independent.
    """
    columns = like_axes(matrix)
    symmetric = is_symmetric(matrix)
    widths = width if isinstance(width, tuple) else (width, width)
    centres = [matrix[name].cast(pl.Float64).to_numpy() for name in columns]
    both = [np.concatenate(centres)] * 2 if symmetric else centres
    axes = tuple(_axis(name, at, one) for name, at, one in zip(columns, both, widths, strict=True))
    places = [axis.places(at) for axis, at in zip(axes, centres, strict=True)]
    counts, variance = (matrix[name].cast(pl.Float64).to_numpy() for name in ("counts", "variance"))
    if not (np.isfinite(counts).all() and np.isfinite(variance).all()):
        raise TableError("the matrix has bins without a number of counts or without their variance")
    kept = np.flatnonzero(places[0] <= places[1]) if symmetric else np.arange(matrix.height)
    order = kept[np.lexsort((places[1][kept], places[0][kept]))]
    cells = LiveCells((axes[0], axes[1]), symmetric, places[0][order], places[1][order], counts[order], variance[order])
    while max(axis.bins for axis in cells.axes) > MOST_BINS:
        cells = cells.doubled()
    return cells


def _axis(column: str, centres: Floats, width: float | None) -> LiveAxis:
    """The bins up to the last filled one: from 0 on where that is near, else from the first filled one on."""
    if width is None:
        width = width_of(centres, "energy_kev") or 1.0
    low, high = float(centres.min()), float(centres.max())
    numbers = centres / width - 0.5
    whole = np.rint(numbers[0])
    shift = 0.0 if abs(numbers[0] - whole) < CLOSE else float(centres[0] - (np.floor(numbers[0]) + 0.5) * width)
    first, last = (int(np.floor((end - shift) / width + 1e-9)) for end in (low, high))
    if np.abs((centres - shift) / width - 0.5 - np.rint((centres - shift) / width - 0.5)).max() > 2 * CLOSE:
        raise TableError(f"the bins of {column} are not of one width, {width:g}")
    start = 0 if 0 <= first < max(1, 0.5 * last) else first
    return LiveAxis(column, start, width, shift, last - start + 1)


@dataclass(frozen=True)
class Packed:
    """The data of a matrix in the page.

    Attributes:
        head: parameters for the script, for JSON.
        data: the bytes, as base64 of zlib.
        cells: their content.
    """

    head: dict[str, Any]
    data: str
    cells: LiveCells


def pack(cells: LiveCells, singles: Sequence[tuple[str, pl.DataFrame]] = (), *, most: int | None = None) -> Packed:
    """The bytes of a matrix and of spectra of single detectors, in bins as fine as there is room for.

    Args:
        cells: of the matrix.
        singles: name and spectrum of each detector, with bin centres in the unit of x.
        most: characters; None: `MOST_CHARACTERS`.
    """
    singles, most = singles[:MOST_SINGLES], MOST_CHARACTERS if most is None else most
    packed = _packed(cells, singles, most)
    while len(packed.data) > most and cells.axes[0].bins > 1:
        cells = cells.doubled()
        packed = _packed(cells, singles, most)
    return packed


def _packed(cells: LiveCells, singles: Sequence[tuple[str, pl.DataFrame]], most: int) -> Packed:
    pairs = (cells.counts + 0.0) + 1j * (cells.variance + 0.0)  # -0 is 0
    distinct, place, times = np.unique(pairs, return_inverse=True, return_counts=True)
    order = np.argsort(-times, kind="stable")  # those that come often have small numbers
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    keys = cells.x * cells.axes[1].bins + cells.y
    values = [part[order].astype("<f8").tobytes() for part in (distinct.real, distinct.imag)]
    spectra = [_counts(spectrum, cells.axes[0]) for _, spectrum in singles]
    numbers = [np.diff(keys, prepend=0), rank[place], *spectra]
    data = b"".join([*values, *map(leb128, numbers)])
    head = {
        "layout": LAYOUT,
        "symmetric": cells.symmetric,
        "axes": [
            {"start": axis.start, "width": axis.width, "shift": axis.shift, "bins": axis.bins} for axis in cells.axes
        ],
        "cells": len(keys),
        "values": len(distinct),
        "doublings": cells.doublings,
        "singles": [name for name, _ in singles],
    }
    short = zlib.compress(data, LEVEL)
    if 4 * -(-len(short) // 3) > most:
        short = zlib.compress(data, CLOSEST)
    return Packed(head, base64.b64encode(short).decode("ascii"), cells)


def _counts(spectrum: pl.DataFrame, axis: LiveAxis) -> Integers:
    """(bins,) a spectrum's counts in the bins of an axis, rounded to whole numbers: they are only drawn."""
    places = axis.places(spectrum[axis.column[:-2]].cast(pl.Float64).to_numpy())
    inside = (places >= 0) & (places < axis.bins)
    counts = np.bincount(places[inside], spectrum["counts"].cast(pl.Float64).to_numpy()[inside], axis.bins)
    return np.rint(np.maximum(counts, 0)).astype(np.int64)


def leb128(numbers: Integers) -> bytes:
    """Whole numbers of 0 or more in groups of seven bits."""
    groups = np.maximum(1, -(-_bits(numbers) // 7))
    most = int(groups.max(initial=1))
    shifts = 7 * np.arange(most)
    table = (numbers[:, None] >> shifts) & 127
    within = np.arange(most) < groups[:, None]
    more = np.arange(most) < groups[:, None] - 1
    return np.asarray(table | (more << 7), np.uint8)[within].tobytes()


def _bits(numbers: Integers) -> npt.NDArray[np.int64]:
    return np.ceil(np.log2(numbers.astype(np.float64) + 1)).astype(np.int64)
