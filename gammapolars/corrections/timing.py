"""Time offsets and walk, applied to hits as expressions."""

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.corrections.energy import by_detector
from gammapolars.corrections.walk import extremes_ps, walk_expression
from gammapolars.detectors import Detectors


def align(hits: pl.LazyFrame, detectors: Detectors) -> pl.LazyFrame:
    """Hits with each detector's time offset and time walk subtracted from `timestamp_ps`.

    The walk follows from the adc, times `gain_factor` where hits have it; it is rounded to whole picoseconds. Hits come
    out of time order by up to `spread_ps(detectors)`; pairing restores it in its reorder buffer.

    Args:
        hits: a table of hits.
        detectors: their `time_offset_ps`, `time_walk_ps` and `time_walk_range`.

    Raises:
        TableError: a detector has a walk, and the hits have no adc.
        DetectorsError: a walk that no time can hold.
    """
    if not spread_ps(detectors):
        return hits
    shift = by_detector(detectors, lambda detector: detector.time_offset_ps, pl.Int64).fill_null(0)
    if any(detector.time_walk_ps for detector in detectors):
        columns = hits.collect_schema().names()
        if "adc" not in columns:
            raise TableError("this frame has no column 'adc', from which the time walk follows")
        shift = shift + walk_expression(detectors, columns)
    return hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - shift)


def spread_ps(detectors: Detectors) -> int:
    """How far apart the times can lie that `align` subtracts, 0 of unnamed detectors included.

    It bounds the disorder that `align` makes: between detectors by their offsets, within one by its walk.
    """
    low = high = 0
    for detector in detectors:
        least, most = extremes_ps(detector)
        low = min(low, detector.time_offset_ps + least)
        high = max(high, detector.time_offset_ps + most)
    return high - low
