"""The formats of tables of hits and pairs: a row for each, and nothing about one of them anywhere else but its module.

A new format is a module that reads it, and a row here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.io import columnar, dataset, untrusted
from gammapolars.io.columnar import Metadata
from gammapolars.io.compass import bin as compass_bin
from gammapolars.io.compass import bin_places
from gammapolars.io.reading import Reading
from gammapolars.io.remote import is_remote
from gammapolars.io.root import compass_pairs
from gammapolars.io.root import pairs as root_pairs
from gammapolars.io.root import places as root_places
from gammapolars.io.root import tables as root
from gammapolars.io.text.blocks import TextFile

Scan = Callable[[Path, Reading], pl.LazyFrame]
Count = Callable[[Path, Reading, pl.LazyFrame], int | None]
Borders = Callable[[Path, Reading], npt.NDArray[np.int64] | None]
Times = Callable[[Path, Reading, Sequence[int]], list[int | None] | None]
Writer = Callable[[pl.LazyFrame, Path, Metadata], None]


@dataclass(frozen=True)
class Format:
    """Operations on files of a format.

    Attributes:
        scan: gives hits, as recorded.
        scan_pairs: gives pairs, where that is something else; None: `scan` does.
        count: how many hits a file (its path, how it is read, its hits) holds, by its metadata; None: not known.
        borders: the places, as in `Reading.rows`, at which a file (its path, how it is read) is cut at little cost,
            ascending, with its beginning and its end; None: it can only be read as a whole.
        times: gives the times (ps) of the hits at some places, None for one that cannot be read, where that is faster
            than reading few rows; nothing where that is not known of this file.
        behind: gives a place a little behind another one.
        save: writes a table; None: nothing is written in this format.
        layouts: writers of a table in other forms than our own, by the form's name.
        numbers_only: whether tables with text, such as names, cannot be kept in it.
        text: gives the provenance or another text that a file (its path) carries under a key; None: it carries none.
            It raises whatever a damaged file leads to.
        remote: whether files on servers are read, in parts.
        unchecked: whether its reader looks at no value: any may be missing, and times may be anything.
    """

    scan: Scan
    scan_pairs: Scan | None = None
    count: Count = lambda *_: None
    borders: Borders = lambda *_: None
    times: Times | None = None
    behind: Callable[[Path, Reading, int], int] = lambda _, __, place: place + 1
    save: Writer | None = None
    layouts: Mapping[str, Writer] = field(default_factory=dict)
    numbers_only: bool = False
    text: Callable[[Path, str], str] | None = None
    remote: bool = False
    unchecked: bool = False


def count_rows(_: Path, __: Reading, hits: pl.LazyFrame) -> int:
    """The number of rows, by reading one column of them."""
    return int(hits.select(pl.len()).collect().item())


def _count_in_footer(path: Path, reading: Reading, hits: pl.LazyFrame) -> int:
    """The number of rows by the footer, where each row is a hit."""
    if is_remote(path) or any(dtype.is_nested() for dtype in untrusted.scan_parquet(path).collect_schema().dtypes()):
        return count_rows(path, reading, hits)
    first, last = reading.within(untrusted.rows_of_parquet(path))
    return last - first


FORMATS = {
    ".root": Format(
        root.scan_root,
        root_pairs.scan_root_pairs,
        lambda path, reading, _: root.count_hits(path, reading),
        root_places.borders,
        root_places.times_at,
        save=root.sink_root,
        layouts={"compass-pairs": compass_pairs.sink_compass_pairs},
        numbers_only=True,
        text=root.text_in,
        remote=True,
    ),
    ".bin": Format(
        compass_bin.scan_bin,
        count=lambda path, reading, _: compass_bin.count_records(path, reading),
        borders=bin_places.borders,
        behind=bin_places.behind,
    ),
    ".csv": Format(
        columnar.scan_csv,
        borders=lambda path, _: TextFile(path).borders(),
        behind=lambda path, _, place: TextFile(path).next_line(place),
        save=columnar.sink_csv,
    ),
    ".parquet": Format(
        lambda path, reading: untrusted.scan_parquet(path, reading.rows),
        count=_count_in_footer,
        borders=lambda path, _: untrusted.borders_of_parquet(path),
        save=columnar.sink_parquet,
        text=columnar.text_in_parquet,
        remote=True,
        unchecked=True,
    ),
    ".arrow": Format(
        lambda path, reading: untrusted.scan_arrow(path, reading.rows),
        count=count_rows,
        borders=lambda path, _: untrusted.borders_of_arrow(path),
        save=columnar.sink_arrow,
        text=columnar.text_in_arrow,
        unchecked=True,
    ),
}
"""By the file's suffix, in the order in which they are preferred where the same hits are there in several."""

DATASET = Format(
    lambda path, _: dataset.scan_dataset(path), count=dataset.count_pairs, text=dataset.text_in_dataset, unchecked=True
)
"""A folder of pairs in parts, which no suffix shows."""

REMOTE = [suffix for suffix, one in FORMATS.items() if one.remote]

WRITERS = sorted(
    (suffix for suffix, one in FORMATS.items() if one.save),
    key=lambda suffix: (FORMATS[suffix].numbers_only, FORMATS[suffix].text is None),
)
"""The suffixes of tables that are written, those first that keep all that a table has."""


def format_of(path: Path) -> Format | None:
    """The format of a file by its suffix, in letters of either case, or that of a dataset of pairs."""
    return DATASET if dataset.is_dataset(path) else FORMATS.get(path.suffix.lower())
