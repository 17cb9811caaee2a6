"""Reading and writing: runs of one or more files in, tables out."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from gammapolars.detectors import AnyDetectors, detectors_of
from gammapolars.detectors.columns import Column, rollover_ps
from gammapolars.io.formats import WRITERS
from gammapolars.io.input_file import InputFile
from gammapolars.io.pairs import scan_pairs
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.run import Run
from gammapolars.io.runs import AnyNames, Runs, names_of, open_runs, runs_of
from gammapolars.io.saving import check_writable, save
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
