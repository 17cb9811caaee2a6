"""Hits in time order, written in another format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.accounting import account, reading_warnings, times
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.gain_correction import correction_of
from gammapolars.core.types import Progress
from gammapolars.corrections import align, calibrate, spread_ps
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.provenance import describe
from gammapolars.io.sort import scratch_beside
from gammapolars.streaming.slices import batches_of, by_run, lazy_frame
from gammapolars.streaming.time_order import time_ordered


def convert(
    runs: Runs,
    output: Path,
    *,
    detectors: Detectors | None = None,
    sort: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a run's hits in time order, with energies where detectors are calibrated, and count them.

    Args:
        runs: from `open_runs`.
        output: ends in .parquet, .arrow, .csv or .root.
        detectors: time offsets and calibrations.
        sort: whether hits may be out of order by any time; temporary files beside the output then hold all hits.
        overwrite: whether an existing output is replaced.
        progress: told how many hits have been written.

    Returns:
        The summary, as `gammapolars convert --json` prints it.
    """
    if sort:
        check_writable(output, overwrite=overwrite)
        with scratch_beside(output) as scratch:
            return convert(runs.sorted(scratch), output, detectors=detectors, overwrite=overwrite, progress=progress)
    known = detectors or Detectors()
    hits = align(runs.hits, known)
    correction = correction_of(known, runs)
    if len(known) and not correction:
        hits = calibrate(hits, known)
    tally, read = HitTally(), 0

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        nonlocal read
        del wanted  # the tally needs all columns
        reorder_ps = runs.reorder_ps + spread_ps(known)
        with runs.naming_errors():
            for of_run in by_run(batches_of(hits)):
                for batch in time_ordered(of_run, reorder_ps=reorder_ps, on_repair=runs.note_repair):
                    tally.add_hits(batch)
                    read += batch.height
                    if progress:
                        progress(read)
                    yield steady(correction.corrected(batch)) if correction else batch

    def steady(batch: pl.DataFrame) -> pl.DataFrame:
        return calibrate(batch.lazy(), known).collect()

    def summary() -> dict[str, Any]:
        warned = {"warnings": [*reading_warnings(runs), *(correction.warnings if correction else ())]}
        return account(tally, runs.losses, {}) | times(tally, runs) | warned

    columns = hits.collect_schema()
    if correction:
        columns = calibrate(pl.LazyFrame(schema=correction.columns(columns)), known).collect_schema()
    ordered = lazy_frame(columns, batches)
    save(ordered, output, overwrite=overwrite, metadata=lambda: describe(runs, summary()))
    return summary() | {"output": str(output)}
