"""Parquet, Arrow IPC and CSV: hits and pairs in and out, with provenance where the format can carry it."""

import csv
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import polars as pl

from gammapolars.core.errors import InputError, first_line
from gammapolars.core.schema import ADC_COLUMNS, HITS, DType
from gammapolars.core.small_files import read_small
from gammapolars.io import hits_parquet, untrusted
from gammapolars.io.adc_width import adc_type_in
from gammapolars.io.arrow_footer import add_metadata
from gammapolars.io.compass import csv as compass_csv
from gammapolars.io.reading import READING, Reading
from gammapolars.io.text import formulas
from gammapolars.io.text.blocks import TextFile, is_of_numbers
from gammapolars.io.text.dialect import PADDING, Dialect, dialect_of, rows_of, type_of
from gammapolars.io.text.table import Field, TextTable
from gammapolars.streaming.slices import WIDE_ROWS, has_wide_rows, lazy_frame

LINES = 1000
"""This many rows of a text's beginning show the types of its columns."""

Metadata = Callable[[], dict[str, str]]
"""Gives an output's provenance; asked at the end, when everything has been counted."""


def scan_csv(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """A CSV file, lazily: of CoMPASS, or with the columns of a table of hits or pairs.

    Args:
        path: the file.
        reading: treatment of lines that cannot be read, and a map of columns if the table is a foreign one.

    Raises:
        InputError: the file is missing, or is no such CSV file; when collected, for a line that cannot be read.
    """
    file = TextFile(path)
    own_names = any(name.strip() in HITS.columns for name in file.header.split(";"))
    if ";" in file.header and (compass_csv.is_header(file.first_line) or not (reading.columns or own_names)):
        return compass_csv.scan_compass_csv(path, reading)
    mapped = {name for column in reading.columns.values() for name in column.sources}
    has_header = not (mapped and is_of_numbers(file.header))
    rows = rows_of(file.first_lines[file.header_line + has_header :])
    rows = rows[:: len(rows) // LINES + 1]
    dialect = dialect_of(file.header, rows)
    is_own = dialect.separator == "," and not (mapped or file.header_line or PADDING.search(file.header))
    dialect = Dialect() if is_own else dialect
    fields = _csv_fields(file, dialect, rows, mapped, has_header=has_header)
    table = TextTable(fields, dialect.separator, quotes=True, dialect=None if is_own else dialect)

    def batches(_: list[str]) -> Iterator[pl.DataFrame]:
        return table.read(file, reading.losses, header=has_header, rows=reading.rows)

    return lazy_frame(pl.Schema(table.schema), batches, of=Path(path))


def _csv_fields(
    file: TextFile, dialect: Dialect, rows: list[str], mapped: Collection[str], *, has_header: bool
) -> dict[str, Field]:
    """The columns in the header: ours with our types, others, and those that a map names, as they look.

    Without a header they are called column_1, column_2, …
    """
    of_hits = HITS.columns | HITS.optional
    of_pairs = {f"{name}_{side}": dtype for name, dtype in of_hits.items() for side in "ab"} | {"dt_ps": pl.Int64}
    ours: dict[str, DType] = of_hits | of_pairs
    plain = dialect.plain("\n".join([*rows, ""]).encode()).decode(errors="replace").splitlines()
    cells = list(csv.reader(plain, delimiter=dialect.separator))
    try:
        names = dialect.names(file.header, len(cells[0]) if cells else None)
        names = names if has_header else [f"column_{place}" for place in range(1, len(names) + 1)]
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{file.path}: cannot be read as CSV: {first_line(error)}") from None
    whole = [row for row in cells if len(row) == len(names)]
    columns = dict(zip(names, zip(*whole, strict=True) if whole else [()] * len(names), strict=True))
    ours |= {name: adc_type_in(columns[name]) for name in names if name in ADC_COLUMNS}
    # Only energies, and the time of a pair, may be unknown.
    required = {name for name in ours if not name.startswith("energy")} - (
        {"timestamp_ps"} if "dt_ps" in names else set()
    )
    return {
        name: Field(name, ours[name], required=name in required)
        if name in ours and name not in mapped
        else Field(name, type_of(columns[name]), required=False)
        for name in names
    }


def read_table(path: Path, what: str) -> pl.DataFrame:
    """A small table of any columns, whole, from a .parquet or .csv file.

    Args:
        path: the file.
        what: the table is of, for messages.

    Raises:
        InputError: the file is missing, damaged or none of these.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InputError(f"{path}: a table of {what} ends in .csv or .parquet")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if suffix == ".parquet":
        return untrusted.scan_parquet(path).collect()
    content = read_small(path)
    try:
        table = pl.read_csv(content.removeprefix(BOM_UTF8), infer_schema_length=None)
        return formulas.unmarked(table.lazy()).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: cannot be read as a table of {what}: {first_line(error)}") from None


def text_in_parquet(path: Path, key: str) -> str:
    """A text in a Parquet file's metadata."""
    if (text := _text_in_footer(path, key)) is not None:
        return text
    import pyarrow.parquet  # which takes long, and reads whatever others wrote

    with path.open("rb") as file:
        texts: dict[bytes, bytes] = pyarrow.parquet.read_metadata(file).metadata
    return texts[key.encode()].decode()


def _text_in_footer(path: Path, key: str) -> str | None:
    """A text in a Parquet file's footer, where it stands there as most programs write it; else None.

    Texts are in Thrift's compact protocol: a byte that announces a text, its length, itself; key and text in a row.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2) - 8
        file.seek(max(end, 0))
        length, magic = int.from_bytes(file.read(4), "little"), file.read()
        if magic != b"PAR1" or not 0 < length <= end:
            return None
        file.seek(end - length)
        footer = file.read(length)
    name = key.encode()
    mark = bytes([0x18, len(name)]) + name + b"\x18"
    place = footer.rfind(mark) + len(mark)
    size = shift = 0
    while place >= len(mark) and place < len(footer):
        size |= (footer[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if footer[place - 1] < 0x80:
            return footer[place : place + size].decode() if place + size <= len(footer) else None
    return None


def text_in_arrow(path: Path, key: str) -> str:
    """A text in the metadata of an Arrow file's schema."""
    import pyarrow as pa
    import pyarrow.ipc

    with pa.OSFile(str(path)) as file:
        texts: dict[bytes, bytes] = pyarrow.ipc.open_file(file).schema.metadata
    return texts[key.encode()].decode()


# The sinks get open files: given a path, polars' threads may create the file when the query has failed already and the
# caller has removed it.


def sink_parquet(frame: pl.LazyFrame, path: Path, metadata: Metadata) -> None:
    """Write Parquet; the provenance goes into the file's key-value metadata."""
    if hits_parquet.is_of_hits(frame.collect_schema()):
        hits_parquet.sink(frame, path, metadata)
        return
    failed: list[BaseException] = []

    def texts(_: object) -> dict[str, str]:
        try:
            return metadata()
        except BaseException as error:
            failed.append(error)
            raise

    with path.open("wb") as file:
        try:
            row_group_size = WIDE_ROWS if has_wide_rows(frame.collect_schema()) else None
            frame.sink_parquet(file, metadata=texts, row_group_size=row_group_size)
        except pl.exceptions.ComputeError:
            if failed:
                raise failed[0] from None  # polars reports it only in words
            raise


def sink_arrow(frame: pl.LazyFrame, path: Path, metadata: Metadata) -> None:
    """Write Arrow IPC, uncompressed, so that it can be mapped into memory; the provenance goes into the schema.

    polars writes no metadata into Arrow files, and writing through pyarrow would have to know them at the start.
    """
    with path.open("wb") as file:
        frame.sink_ipc(file)
    if texts := metadata():
        add_metadata(path, texts)


def sink_csv(frame: pl.LazyFrame, path: Path, metadata: Metadata) -> None:
    """Write CSV with a header line; text that a spreadsheet would take for a formula is marked."""
    del metadata  # the format has no place for it
    with path.open("wb") as file:
        formulas.marked(frame).sink_csv(file)
