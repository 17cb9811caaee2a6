"""Energy–energy matrices in the formats of other programs: tables of writers, and one of readers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import polars as pl

from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.file_identity import replacing
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.core.quantities import BY_COLUMN
from gammapolars.core.schema import SUBTRACTED
from gammapolars.io import provenance
from gammapolars.io.output import check_output, check_suffix, complete_or_nothing
from gammapolars.io.root.tree_parser import kinds_in
from gammapolars.io.spectra import histograms, radware, tables
from gammapolars.io.spectra.channels import Grid, check_columns, grid_of, naming
from gammapolars.streaming.slices import lazy_frame

Texts = Mapping[str, str]
"""Provenance, for the formats that can carry it."""

GRID_WRITERS: dict[str, Callable[[Grid, BinaryIO, Texts], None]] = {
    ".mat": lambda grid, file, _: radware.write_mat(grid, file),
    ".m4b": lambda grid, file, _: radware.write_m4b(grid, file),
    ".spn": lambda grid, file, _: radware.write_m4b(grid, file),
    ".root": histograms.write_matrix,
}
"""Writers of a matrix with all its bins, by the file's suffix."""

TABLES = {".parquet": "parquet", ".csv": "csv"}
"""The suffixes of matrices that are written as the tables that they are."""

SUFFIXES = (*GRID_WRITERS, *TABLES)

SUBTRACTED_KEY = "background_counts"
"""Key in the summary of a command where the background of the matrix was subtracted."""

RADWARE_TYPES = {".mat": "<u2", ".m4b": "<i4", ".spn": "<i4"}
"""numpy's types of the counts in RadWare matrices, by the file's suffix."""


def save_matrix(
    matrix: AnyFrame,
    path: str | Path,
    *,
    bin_kev: float | None = None,
    bin_adc: float | None = None,
    bin_x: float | None = None,
    bin_y: float | None = None,
    overwrite: bool = False,
    metadata: Texts | None = None,
) -> None:
    """Write a matrix for other programs. Bins that are left out have no counts.

    Args:
        matrix: a long and sparse table: `energy_kev_x` and `energy_kev_y`, or with `adc`, `dt_ps` or `time_s` instead
            of energies (bin centres), `counts`, `variance`. RadWare's channels are its bins from 0 on.
        path: ends in .mat (RadWare, 16 bits per count), .m4b or .spn (32 bits), .root (TH2D), .parquet or .csv.
        bin_kev: width of the bins of energy, where too few are filled to show it.
        bin_adc: width of the bins of adc, where they hold several values each; otherwise whole numbers are channels.
        bin_x: width of the bins on x, whatever they are bins of.
        bin_y: the same on y.
        overwrite: whether a file of this name is replaced.
        metadata: provenance, for Parquet and ROOT.

    Raises:
        OutputError: the file already exists or cannot be written, or the format cannot hold the matrix: counts that are
            too large, negative or fractional, or too many bins. The message names a suitable format.
        UsageError: an unknown suffix.
    """
    matrix = lazy(matrix, "matrix")
    path = Path(path)
    suffix = path.suffix.lower()
    check_suffix(path, "matrices are", SUFFIXES)
    check_output(path, overwrite=overwrite)
    with replacing(path):
        table = matrix.lazy().collect()
    for side in "xy":
        check_columns(table, path, "matrix", tuple(f"{name}_{side}" for name in BY_COLUMN))
    with naming(path), complete_or_nothing(path, overwrite=overwrite) as hidden:
        if suffix in TABLES:
            tables.WRITERS[TABLES[suffix]](table.lazy(), hidden, lambda: dict(metadata or {}))
        else:
            widths: dict[str, float | None] = {"energy_kev": bin_kev, "adc": bin_adc}
            for side, width in (("x", bin_x), ("y", bin_y)):
                if width is not None:
                    widths |= {f"{name}_{side}": width for name in BY_COLUMN}
            grid = grid_of(table, widths)
            with hidden.open("r+b") as file:
                GRID_WRITERS[suffix](grid, file, metadata or {})


def scan_matrix(path: str | Path, name: str | None = None, *, energy: Sequence[float] | None = None) -> pl.LazyFrame:
    """A matrix from a file, lazily: its filled bins.

    Args:
        path: ends in .mat, .m4b or .spn (RadWare), .root (TH2), .parquet or .csv.
        name: the histogram's, where a ROOT file holds several.
        energy: coefficients of the energy polynomial (keV, lowest order first) of both axes, where they are channels.

    Returns:
        `energy_kev_x` and `energy_kev_y`, or `adc_x` and `adc_y` where no calibration is known, or what else its axes
        are; `counts`, `variance`; where the background was subtracted in two dimensions, `background`.

    Raises:
        InputError: the file is missing, damaged or cut short, or holds no matrix; of its counts, when collected.
        UsageError: an unknown suffix, or several histograms without a choice.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: unknown suffix '{path.suffix}': matrices are read from {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    matrix = _filled_bins(path, suffix, name)
    if energy is None:
        return matrix
    return matrix.select(
        _polynomial(energy, name).alias(f"energy_kev_{name[-1]}") if name in ("adc_x", "adc_y") else name
        for name in matrix.collect_schema()
    )


def is_matrix(path: str | Path) -> bool:
    """Whether a file holds a matrix, and neither hits nor pairs, without reading its bins."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or not path.is_file():
        return False
    if suffix in RADWARE_TYPES:
        return True
    if suffix == ".root":
        kinds = kinds_in(path)
        return any(kind.startswith("TH2") for kind in kinds) and not any(
            "Tuple" in kind or kind == "TTree" for kind in kinds
        )
    try:
        tables.matrix_columns(tables.scan(path, TABLES[suffix]), path)
    except InputError:
        return False
    return True


def _filled_bins(path: Path, suffix: str, name: str | None) -> pl.LazyFrame:
    """A stored matrix as it is; a histogram, which is a whole in its file, at once."""
    if suffix == ".root":
        matrix = histograms.read_matrix(path, name).lazy()
        summary = (provenance.of_file(path) or {}).get("summary", {})
        is_net = SUBTRACTED_KEY in summary  # a histogram has no room for how much of each bin that was
        return matrix.with_columns(pl.lit(None, pl.Float64).alias(SUBTRACTED)) if is_net else matrix
    if suffix in RADWARE_TYPES:
        dtype = RADWARE_TYPES[suffix]
        radware.check_matrix(path, dtype)
        return lazy_frame(pl.Schema(radware.COLUMNS), lambda _: radware.batches(path, dtype), of=path)
    stored = tables.matrix_columns(tables.scan(path, TABLES[suffix]), path)
    columns = dict.fromkeys(stored.collect_schema(), pl.Float64())
    return lazy_frame(pl.Schema(columns), lambda _: tables.matrix_batches(stored, path), of=path)


def _polynomial(coefficients: Sequence[float], column: str) -> pl.Expr:
    value = pl.lit(0.0)
    for coefficient in reversed(coefficients):
        value = value * pl.col(column) + coefficient
    return value
