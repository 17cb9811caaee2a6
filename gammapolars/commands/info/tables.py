"""Content of files that are no runs: pairs, spectra, matrices, and the other tables that the package writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.saved_pairs import ENDS
from gammapolars.analysis.summaries import Summary
from gammapolars.core.errors import InputError, UsageError
from gammapolars.core.records import Rows, optional
from gammapolars.detectors import Detector, load_detectors
from gammapolars.io import provenance
from gammapolars.io.contents import DETECTORS, HITS, MATRIX, SPECTRA, SUFFIXES, kind_of, scan_table
from gammapolars.io.dataset import is_dataset, open_dataset
from gammapolars.io.matrix_files import scan_matrix
from gammapolars.io.pair_files import PairFiles
from gammapolars.io.spectrum_files import read_spectra
from gammapolars.streaming.slices import batches_of


@dataclass(frozen=True, kw_only=True)
class PairsInfoSummary(Summary):
    """The content of files of pairs.

    Attributes:
        files: of each `name`, `bytes` and `columns`, of a dataset the number of its `parts`, and the `provenance` that
            it carries, if any.
        pairs: within the window.
        random_pairs: in random windows, if there are any.
        pairs_by_detectors: of each two detectors `board_a`, `channel_a`, `board_b`, `channel_b`, the `region` if there
            are several, `pairs`, `least_dt_ps` and `largest_dt_ps`.
    """

    files: Rows
    pairs: int
    random_pairs: int | None = optional()
    pairs_by_detectors: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class TablesInfoSummary(Summary):
    """The content of files of spectra, matrices and other tables.

    Attributes:
        files: of each `name`, `bytes` and what `kind` of table it is; how many `rows` it has, its `columns`, and the
            `ranges` of those of numbers; of spectra `spectra`, of a detectors.toml its `detectors`; the `provenance`
            that it carries, if any.
    """

    files: Rows


def inspect_pairs(files: PairFiles) -> PairsInfoSummary:
    """The content of files of pairs: how many of which detectors, their time differences, and where they come from."""
    columns, dt = files.columns, pl.col("dt_ps")
    ends = [*ENDS, *(["region"] if "region" in columns else [])]
    ends = sorted(ends, key=("board_a", "channel_a", "board_b", "channel_b", "region").index)
    counted = {"pairs": pl.len(), "least_dt_ps": dt.min(), "largest_dt_ps": dt.max()}
    merged = {"pairs": pl.col("pairs").sum(), "least_dt_ps": pl.col("least_dt_ps").min()}
    merged["largest_dt_ps"] = pl.col("largest_dt_ps").max()
    counts = files.pairs.clear().group_by(ends).agg(**counted).collect()
    for batch in batches_of(files.pairs.select(*ends, "dt_ps")):
        both = pl.concat([counts, batch.group_by(ends).agg(**counted)])
        counts = both.group_by(ends).agg(**merged)
    random = int(counts.filter(region="random")["pairs"].sum()) if "region" in columns else None
    names = {name: str(dtype) for name, dtype in columns.items()}
    return PairsInfoSummary(
        inputs=tuple(map(str, files.paths)),
        files=[_facts(path) | {"columns": names} | _origin(path) for path in files.paths],
        pairs=int(counts["pairs"].sum()) - (random or 0),
        random_pairs=random,
        pairs_by_detectors=counts.sort(ends),
    )


def inspect_tables(names: Sequence[str], kinds: Sequence[str]) -> TablesInfoSummary:
    """The content of files of spectra, matrices and other tables.

    Raises:
        InputError: one cannot be read.
        UsageError: some are runs.
    """
    if HITS in kinds:
        runs, other = names[kinds.index(HITS)], next(name for name in names if kind_of(name) != HITS)
        raise UsageError(f"{other} contains {kind_of(other)} and {runs} does not: inspect them one at a time")
    files = [
        _facts(Path(name)) | {"kind": kind} | _content(Path(name), kind)
        for name, kind in zip(names, kinds, strict=True)
    ]
    return TablesInfoSummary(inputs=tuple(names), files=[file | _origin(Path(file["name"])) for file in files])


def _facts(path: Path) -> dict[str, Any]:
    if is_dataset(path):
        dataset = open_dataset(path)
        return {"name": str(path), "bytes": dataset.size_bytes, "parts": len(dataset.parts)}
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return {"name": str(path), "bytes": path.stat().st_size}


def _origin(path: Path) -> dict[str, Any]:
    origin = provenance.of_file(path)
    return {"provenance": origin} if origin else {}


def _content(path: Path, kind: str) -> dict[str, Any]:
    """How many rows a table has, its columns, and their ranges; of spectra the counts of each."""
    if kind == DETECTORS:
        rows = [_described(detector) for detector in load_detectors(path)]
        return {"rows": len(rows), "columns": {}, "ranges": [], "detectors": rows}
    if kind != SPECTRA:
        return _measured(scan_matrix(path) if kind == MATRIX else scan_table(path))
    spectra = list(spectra_in(path))
    if path.suffix.lower() in SUFFIXES:
        return _measured(scan_table(path)) | {"spectra": spectra}
    return {"rows": sum(row["bins"] for row in spectra), "columns": {}, "ranges": [], "spectra": spectra}


def _described(detector: Detector) -> dict[str, Any]:
    """Which detector it is, and its metadata."""
    known = {
        "energy": detector.energy,
        "fwhm": detector.fwhm,
        "efficiency": detector.efficiency,
        "time offset": detector.time_offset_ps or None,
        "direction": detector.theta_deg,
    }
    return {
        **{"board": detector.board, "channel": detector.channel, "name": detector.name},
        "known": [word for word, value in known.items() if value is not None],
    }


def _measured(table: pl.LazyFrame) -> dict[str, Any]:
    """Rows, columns, and the least and largest number of each column, read batch by batch."""
    schema = table.collect_schema()
    numbers = [name for name, dtype in schema.items() if dtype.is_numeric()]
    rows, least, largest = 0, list[pl.DataFrame](), list[pl.DataFrame]()
    for batch in batches_of(table):
        rows += batch.height
        least.append(batch.select(pl.col(numbers).min()))
        largest.append(batch.select(pl.col(numbers).max()))
    ends = [pl.concat(least).min(), pl.concat(largest).max()] if rows else []
    return {
        "rows": rows,
        "columns": {name: str(dtype) for name, dtype in schema.items()},
        "ranges": [
            {"column": name, "least": ends[0][name][0], "largest": ends[1][name][0]} for name in numbers if ends
        ],
    }


def spectra_in(path: Path) -> Iterator[dict[str, Any]]:
    """Detector, counts, bins and times of each spectrum of a file.

    Raises:
        InputError: it cannot be read.
    """
    if path.suffix.lower() in SUFFIXES and "time_slice" in (table := scan_table(path)).collect_schema():
        counts = table.group_by("board", "channel").agg(pl.col("counts").sum(), bins=pl.len()).sort("board", "channel")
        times = dict.fromkeys(("real_time_s", "live_time_s"))
        yield from (row | times for row in counts.collect().to_dicts())
        return
    if path.suffix.lower() == ".arrow":
        raise InputError(f"{path}: spectra are read from .parquet, .csv and the formats of other programs")
    for (board, channel), one in read_spectra(path).items():
        yield {
            "board": board,
            "channel": channel,
            "counts": float(one.table["counts"].sum()),
            "bins": one.table.height,
            "real_time_s": one.measurement.real_time_s,
            "live_time_s": one.measurement.live_time_s,
        }
