"""Long tables of hits or events as Parquet: times and event numbers, which ascend, by their differences.

polars tries dictionaries of them, and compresses what it finds in them: that takes longer than reading and building the
events, for larger files.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl

from gammapolars.streaming.slices import batches_of

GROUP_ROWS = 250_000
"""Rows of a row group, the least that readers take at once."""

ASCENDING = ("timestamp_ps", "event")

BY_DIFFERENCES = "DELTA_BINARY_PACKED"
"""The encoding of whole numbers by the bits of their differences (Apache Parquet format, "Encodings")."""


def is_of_hits(schema: pl.Schema) -> bool:
    """Whether a table has a hit in each row, with its time, and numbers only."""
    return "timestamp_ps" in schema and "dt_ps" not in schema and all(kind.is_numeric() for kind in schema.dtypes())


def sink(frame: pl.LazyFrame, path: Path, metadata: Callable[[], dict[str, str]]) -> None:
    """Write a table of hits; the provenance goes into the file's key-value metadata."""
    import pyarrow.parquet

    schema = frame.collect_schema()
    times = [name for name in ASCENDING if name in schema and schema[name].is_integer()]
    with (
        path.open("wb") as file,
        pyarrow.parquet.ParquetWriter(
            file,
            pl.DataFrame(schema=schema).to_arrow().schema,
            # The bits of differences between random times cannot be compressed.
            compression={name: "none" if name == "timestamp_ps" else "zstd" for name in schema},
            use_dictionary=[name for name in schema if name not in times],
            column_encoding=dict.fromkeys(times, BY_DIFFERENCES) or None,
        ) as writer,
    ):
        for rows in _groups(batches_of(frame)):
            writer.write_table(rows.to_arrow(), row_group_size=GROUP_ROWS)
        writer.add_key_value_metadata(metadata())


def _groups(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in frames of at least as many as make a row group."""
    waiting: list[pl.DataFrame] = []
    for batch in batches:
        waiting.append(batch)
        if sum(frame.height for frame in waiting) >= GROUP_ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)
