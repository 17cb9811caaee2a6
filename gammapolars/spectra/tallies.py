"""Counts that grow slice by slice: small tables whose parts add up to the whole, in bins that widen if too many."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.schema import DType
from gammapolars.core.types import Integers

Cells = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.uint32]

MAX_HISTOGRAM_BITS = 20
"""Keys of this many bits at most (of few rows, fewer) are counted in a histogram, which stays in the cache."""

MAX_PACKED_BITS = 64

MERGE_ROWS = 2_000_000
"""Parts are added up when they have this many rows, to bound memory."""


def count_by(frame: pl.DataFrame, keys: Iterable[str]) -> pl.DataFrame:
    """Rows per combination of integer columns.

    The columns are packed into one number with as many bits as their values take, of which a histogram is counted if
    it is small, or by which rows are grouped. Both are several times faster than the columns side by side.

    Args:
        frame: has the columns; values below 0 take longer.
        keys: the columns.

    Returns:
        The columns, as they were, and `counts` u32.
    """
    widths = _bits_used(frame, keys)
    bits = sum(widths.values())
    if bits > MAX_PACKED_BITS or _has_negative(frame, widths):
        return frame.group_by(list(widths)).agg(counts=pl.len())
    few = 2**bits <= min(2**MAX_HISTOGRAM_BITS, 4 * frame.height)
    cells, counts = _histogram(frame, widths) if few else _grouped(frame, widths)
    return pl.DataFrame([*_unpacked(cells, widths, frame.schema), pl.Series("counts", counts)])


def _bits_used(frame: pl.DataFrame, names: Iterable[str]) -> dict[str, int]:
    return {name: int(frame[name].max() or 0).bit_length() for name in names}  # type: ignore[arg-type]


def _has_negative(frame: pl.DataFrame, names: Iterable[str]) -> bool:
    return any(frame[name].dtype.is_signed_integer() and int(frame[name].min() or 0) < 0 for name in names)  # type: ignore[arg-type]


def _histogram(frame: pl.DataFrame, widths: dict[str, int]) -> tuple[Cells, Counts]:
    counts = np.bincount(_packed(frame, widths, np.empty(frame.height, np.int64)))
    filled = np.flatnonzero(counts)
    return filled.astype(np.uint64), counts[filled].astype(np.uint32)


def _packed(frame: pl.DataFrame, widths: dict[str, int], key: Integers, rows: Integers | None = None) -> Integers:
    """The columns in one number, written into `key`, in which columns without bits, which hold only 0, have no part.

    That begins as a copy of the first of the others: a pass over it takes as long as counting does.
    """
    first, *others = [name for name, width in widths.items() if width] or list(widths)[:1]
    chosen = slice(None) if rows is None else rows
    key[:] = frame[first].to_numpy()[chosen]
    for name in others:
        key <<= widths[name]
        key |= frame[name].to_numpy()[chosen]
    return key


def _unpacked(cells: Cells, widths: dict[str, int], dtypes: pl.Schema) -> list[pl.Series]:
    columns = []
    for name, width in reversed(widths.items()):
        columns.append(pl.Series(name, cells & np.uint64(2**width - 1)).cast(dtypes[name]))
        cells = cells >> np.uint64(width)
    return columns[::-1]


def _grouped(frame: pl.DataFrame, widths: dict[str, int]) -> tuple[Cells, Counts]:
    key = pl.lit(0, pl.UInt64)
    for name, width in widths.items():
        key = key * pl.lit(2**width, pl.UInt64) + pl.col(name).cast(pl.UInt64)
    table = frame.lazy().select(_key=key).group_by("_key").agg(counts=pl.len()).collect()
    return table["_key"].to_numpy(writable=True), table["counts"].to_numpy()


COUNTS: dict[str, DType] = {"counts": pl.UInt64}
WEIGHTED: dict[str, DType] = {"counts": pl.Float64, "variance": pl.Float64}
"""Summands of a tally: rows, or weights and their squares."""


class Tally:
    """A sum of tables of counts, by keys; `sums` are the columns that are summed up, with their dtypes."""

    def __init__(self, *keys: str, sums: dict[str, DType] = COUNTS) -> None:
        self._keys = keys
        self._sums = sums
        self._parts: list[pl.DataFrame] = []
        self._rows = 0
        self._merged = 0

    @property
    def rows(self) -> int:
        """How many rows are kept: no fewer than there will be in the total."""
        return self._merged + self._rows

    def add(self, part: pl.DataFrame) -> None:
        """Add a table with the keys and the summands."""
        if part.is_empty():
            return
        self._parts.append(part.select(*self._keys, *(pl.col(name).cast(dtype) for name, dtype in self._sums.items())))
        self._rows += part.height
        if len(self._parts) > 64 or self._rows > MERGE_ROWS:
            self._parts = [self.summed()]
            self._merged = self._parts[0].height
            self._rows = 0  # merged rows cannot shrink further

    def total(self) -> pl.DataFrame:
        """The keys and `counts`, sorted by the keys; no rows and no columns but `counts` if nothing was added."""
        summed = self.summed()
        return summed.sort(self._keys) if summed.width > len(self._sums) else summed

    def summed(self) -> pl.DataFrame:
        """The same in any order."""
        if not self._parts:
            return pl.DataFrame(schema=self._sums)
        return pl.concat(self._parts).group_by(self._keys).agg(pl.col(*self._sums).sum())

    def state(self) -> pl.DataFrame:
        """The sums so far, for `merge`."""
        return self.summed()

    def merge(self, state: pl.DataFrame) -> None:
        """Add the sums of another tally."""
        self.add(state)


class Histogram:
    """Rows counted by integer columns, frame by frame, in one array as long as its cells are few.

    The array grows with the values that come; rows for which it would grow too large are counted in tables next to it.
    Only in numpy where it can be: while pairs are searched for, a small query would wait for large ones.
    """

    def __init__(self, *keys: str) -> None:
        self._keys = keys
        self._widths = dict.fromkeys(keys, 0)
        self._counts = np.zeros(1, np.int64)
        self._room = np.empty(0, np.int64)  # used again: memory that is new to a thread costs more than counting
        self._dtypes = pl.Schema()
        self._others = Tally(*keys)

    def add(self, frame: pl.DataFrame, rows: Integers | None = None) -> None:
        """Count rows, all or those of these numbers, of a frame of whole numbers."""
        count = frame.height if rows is None else len(rows)
        if not count:
            return
        used = _bits_used(frame, self._keys)
        widths = {name: max(width, used[name]) for name, width in self._widths.items()}
        if sum(widths.values()) > MAX_HISTOGRAM_BITS or _has_negative(frame, self._keys):
            self._others.add(count_by(frame if rows is None else frame[rows], self._keys))
            return
        if widths != self._widths or not self._dtypes:
            self._widen(widths)
            self._dtypes = pl.Schema({name: frame.schema[name] for name in self._keys})
        if count > len(self._room):
            self._room = np.empty(count, np.int64)
        packed = _packed(frame, widths, self._room[:count], rows)
        np.add.at(self._counts, packed, 1)  # as fast as bincount, without an array of its own to add

    def _widen(self, widths: dict[str, int]) -> None:
        before, filled = self._widths, np.flatnonzero(self._counts)
        self._widths, counts = widths, self._counts[filled]
        cells, place = np.zeros(len(filled), np.int64), 0
        for name in reversed(before):
            cells |= (filled & (2 ** before[name] - 1)) << place
            filled, place = filled >> before[name], place + widths[name]
        self._counts = np.zeros(2**place, np.int64)
        self._counts[cells] = counts

    def total(self) -> pl.DataFrame:
        """The columns and `counts`, sorted by the columns; no columns but `counts` if nothing was added."""
        filled = np.flatnonzero(self._counts)
        if not len(filled):
            return self._others.total()
        columns = _unpacked(filled.astype(np.uint64), self._widths, self._dtypes)
        counts = pl.Series("counts", self._counts[filled].astype(np.uint64))
        others = self._others.total()
        if others.is_empty():
            return pl.DataFrame([*columns, counts])
        both = Tally(*self._keys)
        both.add(pl.DataFrame([*columns, counts]))
        both.add(others)
        return both.total()

    def state(self) -> pl.DataFrame:
        """The counts so far, for `merge`."""
        return self.total()

    def merge(self, state: pl.DataFrame) -> None:
        """Add the counts of another histogram."""
        self._others.add(state)


class WideningTally:
    """A tally by bins of some width, among other columns; they get twice as wide as often as its rows are too many.

    Args:
        keys: columns by which rows are summed up; the last one has the bins' whole numbers.
        width: of the first bins, in any unit.
        most_rows: of the total.
        rows_by: the keys whose combinations count as rows; None: all.

    Attributes:
        width: of the bins.
    """

    def __init__(self, *keys: str, width: int, most_rows: int, rows_by: Sequence[str] | None = None) -> None:
        self.width = width
        self._keys, self._rows_by = keys, list(rows_by or keys)
        self._most_rows, self._checked_at = most_rows, most_rows
        self._tally = Tally(*keys)

    def add(self, part: pl.DataFrame) -> None:
        """Add a table of the keys, in bins of `width`, and `counts`."""
        self._tally.add(part)
        if self._tally.rows > self._checked_at:
            self._fit()

    def _fit(self) -> None:
        table = self._tally.summed()
        while (rows := self._rows(table)) > self._most_rows and self._rows(coarse := self._wider(table, 2)) < rows:
            self.width, table = 2 * self.width, coarse
        self._replace(table)

    def _rows(self, table: pl.DataFrame) -> int:
        return table.select(self._rows_by).n_unique() if table.height > self._most_rows else table.height

    def _wider(self, table: pl.DataFrame, times: int) -> pl.DataFrame:
        coarse = table.with_columns(pl.col(self._keys[-1]) // times)
        return coarse.group_by(self._keys).agg(pl.col("counts").sum())

    def _replace(self, table: pl.DataFrame) -> None:
        self._tally = Tally(*self._keys)
        self._tally.add(table)
        # Not with each part: its keys may have more combinations than those that count as rows.
        self._checked_at = self._tally.rows + self._most_rows // 2

    def widen(self, width: int) -> None:
        """Make bins as wide as a multiple of their present width."""
        if width > self.width and self._tally.rows:
            self._replace(self._wider(self._tally.summed(), width // self.width))
        self.width = width

    def final_width(self) -> int:
        """Width of the bins of all that was added so far: `width` may be that before the last parts."""
        self._fit()
        return self.width

    def total(self) -> pl.DataFrame:
        """The keys and `counts`, sorted by the keys; no columns but `counts` if nothing was added."""
        self._fit()
        return self._tally.total()

    def state(self) -> dict[str, Any]:
        """The total, and the bins' width."""
        return {"counts": self.total(), "width": self.width}

    def merge(self, state: dict[str, Any]) -> None:
        """Add the counts of another one."""
        self._fit()
        table, width = state["counts"], state["width"]
        if table.is_empty():
            return
        self.widen(max(self.width, width))
        self.add(self._wider(table, self.width // width))
