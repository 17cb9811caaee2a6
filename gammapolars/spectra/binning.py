"""Spectra of hits: counted batch by batch, in threads, into a table that grows only with its filled bins."""

from collections.abc import Iterator, Sequence

import polars as pl

from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.pulse_shape import PSD, charges, without
from gammapolars.corrections import dithered_psd
from gammapolars.spectra.bins import check_count, check_width
from gammapolars.spectra.counting import BIN, Bins, BinTally, Part, count_bins
from gammapolars.spectra.weighted_tallies import AUTO, WEIGHT, WeightedCounts, WeightedTally, sum_bins, weight_column
from gammapolars.streaming.slices import batches_of, in_parallel, lazy_frame

COUNTS: dict[str, pl.DataType] = {"counts": pl.Float64(), "variance": pl.Float64()}

BATCH_ROWS = 1_000_000
"""This many hits are counted at once: fewer take longer to be handed over."""


def spectrum(
    frame: AnyFrame,
    *,
    bin_kev: float = 1.0,
    bin_adc: int | None = None,
    bin_psd: float | None = None,
    energy: str | None = None,
    by: Sequence[str] = ("board", "channel"),
    weight: str | None = AUTO,
) -> pl.LazyFrame:
    """Counts per bin of energy, of adc, or of the pulse shape; for weighted rows Σ weight, with Σ weight² as variance.

    Collecting it reads the frame on the streaming engine and counts each batch in a thread. Memory holds a few batches
    and one row for each filled bin of each combination of `by`.

    Args:
        frame: calibrated hits, or pairs with `energy="energy_kev_a"`. Rows without a finite energy are left out.
        bin_kev: the bins' width; bin k reaches from k to k + 1 widths.
        bin_adc: this many adc values per bin, instead of bins of energy.
        bin_psd: the width of bins of the pulse shape of hits, instead of bins of energy. Both charges are dithered over
            their width, as in the command `spectrum`, so that bins show no comb. Hits without one are left out.
        energy: the column that is binned; None: `energy_kev`, or `adc` for bins of adc.
        by: columns that get a spectrum each: a detector, a run, a time slice, a gate, of any dtype.
        weight: the column of weights, such as gates give; `auto`: `weight` if there is such a column; None: each row
            counts 1. Rows whose weight is 0 or null are left out.

    Returns:
        A lazy table of spectra: `by`, `energy_kev`, `adc` or `psd` (bin centre), `counts`, `variance`; empty bins are
        left out. Bins of several adc values also have `width_adc`.

    Raises:
        TableError: the frame lacks one of the columns, or a binned column or the weight is not a number.
        UsageError: bins without a width; when collected, bins so narrow that too many are filled.
    """
    frame = lazy(frame, "hits")
    if bin_adc is not None and (bin_adc < 1 or bin_adc != int(bin_adc)):
        raise UsageError(f"a bin must contain at least 1 ADC channel, not {bin_adc}")
    check_width(bin_kev)
    bins = Bins(bin_kev if bin_adc is None else bin_adc, bin_adc is not None)
    if bin_psd is not None:
        check_width(bin_psd)
        frame, bins, energy = _with_psd(frame), Bins(bin_psd, adc=False, column=PSD), PSD
    column, keys = energy or bins.axis, list(by)
    columns = frame.collect_schema()
    _check_columns(columns, column, keys)
    widths = {"width_adc": pl.Float64()} if bins.adc and bins.width > 1 else {}
    schema = {name: columns[name] for name in keys} | {bins.axis: pl.Float64()} | COUNTS | widths
    number = pl.col(column) if bins.adc and columns[column].is_integer() else pl.col(column).cast(pl.Float64)
    weigher = weight_column(columns, weight)
    weights = {} if weigher is None else {WEIGHT: pl.col(weigher).cast(pl.Float64)}
    rows = frame.select(*keys, number.alias(BIN), **weights)

    def table(names: list[str] | None) -> Iterator[pl.DataFrame]:
        del names  # the table is small
        batches = batches_of(rows, batch_rows=BATCH_ROWS)
        total = _summed(batches, keys, bins) if weights else _counted(batches, {n: columns[n] for n in keys}, bins)
        if total.is_empty():
            yield pl.DataFrame(schema=schema)
            return
        counts = pl.col("counts").cast(pl.Float64)
        variance = pl.col("variance") if weights else counts
        values = {bins.axis: bins.centres(pl.col(BIN)), "counts": counts, "variance": variance}
        yield total.select(*keys, **values, **{name: pl.lit(bins.width, pl.Float64) for name in widths})

    return lazy_frame(pl.Schema(schema), table)


def _with_psd(hits: pl.LazyFrame) -> pl.LazyFrame:
    """Hits with their dithered pulse shape, also where they have one that is not."""
    columns = hits.collect_schema()
    for name in ("channel", "timestamp_ps", *charges(PSD)):
        if name not in columns:
            raise TableError(f"this frame has no pulse shapes to bin by: {without(name)}")
    return hits.with_columns(dithered_psd(columns).alias(PSD))


def _counted(batches: Iterator[pl.DataFrame], keys: dict[str, pl.DataType], bins: Bins) -> pl.DataFrame:
    """Rows by their keys and bins."""

    def counts(batch: pl.DataFrame) -> Iterator[Part]:
        yield count_bins(batch, list(keys), bins)

    tally = BinTally(keys, bins.width)
    for part in in_parallel(counts, batches):
        tally.add(part)
    return tally.total()


def _summed(batches: Iterator[pl.DataFrame], keys: list[str], bins: Bins) -> pl.DataFrame:
    """Weights, and their squares, by keys and bins."""

    def summed(batch: pl.DataFrame) -> Iterator[WeightedCounts]:
        yield sum_bins(batch, keys, bins)

    tally = WeightedTally(*keys, BIN)
    for part in in_parallel(summed, batches):
        tally.add(part)
        check_count(tally.rows, bins.width)
    return tally.total()


def _check_columns(columns: pl.Schema, column: str, keys: Sequence[str]) -> None:
    for name in (column, *keys):
        if name not in columns:
            advice = ": calibrate it first" if name.startswith("energy_kev") else ""
            raise TableError(f"this frame has no column '{name}' to bin by{advice} (it has {', '.join(columns)})")
    if not (columns[column].is_numeric() or columns[column] == pl.Null):
        raise TableError(f"column '{column}' is to be binned, but contains {columns[column]} instead of numbers")
