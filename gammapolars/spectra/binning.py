"""Spectra of hits: counted batch by batch, in threads, into a table that grows with its filled bins alone."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.errors import TableError, UsageError
from gammapolars.spectra.bins import check_width
from gammapolars.streaming import batches_of, in_parallel, lazy_frame
from gammapolars.tallies import Tally

Integers = npt.NDArray[np.int64]

MAX_CELLS = 2**20
"""Up to so many cells (of few rows, fewer) are counted in an array, which stays in the processor's cache."""

BIN = "_bin"
COUNTS: dict[str, pl.DataType] = {"counts": pl.Float64(), "variance": pl.Float64()}


@dataclass(frozen=True)
class Bins:
    """Equal bins, numbered.

    Attributes:
        width: of each, in keV or in adc values.
        adc: whether they are of adc: bin k then holds the values from k `width` to (k + 1) `width` - 1, each of which
            reaches half a step to both sides. Else bin k reaches from k to k + 1 widths.
    """

    width: float
    adc: bool

    @property
    def axis(self) -> str:
        return "adc" if self.adc else "energy_kev"

    def numbers(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The bins' numbers of some values: whole, of the values' kind."""
        if self.adc and values.dtype.kind in "iu":
            return values if self.width == 1 else values // int(self.width)
        return np.floor((values + 0.5 if self.adc else values) / self.width)

    def centres(self, number: pl.Expr) -> pl.Expr:
        centre = (number + 0.5) * self.width
        return centre - 0.5 if self.adc else centre


def spectrum(
    frame: pl.LazyFrame,
    *,
    bin_kev: float = 1.0,
    bin_adc: int | None = None,
    energy: str | None = None,
    by: Sequence[str] = ("board", "channel"),
) -> pl.LazyFrame:
    """Counts per bin of energy, or of adc.

    Collecting it reads the frame on the streaming engine and counts each batch in a thread. Memory holds a few batches
    and one row for each filled bin of each combination of `by`.

    Args:
        frame: calibrated hits, or pairs with `energy="energy_kev_a"`. Rows without a finite energy are left out.
        bin_kev: the bins' width; bin k reaches from k to k + 1 widths.
        bin_adc: so many adc values are a bin, instead of bins of energy.
        energy: the column that is binned; None: `energy_kev`, or `adc` for bins of adc.
        by: columns that get a spectrum each: a detector, a run, a time slice, a gate, of any dtype.

    Returns:
        A lazy table of spectra: `by`, `energy_kev` or `adc` (bin centre), `counts`, `variance`; empty bins are left
        out. Bins of several adc values have their `width_adc` beside them.

    Raises:
        TableError: the frame lacks one of the columns, or what is binned is no number.
        UsageError: bins without a width.
    """
    if bin_adc is not None and (bin_adc < 1 or bin_adc != int(bin_adc)):
        raise UsageError(f"a bin must hold 1 or more adc values, not {bin_adc}")
    check_width(bin_kev)
    bins = Bins(bin_kev if bin_adc is None else bin_adc, bin_adc is not None)
    column, keys = energy or bins.axis, list(by)
    columns = frame.collect_schema()
    _check_columns(columns, column, keys)
    widths = {"width_adc": pl.Float64()} if bins.adc and bins.width > 1 else {}
    schema = {name: columns[name] for name in keys} | {bins.axis: pl.Float64()} | COUNTS | widths
    number = pl.col(column) if bins.adc and columns[column].is_integer() else pl.col(column).cast(pl.Float64)
    rows = frame.select(*keys, number.alias(BIN))

    def counted(batch: pl.DataFrame) -> Iterator[pl.DataFrame]:
        yield count_bins(batch, keys, bins)

    def table(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        del wanted  # the table is small
        tally = Tally(*keys, BIN)
        for part in in_parallel(counted, batches_of(rows)):
            tally.add(part)
        total = tally.total()
        if total.is_empty():
            yield pl.DataFrame(schema=schema)
            return
        counts = pl.col("counts").cast(pl.Float64)
        values = {bins.axis: bins.centres(pl.col(BIN)), "counts": counts, "variance": counts}
        yield total.select(*keys, **values, **{name: pl.lit(bins.width, pl.Float64) for name in widths})

    return lazy_frame(pl.Schema(schema), table)


def count_bins(batch: pl.DataFrame, keys: Sequence[str], bins: Bins) -> pl.DataFrame:
    """Rows of a batch by its keys and bins.

    Keys that are integers are packed with the bin's number into one, of which a histogram is counted if it has few
    cells; numpy does most of that without holding up other threads.

    Args:
        batch: the keys, and `_bin`: the values to be binned.
        keys: columns.
        bins: what the values fall into.

    Returns:
        The keys, `_bin` (the number, as a float) and `counts`.
    """
    if batch[BIN].null_count():
        batch = batch.drop_nulls(BIN)
    numbers = bins.numbers(batch[BIN].to_numpy())
    if batch.height and numbers.dtype.kind == "f" and not math.isfinite(numbers.min() + numbers.max()):
        finite = np.isfinite(numbers)
        batch, numbers = batch.filter(finite), numbers[finite]
    if batch.is_empty():
        return pl.DataFrame(schema={name: batch.schema[name] for name in keys} | {BIN: pl.Float64, "counts": pl.UInt32})
    packed = _packed({**{name: batch[name] for name in keys}, BIN: numbers}, batch.height)
    if packed is None:
        numbered = batch.with_columns(pl.Series(BIN, numbers).cast(pl.Float64) + 0.0)  # -0 and 0 are one bin
        return numbered.group_by(*keys, BIN).agg(counts=pl.len())
    cells, counts, spans = packed
    columns = []
    for name, (lowest, cardinality) in reversed(spans.items()):
        dtype = pl.Float64() if name == BIN else batch.schema[name]
        columns.append(pl.Series(name, cells % cardinality + lowest).cast(dtype))
        cells = cells // cardinality
    return pl.DataFrame([*reversed(columns), pl.Series("counts", counts.astype(np.uint32))])


Spans = dict[str, tuple[int, int]]
"""The least value of each packed column, and how many values it has from there to the greatest."""


def _packed(columns: Mapping[str, Any], rows: int) -> tuple[Integers, Integers, Spans] | None:
    """Filled cells of some columns as single numbers, their counts, and how to unpack them; None where that fails."""
    spans: Spans = {}
    cells = 1
    for name, column in columns.items():
        if isinstance(column, pl.Series) and (not column.dtype.is_integer() or column.null_count()):
            return None
        lowest, highest = int(column.min()), int(column.max())
        if max(-lowest, highest) >= 2**62:
            return None
        spans[name] = (lowest, highest - lowest + 1)
        cells *= spans[name][1]
    if cells >= 2**62:
        return None
    packed = np.zeros(rows, np.int64)
    for name, column in columns.items():
        lowest, cardinality = spans[name]
        if cardinality > 1:
            packed *= cardinality
            values = column.to_numpy() if isinstance(column, pl.Series) else column
            packed += values.astype(np.int64)
            packed -= lowest
    if cells <= min(MAX_CELLS, 4 * rows):
        counts = np.bincount(packed)
        filled = np.flatnonzero(counts)
        return filled, counts[filled], spans
    counted = pl.DataFrame({"cell": packed}).group_by("cell").agg(counts=pl.len())
    return counted["cell"].to_numpy(), counted["counts"].to_numpy(), spans


def _check_columns(columns: pl.Schema, column: str, keys: Sequence[str]) -> None:
    for name in (column, *keys):
        if name not in columns:
            advice = ": calibrate it first" if name.startswith("energy_kev") else ""
            raise TableError(f"this frame has no column '{name}' to bin by{advice} (it has {', '.join(columns)})")
    if not (columns[column].is_numeric() or columns[column] == pl.Null):
        raise TableError(f"column '{column}' is to be binned, and holds {columns[column]} instead of numbers")
