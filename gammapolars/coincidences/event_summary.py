"""One row per event: its time, the detectors that fired, and their summed energy."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.coincidences.events import fired
from gammapolars.core import schema
from gammapolars.core.errors import TableError
from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.streaming.slices import SLICE_HITS, WIDE_ROWS, batches_of, in_parallel, lazy_frame

SUM_TYPES: dict[pl.DataType, pl.DataType] = {
    pl.UInt16(): pl.UInt64(),
    pl.Int64(): pl.Int64(),
    pl.Float64(): pl.Float64(),
}
"""Types in which sums are kept, by the type of the summands."""

MOST_ROWS = 200_000
"""No more hits are summed up at once: their detectors' names take several times their memory."""


def event_summary(events: AnyFrame, *, slice_hits: int = SLICE_HITS) -> pl.LazyFrame:
    """One row per event: time, detectors and summed energy.

    Args:
        events: a table of events, as `events` gives it; hits that were filtered out of it do not count, but
            `multiplicity` stays what it was.
        slice_hits: hits per slice; memory is proportional to it.

    Returns:
        A lazy table: `event`, `run` where events have it, `timestamp_ps` of the event's first hit, `multiplicity`,
        `hits`, `detectors` (a list of `board/channel`, each once, in order of board and channel), `sum_adc`, and
        `sum_energy_kev` where events have `energy_kev`: of the hits that are calibrated, null where none is.

    Raises:
        TableError: the frame is not a table of events.
    """
    events = lazy(events, "hits")
    needed = ("board", "channel", "timestamp_ps", "event", "multiplicity")
    columns = schema.require(events, schema.EVENTS, columns=needed)
    sums = [f"sum_{name}" for name in ("adc", "energy_kev") if name in columns]

    def batches(wanted: list[str] | None) -> Iterator[pl.DataFrame]:
        read = {*needed, "run", *(name[4:] for name in sums if wanted is None or name in wanted)}
        kept = events.select(name for name in columns if name in read)
        frames = batches_of(kept, batch_rows=min(slice_hits, MOST_ROWS))
        for table in in_parallel(_summed, whole_events(frames)):
            yield from table.iter_slices(WIDE_ROWS)  # to cut lists takes polars longer, the longer their table

    kinds: dict[str, schema.DType] = {"event": pl.UInt64}
    kinds |= {"run": columns["run"]} if "run" in columns else {}
    kinds |= {"timestamp_ps": pl.Int64, "multiplicity": pl.UInt16, "hits": pl.UInt32, "detectors": pl.List(pl.String)}
    return lazy_frame(pl.Schema(kinds | {name: SUM_TYPES[columns[name[4:]]] for name in sums}), batches)


def whole_events(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The hits of a table of events in frames that hold whole ones; a TableError, where event numbers step back."""
    waiting: pl.DataFrame | None = None
    for frame in frames:
        hits = frame if waiting is None else pl.concat([waiting, frame])
        if hits.is_empty():
            continue
        numbers = hits["event"]
        if not numbers.is_sorted():
            raise TableError("events are not sorted by their number: sort the table by 'event' and 'timestamp_ps'")
        begin = int(numbers.search_sorted(numbers[-1], side="left"))
        if begin:
            yield hits[:begin]
        waiting = hits[begin:]
    if waiting is not None:
        yield waiting


def _summed(hits: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """One row per event, of whole events."""
    if hits.is_empty():
        return
    numbers = hits["event"].to_numpy()
    starts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    lengths = np.diff(np.append(starts, hits.height))
    columns = [
        hits[name].gather(starts) for name in ("event", "run", "timestamp_ps", "multiplicity") if name in hits.columns
    ]
    columns += [pl.Series("hits", lengths.astype(np.uint32)), _detectors(hits, lengths)]
    if "adc" in hits.columns:
        adc = hits["adc"].cast(SUM_TYPES[hits.schema["adc"]]).to_numpy()
        columns.append(pl.Series("sum_adc", np.add.reduceat(adc, starts)))
    if "energy_kev" in hits.columns:
        energy = hits["energy_kev"]
        summed = pl.Series("sum_energy_kev", np.add.reduceat(energy.fill_null(0.0).to_numpy(), starts))
        known = pl.Series(np.logical_or.reduceat(energy.is_not_null().to_numpy(), starts))
        columns.append(summed.set(~known, None))
    yield pl.DataFrame(columns)


def _detectors(hits: pl.DataFrame, lengths: npt.NDArray[Any]) -> pl.Series:
    """The names of the detectors that fired in each event, each once and in order."""
    import pyarrow as pa

    counts, key = _fired(hits, lengths)
    keys = pl.Series(key).unique().sort().to_numpy()  # few different ones
    names = pl.Series([f"{number >> 16}/{number & 0xFFFF}" for number in keys.tolist()], dtype=pl.String)
    offsets = np.append(0, np.cumsum(counts)).astype(np.int64)
    lists = pa.LargeListArray.from_arrays(offsets, names.gather(np.searchsorted(keys, key)).to_arrow())
    return pl.Series("detectors", lists, dtype=pl.List(pl.String))


def _fired(hits: pl.DataFrame, lengths: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """How many different detectors fired in each event; and board << 16 | channel of each, event by event, in order.

    Only events of several hits need sorting.
    """
    board, channel = (hits[name].to_numpy() for name in ("board", "channel"))
    key = board.astype(np.uint32) << np.uint32(16) | channel
    several = np.flatnonzero(lengths > 1)
    counts = np.ones(len(lengths), np.int64)
    if not len(several):
        return counts, key
    is_of_several = np.repeat(lengths > 1, lengths)
    place = np.repeat(np.arange(len(several), dtype=np.uint64), lengths[several])
    found = fired(place, board[is_of_several], channel[is_of_several])
    counts[several] = np.bincount((found >> np.uint64(32)).astype(np.int64))
    keys = np.empty(int(counts.sum()), np.uint32)
    those = np.repeat(lengths > 1, counts)
    keys[~those], keys[those] = key[~is_of_several], found.astype(np.uint32)
    return counts, keys
