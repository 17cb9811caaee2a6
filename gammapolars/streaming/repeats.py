"""Hits that repeat another hit of their detector, at the same time: found, and left out, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import polars as pl

from gammapolars.core.flags import FLAGS, has_any
from gammapolars.core.types import Integers
from gammapolars.streaming.slices import by_run

OnRepeats = Callable[[int, int], None]
"""Told how many hits have been left out so far, and how many of them have another adc value than the one that stays."""

PLACE = ("timestamp_ps", "board", "channel")


def of_same_time(hits: pl.DataFrame) -> Integers:
    """The rows of hits that have the same time as the neighbour before or after, ascending.

    Args:
        hits: in order of time.
    """
    behind = same_as_before(hits["timestamp_ps"].to_numpy())
    return np.union1d(behind - 1, behind) if len(behind) else behind


def same_as_before(times_ps: Integers) -> Integers:
    """The rows of times that are the same as the one before, ascending."""
    return np.flatnonzero(times_ps[1:] == times_ps[:-1]) + 1


def detections(hits: pl.DataFrame) -> pl.DataFrame:
    """The hits without fake events: the digitizer writes those to mark a time, and nothing was detected."""
    if "flags" not in hits.columns or not np.any(hits["flags"].to_numpy() & FLAGS["fake_event"]):
        return hits
    return hits.filter(~has_any(FLAGS["fake_event"]))


def without_repeats(batches: Iterable[pl.DataFrame], on_repeats: OnRepeats) -> Iterator[pl.DataFrame]:
    """Only the first hit of those with the same board, channel and time; fake events stay.

    Args:
        batches: hits of one run or several, one run after the other, each in order of time.
        on_repeats: called with those that are left out, when there are more of them.
    """
    total = others = 0
    for of_run in by_run(batches):
        latest: pl.DataFrame | None = None
        for batch in of_run:
            repeats, latest = _repeats(batch, latest)
            if repeats.height:
                total, others = total + repeats.height, others + int(repeats["differs"].sum())
                on_repeats(total, others)
                stays = np.ones(batch.height, np.bool_)
                stays[repeats["row"].to_numpy()] = False
                yield batch.filter(pl.Series(stays))
            else:
                yield batch


def _repeats(batch: pl.DataFrame, latest: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows that repeat an earlier one, by `row`, and whether their adc `differs`.

    Args:
        batch: in order of time, not empty.
        latest: the hits that stay at the last time of the batch before.

    Returns:
        The repeats, and the hits that stay at the last time of this batch.
    """
    times = batch["timestamp_ps"]
    seam = 0 if latest is None else int(times.search_sorted(latest["timestamp_ps"][0], side="right"))
    shared = np.unique(np.concatenate([np.arange(seam), of_same_time(batch), [batch.height - 1]]))
    names = [name for name in (*PLACE, "adc", "flags") if name in batch.columns]
    rows = batch.select(names).with_row_index("row")[shared]
    rows = detections(rows if latest is None else pl.concat([latest, rows]))
    adc = pl.col("adc") if "adc" in names else pl.lit(0)
    judged = rows.with_columns(
        first=pl.struct(PLACE).is_first_distinct(), differs=adc.ne_missing(adc.first()).over(PLACE)
    )
    kept = judged.filter(pl.col("first") & (pl.col("timestamp_ps") == times[-1])).select(rows.columns)
    return judged.filter(~pl.col("first")), kept if kept.height else None
