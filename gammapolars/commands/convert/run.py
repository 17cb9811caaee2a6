"""Hits in time order, written in another format."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from gammapolars.analysis.accumulators import HitTally
from gammapolars.analysis.recording import Recording
from gammapolars.analysis.summaries import RunSummary, of_hits
from gammapolars.commands.convert.parse import ConvertOptions
from gammapolars.commands.summaries import removed, warnings
from gammapolars.corrections import calibrate
from gammapolars.io import check_writable, save
from gammapolars.io.sort import scratch_beside
from gammapolars.streaming.slices import lazy_frame


def check(options: ConvertOptions) -> None:
    """Raise where the output cannot be written."""
    check_writable(options.output, overwrite=options.overwrite)


def convert(options: ConvertOptions, recording: Recording) -> RunSummary:
    """Write a run's hits in time order, with energies where detectors are calibrated, and count them."""
    if options.sort:
        with scratch_beside(options.output) as scratch:
            return _convert(options, replace(recording, runs=recording.runs.sorted(scratch)))
    return _convert(options, recording)


def _convert(options: ConvertOptions, recording: Recording) -> RunSummary:
    recording, tally = replace(recording, all_columns=True), HitTally()

    def calibrated(hits: pl.LazyFrame) -> pl.LazyFrame:
        return calibrate(hits, recording.detectors) if len(recording.detectors) else hits

    def batches(columns: list[str] | None) -> Iterator[pl.DataFrame]:
        del columns  # the tally needs all
        for frame in recording.marked_frames():
            tally.add_hits(frame)
            yield calibrated(recording.used(frame).lazy()).collect()

    def summary() -> RunSummary:
        return RunSummary(**of_hits(recording, tally, {}, _warnings(recording)))

    ordered = lazy_frame(calibrated(pl.LazyFrame(schema=recording.schema)).collect_schema(), batches)
    save(
        ordered,
        options.output,
        overwrite=options.overwrite,
        metadata=lambda: summary().provenance(recording),
    )
    return summary().saved(options.output)


def _warnings(recording: Recording) -> list[str]:
    """The disadvantage of a file in which hits are missing, in a sentence."""
    if recording.selection is None:
        return []
    return [
        "the hits below thresholds are not in the output, but the detectors were dead after them, too: measure dead "
        "times and random coincidences in the original run"
    ]


def text(summary: RunSummary) -> list[str]:
    """The summary for people."""
    written = f"{summary.account.hits_used:,} hits written to {summary.outputs[0]}"
    return [written, *removed(summary.account), *warnings(summary)]
