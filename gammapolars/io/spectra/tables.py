"""Spectra and matrices as tables: CSV and Parquet as they stand, and text of two columns."""

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from gammapolars.core.errors import InputError, UsageError, first_line
from gammapolars.core.quantities import axis_columns
from gammapolars.core.schema import SPECTRUM as SCHEMA
from gammapolars.core.schema import DType
from gammapolars.io import columnar
from gammapolars.io.spectra import measurement as measurements
from gammapolars.io.spectra.channels import MAX_CHANNELS, Channels, energies_at
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum
from gammapolars.io.text.formulas import unmarked
from gammapolars.io.untrusted import read_parquet, scan_parquet
from gammapolars.streaming.slices import batches_of

CHANNELS = MAX_CHANNELS

DETECTOR = ("board", "channel")

SPECTRUM = "spectrum"
"""The name of a spectrum that belongs to no one detector."""

DTYPES: dict[str, DType] = SCHEMA.optional | SCHEMA.columns

WRITERS: dict[str, Callable[[pl.LazyFrame, Path, columnar.Metadata], None]] = {
    "parquet": columnar.sink_parquet,
    "csv": columnar.sink_csv,
}
"""What writes spectra and matrices as the tables that they are."""


def key_of(board: int, channel: int) -> str:
    """What a detector's spectrum is called in the names of files and histograms."""
    return f"b{board}_ch{channel}"


def detector_of(name: str) -> tuple[int, int] | None:
    """The (board, channel) that a name, as `key_of` makes them, ends in; None where it ends otherwise."""
    match = re.search(r"b(\d{1,5})_ch(\d{1,5})$", name)
    return (int(match[1]), int(match[2])) if match else None


def is_spectra(path: Path, kind: str) -> bool:
    """Whether a CSV or Parquet file has the columns of spectra, and none that hits or pairs have."""
    try:
        names = set(scan(path, kind).collect_schema())
    except (pl.exceptions.PolarsError, InputError, OSError):
        return False
    return "counts" in names and bool({"adc", "energy_kev", "channel"} & names) and "timestamp_ps" not in names


def names_in(path: Path, kind: str) -> list[str]:
    """The spectra in a CSV or Parquet file of several detectors."""
    keys = scan(path, kind).select(pl.col(DETECTOR).cast(pl.UInt16)).unique().sort(DETECTOR).collect()
    return [key_of(board, channel) for board, channel in keys.rows()]


def scan(path: Path, kind: str) -> pl.LazyFrame:
    """A CSV or Parquet file's table as it stands."""
    return unmarked(pl.scan_csv(path, glob=False)) if kind == "csv" else scan_parquet(path)


def encode_text(channels: Channels) -> bytes:
    """Two columns of text: energy in keV, or the channel, and counts; a first line that begins with # names them."""
    numbers = np.arange(channels.axis.bins, dtype=np.float64)
    energies = energies_at(channels, numbers)
    x = channels.axis.start + numbers * channels.axis.width if energies is None else energies
    head = f"# {'adc' if energies is None else 'energy_kev'} counts\n"
    body = pl.DataFrame({"x": x, "counts": channels.counts}).write_csv(separator=" ", include_header=False)
    return (head + body).encode()


def decode_text(data: bytes) -> RecordedSpectrum:
    """A spectrum of two columns of numbers, divided by blanks, tabs, commas or semicolons; or of one, the counts.

    Lines that begin with #, and a first line of words, are passed over. The first of two columns is taken for energies
    in keV, unless those lines do not speak of keV and it holds whole numbers alone: then for channels. Counts alone
    stand for the channels from 0 on.

    Raises:
        InputError: a line has not two numbers, or none has.
    """
    text = pl.Series("text", data.decode("utf-8", "replace").splitlines(), dtype=pl.String)
    lines = pl.DataFrame(text).with_row_index("line", offset=1)
    lines = lines.with_columns(words=pl.col("text").str.replace_all(r"[,;\s]+", " ").str.strip_chars().str.split(" "))
    first, second = (pl.col("words").list.get(place, null_on_oob=True) for place in (0, 1))
    lines = lines.filter(first != "").with_columns(
        x=first.cast(pl.Float64, strict=False), counts=second.cast(pl.Float64, strict=False)
    )
    remark = first.str.starts_with("#") | ((pl.int_range(pl.len()) == 0) & pl.col("x").is_null())
    remarks, rows = lines.filter(remark), lines.filter(~remark)
    if rows.height and (rows["words"].list.len() == 1).all() and rows["x"].is_finite().fill_null(value=False).all():
        adc = pl.int_range(pl.len()).cast(pl.Float64).alias("adc")
        return RecordedSpectrum(rows.select(adc, counts="x", variance=pl.col("x").abs()), Measurement())
    two_numbers = pl.col("x").is_finite() & pl.col("counts").is_finite() & (pl.col("words").list.len() == 2)
    wrong = rows.filter(~two_numbers.fill_null(value=False))
    if rows.is_empty() or not wrong.is_empty():
        where = "no line holds" if rows.is_empty() else f"line {wrong['line'][0]} does not hold"
        raise InputError(f"is no spectrum of two columns: {where} two numbers")
    whole = bool((rows["x"] == rows["x"].round()).all())
    in_kev = bool(remarks["text"].str.to_lowercase().str.contains("kev").any()) or not whole
    x = pl.col("x").alias("energy_kev" if in_kev else "adc")
    return RecordedSpectrum(rows.select(x, "counts", variance=pl.col("counts").abs()), Measurement())


