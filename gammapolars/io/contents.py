"""The content of a file, known from its columns or its format: for commands that take whatever the package writes."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gammapolars.core.errors import GammapolarsError
from gammapolars.core.quantities import axis_columns
from gammapolars.core.small_files import MAX_BYTES
from gammapolars.io import columnar, untrusted
from gammapolars.io.matrix_files import is_matrix
from gammapolars.io.pair_files import open_pairs
from gammapolars.io.provenance import of_file
from gammapolars.io.remote import is_remote
from gammapolars.io.root.tree_parser import kinds_in
from gammapolars.io.spectrum_files import holds_spectra
from gammapolars.io.text.blocks import TextFile
from gammapolars.io.text.formulas import unmarked

HITS, PAIRS, SPECTRA, MATRIX, TABLE, DETECTORS = "hits", "pairs", "spectra", "matrix", "table", "detectors"


@dataclass(frozen=True)
class Kind:
    """A kind of table.

    Attributes:
        name: the word for it.
        columns: that it has.
        one_of: of which it has one at least.
    """

    name: str
    columns: frozenset[str]
    one_of: frozenset[str] = frozenset()

    def fits(self, columns: Collection[str]) -> bool:
        """Whether a table with these columns is one."""
        return self.columns <= set(columns) and (not self.one_of or not self.one_of.isdisjoint(columns))


def _kind(name: str, *columns: str, one_of: Collection[str] = ()) -> Kind:
    return Kind(name, frozenset(columns), frozenset(one_of))


KINDS = (
    _kind("triples", "dt_ab_ps", "dt_ac_ps"),
    _kind(PAIRS, "channel_a", "channel_b", "dt_ps"),
    _kind("events", "event", "time_in_event_ps"),
    _kind("event sums", "event", "multiplicity"),
    _kind("drift", "timestamp_ps", "gain_factor", "gain_factor_unc"),
    _kind("peaks", "area", "area_unc", one_of=("centroid_kev", "centroid_adc")),
    _kind("rates", "time_s", "width_s", "rate_cps"),
    _kind("time differences", "name_a", "name_b", "dt_ns", "counts"),
    _kind("lifetime", "dt_ps", "width_ps", "counts", "fit"),
    _kind("time spectrum", "dt_ps", "width_ps", "counts"),
    _kind("angular correlation", "angle_deg", "w", "w_unc"),
    _kind("true rates", "true_rate_cps", "live_fraction"),
    _kind("activities", "activity_bq", "activity_bq_unc"),
    _kind(HITS, "board", "channel", "timestamp_ps"),
    _kind("pulse shapes", "psd", "counts"),
    _kind(SPECTRA, "counts", one_of=("energy_kev", "adc")),
)
"""The tables that the package writes, in the order in which they are recognised; a matrix is known by its two axes."""

SHOWN_ROWS = 100_000

SUFFIXES = (".parquet", ".arrow", ".csv")
"""Suffixes of files whose tables are recognised by their columns."""


def kind_of(name: str) -> str:
    """The content of a file, a pattern or a folder: one of `KINDS` by name, a matrix, another table, detectors, hits.

    Where nothing else is seen, the answer is hits: reading them says what is wrong.
    """
    path = Path(name)
    if is_remote(name):
        return HITS
    if open_pairs([name]) is not None:
        return PAIRS
    if not path.is_file():
        return SPECTRA if holds_spectra(path) else HITS
    return _by_columns(path) or _by_format(path)


def _by_columns(path: Path) -> str | None:
    """The kind of a table; None where its columns do not show it, or it is not a table."""
    if path.suffix.lower() not in SUFFIXES:
        return None
    columns = columns_of(path)
    return kind_by(columns) or (TABLE if columns and of_file(path) is not None else None)


def kind_by(columns: Collection[str]) -> str | None:
    """The kind of a table with these columns, if the package writes such."""
    if axis_columns(columns) and "counts" in columns:
        return MATRIX
    return next((kind.name for kind in KINDS if kind.fits(columns)), None)


def _by_format(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".toml":
        return DETECTORS
    if is_matrix(path):
        return MATRIX
    kinds = kinds_in(path) if suffix == ".root" else set[str]()
    of_spectra = any(kind.startswith("TH1") for kind in kinds)
    of_hits = any("Tuple" in kind or kind == "TTree" for kind in kinds)
    return SPECTRA if holds_spectra(path) or (of_spectra and not of_hits) else HITS


def columns_of(path: Path) -> list[str]:
    """The columns of a table; none where it cannot be read as one of ours."""
    try:
        if path.suffix.lower() == ".csv":
            return [name.strip() for name in TextFile(path).header.split(",")]
        return scan_table(path).collect_schema().names()
    except (GammapolarsError, OSError):
        return []


def scan_table(path: Path) -> pl.LazyFrame:
    """The table of a .parquet, .arrow or .csv file as it is.

    Raises:
        InputError: it is missing or damaged.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return untrusted.scan_parquet(path)
    if suffix == ".arrow":
        return untrusted.scan_arrow(path)
    if path.is_file() and path.stat().st_size > MAX_BYTES:  # such as one of events: its first rows show its columns
        return unmarked(pl.scan_csv(path, glob=False, infer_schema_length=SHOWN_ROWS))
    return columnar.read_table(path, "numbers").lazy()
