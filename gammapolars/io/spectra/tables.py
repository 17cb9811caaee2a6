"""Spectra and matrices as tables: CSV and Parquet as they are, and text of two columns."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, UsageError, first_line
from gammapolars.core.quantities import axis_columns
from gammapolars.core.schema import SPECTRUM as SCHEMA
from gammapolars.core.schema import SUBTRACTED, DType
from gammapolars.core.small_files import read_small
from gammapolars.io import columnar
from gammapolars.io.spectra import measurement as measurements
from gammapolars.io.spectra import text_spectra
from gammapolars.io.spectra.channels import MAX_CHANNELS, Channels, energies_at
from gammapolars.io.spectra.measurement import RecordedSpectrum
from gammapolars.io.spectra.text_names import own_names
from gammapolars.io.text.formulas import unmarked
from gammapolars.io.untrusted import read_parquet, scan_parquet
from gammapolars.streaming.slices import batches_of

CHANNELS = MAX_CHANNELS

MAX_BYTES = 2**28
"""A larger file is no spectrum."""

DETECTOR = ("board", "channel")

MOST_DETECTORS = 2**16
"""Boards, and channels of one: their numbers have 16 bits."""

SPECTRUM = "spectrum"
"""The name of a spectrum that belongs to no one detector."""

DTYPES: dict[str, DType] = SCHEMA.optional | SCHEMA.columns

WRITERS: dict[str, Callable[[pl.LazyFrame, Path, columnar.Metadata], None]] = {
    "parquet": columnar.sink_parquet,
    "csv": columnar.sink_csv,
}
"""Writers of spectra and matrices as the tables that they are."""


def key_of(board: int, channel: int) -> str:
    """The name of a detector's spectrum in the names of files and histograms."""
    return f"b{board}_ch{channel}"


def detector_of(name: str) -> tuple[int, int] | None:
    """The (board, channel) that a name, as `key_of` makes them, ends in; None where it ends in no such numbers."""
    match = re.search(r"b([0-9]{1,5})_ch([0-9]{1,5})$", name)
    if match is None or max(numbers := (int(match[1]), int(match[2]))) >= MOST_DETECTORS:
        return None
    return numbers


def is_spectra(path: Path, kind: str) -> bool:
    """Whether a CSV or Parquet file holds spectra, and neither hits nor pairs."""
    if kind == "csv":
        try:
            with path.open("rb") as file:
                return text_spectra.is_spectrum(file.read(text_spectra.OPENING_BYTES))
        except OSError:
            return False
    try:
        names = scan(path, kind).collect_schema().names()
    except (pl.exceptions.PolarsError, InputError, OSError):
        return False
    ours = {*names, *own_names(names).values()}
    return "counts" in ours and bool({"adc", "energy_kev", "channel"} & ours) and "timestamp_ps" not in ours


def names_in(path: Path, kind: str) -> list[str]:
    """The spectra in a CSV or Parquet file of several detectors."""
    table = text_spectra.table_of(read_small(path, MAX_BYTES)).lazy() if kind == "csv" else scan(path, kind)
    keys = table.select(pl.col(DETECTOR).cast(pl.UInt16)).unique().sort(DETECTOR).collect()
    return [key_of(board, channel) for board, channel in keys.rows()]


def scan(path: Path, kind: str) -> pl.LazyFrame:
    """A CSV or Parquet file's table as it is."""
    return unmarked(pl.scan_csv(path, glob=False)) if kind == "csv" else scan_parquet(path)


def encode_text(channels: Channels) -> bytes:
    """Two columns of text: energy in keV, or the channel, and counts; a first line that begins with # names them."""
    numbers = np.arange(channels.axis.bins, dtype=np.float64)
    energies = energies_at(channels, numbers)
    x = channels.axis.start + numbers * channels.axis.width if energies is None else energies
    head = f"# {'adc' if energies is None else 'energy_kev'} counts\n"
    body = pl.DataFrame({"x": x, "counts": channels.counts}).write_csv(separator=" ", include_header=False)
    return (head + body).encode()


def decode_text(data: bytes, name: str | None = None) -> RecordedSpectrum:
    """The spectrum of a text, of several the one of this name: `text_spectra.table_of` says how it is read.

    Raises:
        InputError: it cannot be read, in exactly one way, as a spectrum.
        UsageError: it holds several, and none is named.
    """
    table = text_spectra.table_of(data)
    try:
        table = table.select(pl.col(column).cast(DTYPES[column]) for column in _spectrum_columns(table))
    except pl.exceptions.PolarsError as error:
        raise InputError(f"cannot be read as a table of spectra: {first_line(error)}") from None
    return _one_spectrum(table, name, None)