def decode_csv(data: bytes, name: str | None) -> RecordedSpectrum:
    """The spectrum of a CSV file with a header line; as `decode_parquet`."""
    try:
        text = pl.read_csv(BytesIO(data), infer_schema=False)
        table = text.select(pl.col(column).str.strip_chars().cast(DTYPES[column]) for column in _spectrum_columns(text))
    except pl.exceptions.PolarsError as error:
        raise InputError(f"cannot be read as CSV: {first_line(error)}") from None
    return _one_spectrum(table, name, None)


def decode_parquet(data: bytes, name: str | None) -> RecordedSpectrum:
    """The spectrum of a Parquet file, of several the one of this name, with what was stored of its measurement.

    Raises:
        InputError: it is no Parquet, or no table of a spectrum.
        UsageError: it holds several, and none is named.
    """
    stored, texts = read_parquet(data)
    try:
        table = stored.select(pl.col(column).cast(DTYPES[column]) for column in _spectrum_columns(stored))
    except pl.exceptions.PolarsError as error:
        raise InputError(f"cannot be read as Parquet: {first_line(error)}") from None
    return _one_spectrum(table, name, texts.get(measurements.KEY))


def _spectrum_columns(table: pl.DataFrame) -> list[str]:
    """The columns of a spectrum that a table has."""
    return [name for name in table.columns if name in DTYPES]


def _one_spectrum(table: pl.DataFrame, name: str | None, text: str | None) -> RecordedSpectrum:
    """The one spectrum that is meant, out of a table of one or more."""
    if "channel" in table.columns and not {"adc", "energy_kev", "board"} & set(table.columns):
        table = table.rename({"channel": "adc"}).cast({"adc": pl.Float64})
    if "counts" not in table.columns or not {"adc", "energy_kev"} & set(table.columns):
        raise InputError("is no table of a spectrum: it needs a column 'counts', and 'energy_kev' or 'adc'")
    if "variance" not in table.columns:
        table = table.with_columns(variance=pl.col("counts").abs())
    parts = by_detector(table)
    if name is None and len(parts) > 1:
        raise UsageError(f"holds several spectra: name one of {', '.join(parts)}")
    key = name if name is not None else next(iter(parts), SPECTRUM)
    if key not in parts:
        raise InputError(f"has no spectrum '{key}' (it has {', '.join(parts) or 'none'})")
    part = parts[key]
    x = [column for column in ("adc", "energy_kev") if column in part.columns and part[column].null_count() == 0]
    values = part.select(*x, "counts", "variance")
    if not x or not all(column.is_finite().fill_null(value=False).all() for column in values):
        raise InputError("holds bins without a number: is it cut short?")
    if values[x[0]].is_duplicated().any():
        raise InputError(f"holds bins of {x[0]} twice: a table of several spectra, such as slices, is read by polars")
    return RecordedSpectrum(values, measurements.from_json(text, key))


def by_detector(spectra: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The spectra of a table by their names in files: one a detector, or one alone where no detectors are told apart.

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
                raise InputError(f"{path}: holds bins without a number: is it cut short?")
            yield numbers
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path}: cannot be read as a matrix: {first_line(error)}") from None


def matrix_columns(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """The columns of a matrix that a stored table has; its variances are the counts, where it has none."""
    try:
        names = frame.collect_schema().names()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"{path}: cannot be read as a matrix: {first_line(error)}") from None
    axes = axis_columns(names)
    if axes and "counts" in names:
        variance = pl.col("variance") if "variance" in names else pl.col("counts").abs().alias("variance")
        return frame.select(*axes, "counts", variance)
    raise InputError(f"{path}: is no matrix: it has no columns energy_kev_x, energy_kev_y and counts")
