"""Counting rows by keys and bins: batches of hits as arrays of cells, and their sum as a table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.core.types import Integers
from gammapolars.spectra.bins import check_count
from gammapolars.spectra.tallies import Tally

MAX_CELLS = 2**20
"""Up to this many cells (of few rows, fewer) are counted in an array, which stays in the processor's cache."""

MAX_PACKED = 2**62

ROUND = 1024
"""Batches count a multiple of this many bins."""

MOST_SPANS = 8
"""Arrays of cells that are kept before the first becomes a table, in which empty cells take no room."""

BLOCK = 2**16
"""Rows that are packed at once."""

BIN = "_bin"


@dataclass(frozen=True)
class Bins:
    """Equal bins, numbered.

    Attributes:
        width: of each, in keV or in adc values.
        adc: whether they are of adc: bin k then holds the values from k `width` to (k + 1) `width` - 1, each of which
            reaches half a step to both sides. Else bin k reaches from k to k + 1 widths.
        column: of the centres of bins that are not of adc.
    """

    width: float
    adc: bool
    column: str = "energy_kev"

    @property
    def axis(self) -> str:
        return "adc" if self.adc else self.column

    def numbers(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The bins' numbers of some values: whole, of the values' kind."""
        if self.adc and values.dtype.kind in "iu":
            return values if self.width == 1 else values // int(self.width)
        return np.floor((values + 0.5 if self.adc else values) / self.width)

    def number_into(
        self, values: npt.NDArray[Any], lowest: int, floats: npt.NDArray[np.float64], into: npt.NDArray[Any]
    ) -> None:
        """The same, less the lowest of them, into an array; `floats` is room for as many values."""
        if values.dtype.kind == "f" and not self.adc:
            scaled = values if self.width == 1 else np.divide(values, self.width, out=floats)
            numbers = np.floor(scaled, out=floats)
            np.copyto(into, numbers, casting="unsafe")
        else:
            np.copyto(into, self.numbers(values), casting="unsafe")
        if lowest:
            into -= lowest

    def centres(self, number: pl.Expr) -> pl.Expr:
        centre = (number + 0.5) * self.width
        return centre - 0.5 if self.adc else centre


Spans = tuple[tuple[int, int], ...]
"""The least value of each packed column, and how many values it has from there to the greatest; the bins last."""


class Cells(NamedTuple):
    """Counts of combinations of keys and bins within some spans, filled or not: the bin's number changes fastest."""

    spans: Spans
    counts: Integers


Part = pl.DataFrame | Cells
"""The counts of a batch: cells where they are few, else a table of the keys, `_bin` and `counts`."""


class BinTally:
    """A sum of counts by keys and bins of some width, of batches whose keys and bins may differ."""

    def __init__(self, keys: Mapping[str, pl.DataType], width: float) -> None:
        self._keys, self._width = keys, width
        self._cells: dict[Spans, Integers] = {}
        self._tally = Tally(*keys, BIN)

    def add(self, part: Part) -> None:
        """Add the counts of a batch.

        Raises:
            UsageError: more bins are filled than can be kept.
        """
        if isinstance(part, pl.DataFrame):
            self._tally.add(part)
            check_count(self._tally.rows, self._width)
        elif part.spans in self._cells:
            self._cells[part.spans] += part.counts
        else:
            if len(self._cells) >= MOST_SPANS:
                self._to_table(next(iter(self._cells)))
            self._cells[part.spans] = part.counts

    def total(self) -> pl.DataFrame:
        """The keys, `_bin` (number, as a float) and `counts`, sorted; no columns but `counts` if nothing was added.

        Raises:
            UsageError: more bins are filled than can be kept.
        """
        for spans in list(self._cells):
            self._to_table(spans)
        return self._tally.total()

    def state(self) -> pl.DataFrame:
        """The counts so far, for `merge`."""
        return self.total()

    def merge(self, state: pl.DataFrame) -> None:
        """Add the counts of another tally."""
        self._tally.add(state)

    def _to_table(self, spans: Spans) -> None:
        counts = self._cells.pop(spans)
        filled = np.flatnonzero(counts)
        self._tally.add(as_table(filled, counts[filled], spans, self._keys))


def as_table(cells: Integers, counts: Integers, spans: Spans, keys: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Cells by their keys and bins."""
    columns = []
    dtypes = {**keys, BIN: pl.Float64()}
    for (name, dtype), (lowest, cardinality) in zip(reversed(dtypes.items()), reversed(spans), strict=True):
        columns.append(pl.Series(name, cells % cardinality + lowest).cast(dtype))
        cells = cells // cardinality
    return pl.DataFrame([*reversed(columns), pl.Series("counts", counts.astype(np.uint64))])


def count_bins(batch: pl.DataFrame, keys: Sequence[str], bins: Bins) -> Part:
    """Rows of a batch by its keys and bins.

    Keys that are integers are packed with the bin's number into one cell number, of which a histogram is counted if
    there are few cells; numpy does nearly all of that without holding up other threads. `_bin` has the values that fall
    into the bins.

    Raises:
        UsageError: the bins are so narrow that some have no number.
    """
    if batch[BIN].null_count():
        batch = batch.drop_nulls(BIN)
    if batch.is_empty():
        return pl.DataFrame()
    extremes = np.array([(part.min(), part.max()) for (part,) in _pieces(batch, [BIN])])
    if not np.isfinite(extremes).all():
        return count_bins(batch.filter(pl.col(BIN).is_finite()), keys, bins)
    with np.errstate(over="ignore"):
        ends = bins.numbers(np.array([extremes.min(), extremes.max()]))
    if not np.isfinite(ends).all():
        check_count(np.inf, bins.width)
    spans = _spans([batch[name] for name in keys], ends)
    if spans is None:
        numbers = pl.Series(BIN, bins.numbers(batch[BIN].to_numpy())).cast(pl.Float64) + 0.0  # -0 and 0 are one bin
        return batch.with_columns(numbers).group_by(*keys, BIN).agg(counts=pl.len())
    packed = _packed(batch.select(*keys, BIN), bins, spans)
    if isinstance(packed, Cells):
        return packed
    cells = pl.DataFrame({BIN: packed}).group_by(BIN).agg(counts=pl.len())
    return as_table(
        cells[BIN].to_numpy(), cells["counts"].to_numpy(), spans, {name: batch.schema[name] for name in keys}
    )


def _spans(keys: Sequence[pl.Series], ends: npt.NDArray[Any]) -> Spans | None:
    """How keys and bins are packed into 62 bits; None where they cannot be."""
    if any(not key.dtype.is_integer() or key.null_count() for key in keys):
        return None
    extremes = [(int(key.min()), int(key.max())) for key in keys]  # type: ignore[arg-type]
    # Rounded, so that batches have the same and their cells can be added up.
    extremes.append((int(ends[0]) // ROUND * ROUND, int(ends[1]) // ROUND * ROUND + ROUND - 1))
    spans = tuple((lowest, highest - lowest + 1) for lowest, highest in extremes)
    small = all(max(-lowest, highest) < MAX_PACKED for lowest, highest in extremes)
    return spans if small and math.prod(cardinality for _, cardinality in spans) < MAX_PACKED else None


def _packed(batch: pl.DataFrame, bins: Bins, spans: Spans) -> Cells | Integers:
    """The counts of all cells where these are few, else each row's cell.

    Done in blocks that stay in the processor's cache, in buffers that are used again: fresh memory costs more than
    counting. The batch has the keys, and the values last; there is a span for each column.
    """
    rows, cells = batch.height, math.prod(cardinality for _, cardinality in spans)
    few = cells <= min(MAX_CELLS, 4 * rows)
    block = min(rows, max(BLOCK, 4 * cells if few else 0))
    lowest, cardinality = spans[-1]
    # Half as wide is twice as fast, where that holds the numbers of bins and cells.
    dtype = np.int32 if few and -(2**31) <= lowest <= 2**31 - cardinality else np.int64
    narrow, scratch = np.empty(block, dtype), np.empty(block, dtype)
    floats, packed = np.empty(block, np.float64), np.empty(block if few else rows, np.int64)
    counts = np.zeros(cells if few else 0, np.int64)
    done = 0
    for *keys, values in _pieces(batch if block == BLOCK else batch.rechunk(), batch.columns):
        for start in range(0, len(values), block):
            part = slice(start, min(start + block, len(values)))
            size = part.stop - part.start
            into = narrow[:size]
            bins.number_into(values[part], lowest, floats[:size], into)
            _add_keys([key[part] for key in keys], spans, scratch[:size], into)
            wide = packed[:size] if few else packed[done : done + size]
            np.copyto(wide, into)
            done += size
            if few:
                counts += np.bincount(wide, minlength=cells)
    return Cells(spans, counts) if few else packed


def _pieces(batch: pl.DataFrame, names: Sequence[str]) -> list[list[npt.NDArray[Any]]]:
    """Columns as arrays, piece by piece as they lie in memory, so that nothing is copied."""
    chunks = [batch[name].get_chunks() for name in names]
    lengths = [[len(chunk) for chunk in of_column] for of_column in chunks]
    if any(length != lengths[0] for length in lengths):
        chunks = [[batch[name].rechunk()] for name in names]
    return [[chunk.to_numpy() for chunk in piece] for piece in zip(*chunks, strict=True) if len(piece[0])]


def _add_keys(
    keys: Sequence[npt.NDArray[Any]], spans: Spans, scratch: npt.NDArray[Any], into: npt.NDArray[Any]
) -> None:
    """Turn the numbers of bins into those of cells; `scratch` is room for as many."""
    stride = spans[-1][1]
    for key, (lowest, cardinality) in zip(reversed(keys), reversed(spans[:-1]), strict=True):
        if cardinality > 1:
            moved = np.subtract(key, lowest, dtype=np.int64, casting="unsafe") if lowest else key
            into += np.multiply(moved, stride, out=scratch, dtype=into.dtype, casting="unsafe")
            stride *= cardinality
