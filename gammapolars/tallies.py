"""Counts that grow slice by slice: small tables whose parts add up to the whole."""

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.schema import DType

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.uint32]

MAX_HISTOGRAM_BITS = 20
"""Keys of up to so many bits (of few rows, fewer) are counted in a histogram, which stays in the processor's cache."""

MERGE_ROWS = 2_000_000
"""Parts are added up when this many rows have gathered, to bound memory."""


def count_by(frame: pl.DataFrame, bits: dict[str, int]) -> pl.DataFrame:
    """Rows per combination of integer columns.

    The columns are packed into one key: with as many bits as their values take, of which a histogram is counted, or
    with all their bits, by which rows are grouped. Both are several times faster than the columns side by side.

    Args:
        frame: has the columns, with values of 0 to 2^bits - 1.
        bits: the columns and how many bits each can take, 64 together at most.

    Returns:
        The columns, as they were, and `counts` u32.
    """
    used = {name: int(frame[name].max() or 0).bit_length() for name in bits}  # type: ignore[arg-type]
    few = 2 ** sum(used.values()) <= min(2**MAX_HISTOGRAM_BITS, 4 * frame.height)
    widths = used if few else bits
    keys, counts = _histogram(frame, widths) if few else _grouped(frame, widths)
    columns = {}
    for name, width in reversed(widths.items()):
        columns[name] = pl.Series(name, keys & np.uint64(2**width - 1)).cast(frame.schema[name])
        keys >>= np.uint64(width)
    return pl.DataFrame([*(columns[name] for name in bits), pl.Series("counts", counts)])


def _histogram(frame: pl.DataFrame, widths: dict[str, int]) -> tuple[Keys, Counts]:
    # Columns without bits hold 0 alone. The key is a copy of the first of the others: a pass over it takes as long as
    # counting does.
    first, *others = [name for name, width in widths.items() if width] or list(widths)[:1]
    key = frame[first].to_numpy().astype(np.int64)
    for name in others:
        key <<= widths[name]
        key |= frame[name].to_numpy()
    counts = np.bincount(key)
    filled = np.flatnonzero(counts)
    return filled.astype(np.uint64), counts[filled].astype(np.uint32)


def _grouped(frame: pl.DataFrame, widths: dict[str, int]) -> tuple[Keys, Counts]:
    key = pl.lit(0, pl.UInt64)
    for name, width in widths.items():
        key = key * pl.lit(2**width, pl.UInt64) + pl.col(name).cast(pl.UInt64)
    counted = frame.lazy().select(_key=key).group_by("_key").agg(counts=pl.len()).collect()
    return counted["_key"].to_numpy(writable=True), counted["counts"].to_numpy()


COUNTS: dict[str, DType] = {"counts": pl.UInt64}
WEIGHTED: dict[str, DType] = {"counts": pl.Float64, "variance": pl.Float64}
"""What a tally sums up: rows, or weights and their squares."""


class Tally:
    """A sum of tables of counts.

    Args:
        keys: columns that tell the rows apart.
        sums: the columns that are summed up, with their dtypes.
    """

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
        """Add a table with the keys and what is summed up."""
        if part.is_empty():
            return
        self._parts.append(part.select(*self._keys, *(pl.col(name).cast(dtype) for name, dtype in self._sums.items())))
        self._rows += part.height
        if len(self._parts) > 64 or self._rows > MERGE_ROWS:
            self._parts = [self.total()]
            self._merged = self._parts[0].height
            self._rows = 0  # what is merged cannot shrink further

    def total(self) -> pl.DataFrame:
        """The keys and `counts`, sorted by the keys; no rows and no columns but `counts` if nothing was added."""
        if not self._parts:
            return pl.DataFrame(schema=self._sums)
        return pl.concat(self._parts).group_by(self._keys).agg(pl.col(*self._sums).sum()).sort(self._keys)
