"""Reading and writing: runs of one or more files in, tables out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.core.errors import OutputError, UsageError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.detectors import AnyDetectors, detectors_of
from gammapolars.detectors.columns import Column, rollover_ps
from gammapolars.io.columnar import Metadata
from gammapolars.io.formats import FORMATS, WRITERS, Writer, format_of
from gammapolars.io.input_file import InputFile
from gammapolars.io.output import check_output, complete_or_nothing
from gammapolars.io.pairs import scan_pairs
from gammapolars.io.plan_sources import check_not_scanned
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.run import Run
from gammapolars.io.runs import AnyNames, Runs, names_of, open_runs, runs_of
from gammapolars.streaming.time_order import REORDER_PS

__all__ = [
    "WRITERS",
    "AnyNames",
    "InputFile",
    "Losses",
    "Reading",
    "Run",
    "Runs",
    "check_writable",
    "names_of",
    "open_runs",
    "runs_of",
    "save",
    "scan",
    "scan_pairs",
]


def scan(
    *runs: AnyNames,
    tree: str | None = None,
    stage: str | None = None,
    bin_layout: str | None = None,
    bits: str | None = None,
    reorder_ps: int = REORDER_PS,
    columns: Mapping[str, Column] | AnyDetectors | None = None,
    apart: bool = False,
    drop_duplicates: bool = False,
    losses: Losses | None = None,
) -> pl.LazyFrame:
    """The hits of a run, lazily: columns and rows that a query does not need are not kept in memory.

    Write results with `save`, which never replaces these files: polars sinks truncate a file before
    it is read.

    Args:
        runs: files, glob patterns or folders. Several files are merged in time. Each folder is a run of its own:
            several runs follow one another, with a column `run` that numbers them from 1.
        tree: name of the tree in ROOT files, where it is not `Data_R`, `Data_F` or `Data`.
        stage: which files of a CoMPASS run's folder: `raw`, `unfiltered` or `filtered`; the first that is there.
        bin_layout: layout of CoMPASS BIN files without a header.
        bits: bits and step of a time counter that rolls over without a flag: `31:8ns`.
        reorder_ps: how far back in time a hit may lie and still be put in its place, where files are merged.
        columns: the columns of another program's table: the path of the detectors.toml that describes them, or its
            `columns`.
        apart: whether files, too, are runs of their own.
        drop_duplicates: whether hits with the board, channel and time of another one are left out.
        losses: collects damage; without it, damage is an error.

    Raises:
        InputError: nothing is found, or a file is not a table of hits.
        UsageError: a file has an unknown suffix, or is given twice.
    """
    known = columns or {} if isinstance(columns, Mapping | None) else detectors_of(columns).columns
    reading = Reading(
        tree=tree,
        bin_layout=bin_layout,
        columns=known,
        rollover_ps=rollover_ps(bits, known) if bits else None,
        losses=losses or Losses(keep_going=False),
    )
    how: dict[str, Any] = {"stage": stage, "apart": apart, "drop_duplicates": drop_duplicates}
    names = [name for one in runs for name in names_of(one)]
    return open_runs(*names, reading=reading, reorder_ps=reorder_ps, **how).hits


def check_writable(path: str | Path, *, overwrite: bool = False, layout: str | None = None, text: bool = False) -> None:
    """Raise at once if `save` could not write this output later.

    Args:
        path: the output.
        overwrite: whether it may exist.
        layout: its form, if it is not our own.
        text: whether the table has a column of text, such as names, which trees in ROOT files have no place for.

    Raises:
        OutputError: it exists already, or its folder is missing.
        UsageError: its suffix or layout is unknown.
    """
    path = Path(path)
    _writer(path, layout)
    if text and (form := format_of(path)) and form.numbers_only:
        others = ", ".join(suffix for suffix in WRITERS if not FORMATS[suffix].numbers_only)
        raise UsageError(
            f"{path}: the table contains text, but a ROOT tree stores only numbers: tables are written to {others}"
        )
    check_output(path, overwrite=overwrite)


def _writer(path: Path, layout: str | None) -> Writer:
    form = format_of(path)
    if layout is None:
        if form is None or form.save is None:
            raise UsageError(f"{path}: unknown suffix '{path.suffix}': tables are written to {', '.join(WRITERS)}")
        return form.save
    if form is not None and layout in form.layouts:
        return form.layouts[layout]
    if suffixes := [suffix for suffix, one in FORMATS.items() if layout in one.layouts]:
        raise UsageError(f"{path}: the layout {layout} exists only for {', '.join(suffixes)} files")
    layouts = dict.fromkeys(name for one in FORMATS.values() for name in one.layouts)
    raise UsageError(f"unknown layout '{layout}': choose from {', '.join(layouts)}")


def save(
    frame: AnyFrame,
    path: str | Path,
    *,
    layout: str | None = None,
    overwrite: bool = False,
    metadata: Metadata | dict[str, str] | None = None,
) -> None:
    """Stream a table into a file; the suffix gives the format, and the file appears only when it is complete.

    Args:
        frame: any frame of polars, lazy or not.
        path: ends in .parquet, .arrow, .csv or .root.
        layout: `compass-pairs` for a ROOT tree `Data_C` that holds each pair in both orders.
        overwrite: whether a file of this name is replaced.
        metadata: provenance, for the formats that can carry it; a function is called when all rows are written.

    Raises:
        OutputError: the output already exists, cannot be written, or is the file that the frame is scanned from.
        UsageError: its suffix or layout is unknown.
    """
    frame = lazy(frame, "table")
    path = Path(path)
    check_writable(path, overwrite=overwrite, layout=layout)
    if overwrite:
        check_not_scanned(frame, path)
    texts = metadata if callable(metadata) else lambda: metadata or {}
    with complete_or_nothing(path, overwrite=overwrite) as hidden:
        try:
            _writer(path, layout)(frame, hidden, texts)
        except OutputError as error:
            raise OutputError(str(error).replace(str(hidden), str(path))) from None
        except (OSError, pl.exceptions.ComputeError) as error:
            reason = str(error).partition("\n")[0]
            if not isinstance(error, OSError) and "os error" not in reason:
                raise  # the frame's own
            # polars names the writer that met the error first.
            reason = reason.rpartition("underlying IO error: ")[2]
            raise OutputError(f"{path}: cannot be written: {reason}") from None
