"""Time offsets, walk and the rates of clocks, applied to hits as expressions."""

from collections.abc import Iterable, Iterator

import polars as pl

from gammapolars.core.errors import TableError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.corrections.clocks import clock_shift
from gammapolars.corrections.energy import by_detector
from gammapolars.corrections.walk import extremes_ps, walk_expression
from gammapolars.detectors import AnyDetectors, Detectors, detectors_of
from gammapolars.streaming.slices import batches_of, by_run, lazy_frame
from gammapolars.streaming.time_order import REORDER_PS, OnRepair, moved, time_ordered

NEEDED = ("board", "channel", "timestamp_ps", "flags", "run")
"""Columns by which hits are corrected and put in order."""


def align(hits: AnyFrame, detectors: AnyDetectors, *, reorder_ps: int = REORDER_PS) -> pl.LazyFrame:
    """Hits with their detectors' time offsets and walk, and the drift of their boards' clocks, subtracted.

    The walk follows from the adc, times `gain_factor` where hits have it; it is rounded to whole picoseconds. Without
    clocks, hits come out of time order by up to `spread_ps(detectors)`; pairing restores it in its reorder buffer. With
    clocks, which may move hits by seconds, they come out in time order.

    Args:
        hits: a table of hits, nearly in time order where there are clocks.
        detectors: their `time_offset_ps`, `time_walk_ps` and `time_walk_range`, and the `clocks` of their boards.
        reorder_ps: how far back in time a recorded hit may lie and still be put in its place.

    Raises:
        TableError: a detector has a walk, and the hits have no adc.
        DetectorsError: a walk that diverges.
    """
    hits = lazy(hits, "hits")
    detectors = detectors_of(detectors)
    if not detectors.clocks:
        return _shifted(hits, detectors) if spread_ps(detectors) else hits
    schema = _shifted(hits, detectors).collect_schema()
    of_walk = ("adc", "gain_factor") if any(one.time_walk_ps for one in detectors) else ()

    def batches(columns: list[str]) -> Iterator[pl.DataFrame]:
        read = hits.select(name for name in schema if name in {*columns, *NEEDED, *of_walk})
        for frame in aligned_in_order(batches_of(read), detectors, reorder_ps=reorder_ps):
            yield frame.select(name for name in schema if name in columns)

    return lazy_frame(schema, batches)


def aligned_in_order(
    batches: Iterable[pl.DataFrame], detectors: Detectors, *, reorder_ps: int, on_repair: OnRepair | None = None
) -> Iterator[pl.DataFrame]:
    """Hits with all that `align` subtracts, in time order, run by run.

    Clocks are corrected by the times of each run, in time order and continued after resets.

    Args:
        batches: hits as recorded.
        detectors: as for `align`.
        reorder_ps: how far back in time a recorded hit may lie.
        on_repair: called with resets and rollovers of the timestamps.
    """
    _, high = shift_extremes_ps(detectors)

    def move(frame: pl.DataFrame) -> pl.DataFrame:
        return _shifted(frame.lazy(), detectors).collect()

    def least_ps(time_ps: int) -> int:
        return time_ps - high - max(0, *(clock.shift_ps(time_ps) for clock in detectors.clocks))

    for of_run in by_run(batches):
        yield from moved(time_ordered(of_run, reorder_ps=reorder_ps, on_repair=on_repair), move, least_ps)


def corrected_time(columns: Iterable[str], detectors: Detectors) -> pl.Expr:
    """The time of hits less offset, walk and the drift of clocks, as an expression of `timestamp_ps` and others.

    Args:
        columns: of the hits; with `gain_factor`, the walk's adc is multiplied by it.
        detectors: as for `align`.

    Raises:
        TableError: a detector has a walk, and the hits have no adc.
    """
    columns = list(columns)
    shift = by_detector(detectors, lambda detector: detector.time_offset_ps, pl.Int64).fill_null(0)
    if any(detector.time_walk_ps for detector in detectors):
        if "adc" not in columns:
            raise TableError("this frame has no column 'adc', from which the time walk follows")
        shift = shift + walk_expression(detectors, columns)
    if detectors.clocks:
        shift = shift + clock_shift(detectors)
    return pl.col("timestamp_ps") - shift


def _shifted(hits: pl.LazyFrame, detectors: Detectors) -> pl.LazyFrame:
    return hits.with_columns(timestamp_ps=corrected_time(hits.collect_schema(), detectors))


def spread_ps(detectors: Detectors) -> int:
    """How far apart the times can lie that offsets and walk subtract, 0 of unnamed detectors included.

    It bounds the disorder that they make: between detectors by their offsets, within one by its walk.
    """
    low, high = shift_extremes_ps(detectors)
    return high - low


def shift_extremes_ps(detectors: Detectors) -> tuple[int, int]:
    """The least and the largest time that offsets and walk subtract from a hit, 0 of unnamed detectors included."""
    low = high = 0
    for detector in detectors:
        least, most = extremes_ps(detector)
        low = min(low, detector.time_offset_ps + least)
        high = max(high, detector.time_offset_ps + most)
    return low, high