def decode_parquet(data: bytes, name: str | None) -> RecordedSpectrum:
    """The spectrum of a Parquet file, of several the one of this name, with the stored metadata of its measurement.

    Raises:
        InputError: it is no Parquet, or no table of a spectrum.
        UsageError: it holds several, and none is named.
    """
    stored, texts = read_parquet(data)
    stored = stored.rename(own_names(stored.columns))
    try:
        table = stored.select(pl.col(column).cast(DTYPES[column]) for column in _spectrum_columns(stored))
    except pl.exceptions.PolarsError as error:
        raise InputError(f"cannot be read as Parquet: {first_line(error)}") from None
    return _one_spectrum(table, name, texts.get(measurements.KEY))


def _spectrum_columns(table: pl.DataFrame) -> list[str]:
    """The columns of a spectrum that a table has."""
    return [name for name in table.columns if name in DTYPES]


def _one_spectrum(table: pl.DataFrame, name: str | None, text: str | None) -> RecordedSpectrum:
    """The one spectrum that is meant, from a table of one or more."""
    if "channel" in table.columns and not {"adc", "energy_kev", "board"} & set(table.columns):
        table = table.rename({"channel": "adc"}).cast({"adc": pl.Float64})
    if "counts" not in table.columns or not {"adc", "energy_kev"} & set(table.columns):
        raise InputError("is not a table of a spectrum: it needs a column 'counts', and 'energy_kev' or 'adc'")
    parts = by_detector(table)
    if name is None and len(parts) > 1:
        raise UsageError(f"contains several spectra: choose one of {', '.join(parts)}")
    key = name if name is not None else next(iter(parts), SPECTRUM)
    if key not in parts:
        raise InputError(f"has no spectrum '{key}' (it has {', '.join(parts) or 'none'})")
    part = measurements.with_variance(parts[key])
    x = [column for column in ("adc", "energy_kev") if column in part.columns and part[column].null_count() == 0]
    values = part.select(*x, "counts", "variance")
    numbers = values if measurements.has_variance(values) else values.drop("variance")
    if not x or not all(column.is_finite().fill_null(value=False).all() for column in numbers):
        raise InputError("contains bins without a number: is it cut short?")
    if values[x[0]].is_duplicated().any():
        raise InputError(f"contains bins of {x[0]} twice: read a table of several spectra, such as slices, with polars")
    return RecordedSpectrum(values, measurements.from_json(text, key))


def by_detector(spectra: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The spectra of a table by their names in files: one per detector, or a single one without columns of detectors.

    Columns of bin centres that are null throughout a spectrum are left out of it.
    """
    if not set(DETECTOR) <= set(spectra.columns):
        parts = {SPECTRUM: spectra} if spectra.height else {}
    else:
        groups = spectra.sort(DETECTOR, maintain_order=True).group_by(DETECTOR, maintain_order=True)
        parts = {key_of(*(int(number) for number in key)): part for key, part in groups}
    empty = {
        name: [c for c in ("adc", "energy_kev") if c in part.columns and part[c].null_count() == part.height]
        for name, part in parts.items()
    }
    return {name: part.drop(empty[name]) for name, part in parts.items()}


def matrix_batches(frame: pl.LazyFrame, path: Path) -> Iterator[pl.DataFrame]:
    """A stored matrix, with its columns as numbers; an InputError, where a line or page cannot be read."""
    try:
        for batch in batches_of(frame):
            numbers = batch.cast(pl.Float64)
            if not all(column.is_finite().fill_null(value=False).all() for column in numbers):
                raise InputError(f"{path}: contains bins without a number: is it cut short?")
            yield numbers
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path}: cannot be read as a matrix: {first_line(error)}") from None


def matrix_columns(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """The columns of a matrix that a stored table has; its variances are the counts, where it has none.

    Where its background was subtracted, the column that says so is among them.
    """
    try:
        names = frame.collect_schema().names()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"{path}: cannot be read as a matrix: {first_line(error)}") from None
    axes = axis_columns(names)
    if axes and "counts" in names:
        variance = pl.col("variance") if "variance" in names else pl.col("counts").abs().alias("variance")
        subtracted = [SUBTRACTED] if SUBTRACTED in names else []
        return frame.select(*axes, "counts", variance, *subtracted)
    raise InputError(f"{path}: is not a matrix: it has no columns energy_kev_x, energy_kev_y and counts")
