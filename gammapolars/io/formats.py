"""The formats of tables: what reads a file and what writes it, by its suffix."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from gammapolars.io import columnar, compass_bin, root
from gammapolars.io.columnar import Metadata

READERS: dict[str, Callable[..., pl.LazyFrame]] = {
    ".root": root.scan_root,
    ".bin": compass_bin.scan_bin,
    ".parquet": columnar.scan_parquet,
    ".arrow": columnar.scan_arrow,
    ".csv": columnar.scan_csv,
}
"""What reads hits: called with the path and how to read (`Reading`)."""

PAIR_READERS: dict[str, Callable[..., pl.LazyFrame]] = READERS | {".root": root.scan_root_pairs}
"""What reads pairs."""

WRITERS: dict[str, Callable[[pl.LazyFrame, Path, Metadata], None]] = {
    ".parquet": columnar.sink_parquet,
    ".arrow": columnar.sink_arrow,
    ".csv": columnar.sink_csv,
    ".root": root.sink_root,
}
"""What writes a table."""
