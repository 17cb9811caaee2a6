"""Parquet, Arrow IPC and CSV: hits and pairs in and out, with provenance where the format can carry it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from gammapolars.errors import InputError
from gammapolars.io.reading import Reading
from gammapolars.schema import HITS
from gammapolars.streaming import batches_of, lazy_frame

Metadata = Callable[[], dict[str, str]]
"""Gives an output's provenance; asked at the end, when everything has been counted."""

READING = Reading()


def scan_parquet(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """A Parquet file's table, lazily.

    Raises:
        InputError: the file is missing, damaged or no Parquet file.
    """
    return _opened(path, pl.scan_parquet, "Parquet")


def scan_arrow(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """An Arrow IPC file's table, lazily.

    Raises:
        InputError: the file is missing, damaged or no Arrow file.
    """
    return _opened(path, pl.scan_ipc, "Arrow IPC")


def scan_csv(path: str | Path, reading: Reading = READING) -> pl.LazyFrame:
    """A CSV file with the columns of a table of hits or pairs, lazily.

    Raises:
        InputError: the file is missing, or is no such CSV file; when collected, for a line that cannot be read.
    """
    table = HITS.columns | HITS.optional
    dtypes = table | {f"{name}_{side}": dtype for name, dtype in table.items() for side in "ab"} | {"dt_ps": pl.Int64}
    text = _opened(path, pl.scan_csv, "CSV")
    typed = text.cast({name: dtypes[name] for name in text.collect_schema() if name in dtypes})
    # A line that was cut short comes out with nulls. Only energies and the time of a pair may be unknown.
    known = {name for name in dtypes if not name.startswith("energy")} - {"timestamp_ps"}
    schema = typed.collect_schema()

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        line = 2
        try:
            for batch in batches_of(typed if wanted is None else typed.select(wanted)):
                for column in batch.select(name for name in batch.columns if name in known):
                    if column.null_count():
                        where = line + int(column.is_null().arg_max() or 0)
                        raise InputError(f"{path}: line {where} has no {column.name}: is the file cut short?")
                line += batch.height
                yield batch
        except pl.exceptions.PolarsError as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{path}: cannot be read as CSV: {reason}") from None

    return lazy_frame(schema, batches)


def _opened(path: str | Path, scan: Callable[..., pl.LazyFrame], kind: str) -> pl.LazyFrame:
    try:
        frame = scan(path, glob=False)
        frame.collect_schema()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as {kind}: {reason}") from None
    return frame


# The sinks get open files: given a path, polars' threads may create the file when the query has failed already and the
# caller has removed it.


def sink_parquet(frame: pl.LazyFrame, path: Path, metadata: Metadata) -> None:
    """Write Parquet; the provenance goes into the file's key-value metadata."""
    with path.open("wb") as file:
        frame.sink_parquet(file, metadata=lambda _: metadata())


def sink_arrow(frame: pl.LazyFrame, path: Path, metadata: Metadata) -> None:
    """Write Arrow IPC, uncompressed, so that it can be mapped into memory."""
    del metadata  # polars writes no metadata into Arrow files
    with path.open("wb") as file:
        frame.sink_ipc(file)


def sink_csv(frame: pl.LazyFrame, path: Path, metadata: Metadata) -> None:
    """Write CSV with a header line."""
    del metadata  # the format has no place for it
    with path.open("wb") as file:
        frame.sink_csv(file)
