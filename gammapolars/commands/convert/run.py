"""Hits in time order, written in another format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from gammapolars.analysis.accounting import account, reading_warnings, times
from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.recording import Recording
from gammapolars.core.types import Progress
from gammapolars.corrections import calibrate
from gammapolars.detectors import Detectors
from gammapolars.io import Runs, check_writable, save
from gammapolars.io.provenance import describe
from gammapolars.io.sort import scratch_beside
from gammapolars.streaming.slices import lazy_frame


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
    recording = Recording(runs, detectors or Detectors(), progress, all_columns=True)
    tally = HitTally()

    def calibrated(hits: pl.LazyFrame) -> pl.LazyFrame:
        return calibrate(hits, recording.detectors) if len(recording.detectors) else hits

    def batches(columns: list[str] | None) -> Iterator[pl.DataFrame]:
        del columns  # the tally needs all
        for frame in recording.frames():
            tally.add_hits(frame)
            yield calibrated(frame.lazy()).collect()

    def summary() -> dict[str, Any]:
        warnings = {"warnings": [*reading_warnings(runs), *recording.warnings]}
        return account(tally, runs.losses, {}) | times(tally, runs) | warnings

    ordered = lazy_frame(calibrated(pl.LazyFrame(schema=recording.schema)).collect_schema(), batches)
    save(ordered, output, overwrite=overwrite, metadata=lambda: describe(runs, summary()))
    return summary() | {"output": str(output)}
