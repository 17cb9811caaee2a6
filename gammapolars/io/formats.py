"""The formats of tables: what reads a file and what writes it, by its suffix."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from gammapolars.io import columnar
from gammapolars.io.columnar import Metadata
from gammapolars.io.compass import bin as compass_bin
from gammapolars.io.root import compass_pairs as root_pairs
from gammapolars.io.root import tables as root

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

Writer = Callable[[pl.LazyFrame, Path, Metadata], None]

WRITERS: dict[str, Writer] = {
    ".parquet": columnar.sink_parquet,
    ".arrow": columnar.sink_arrow,
    ".csv": columnar.sink_csv,
    ".root": root.sink_root,
}
"""What writes a table."""

LAYOUTS: dict[str, dict[str, Writer]] = {"compass-pairs": {".root": root_pairs.sink_compass_pairs}}
"""What writes a table in another form than our own, by the form's name."""
