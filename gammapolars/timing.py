"""Time offsets between detectors, applied as expressions."""

import polars as pl

from gammapolars.calibration import by_detector
from gammapolars.detectors import Detectors


def align(hits: pl.LazyFrame, detectors: Detectors) -> pl.LazyFrame:
    """Hits with each detector's `time_offset_ps` subtracted from `timestamp_ps`.

    Hits of detectors with different offsets can come out of time order; pairing restores it in its reorder buffer.
    """
    if not spread_ps(detectors):
        return hits
    offset = by_detector(detectors, lambda detector: detector.time_offset_ps, pl.Int64).fill_null(0)
    return hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - offset)


def spread_ps(detectors: Detectors) -> int:
    """How far apart the offsets are, those of unnamed detectors (0) included: the disorder that `align` can make."""
    offsets = [0, *(detector.time_offset_ps for detector in detectors)]
    return max(offsets) - min(offsets)
