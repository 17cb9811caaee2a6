"""Hits that a correction moves come in time order, and wait no longer than they must."""

from collections.abc import Iterator

import polars as pl

from gammapolars.streaming.time_order import moved
from tests.hits import frame, in_batches


def test_hits_wait_only_for_those_that_could_still_lie_before_them() -> None:
    # Board 1 is moved back by a tenth of its time: in the end by 1000 ps, and near the beginning by far less.
    hits = frame((10 * place, 0, place % 2, place) for place in range(1000))
    shift = pl.when(pl.col("board") == 1).then(pl.col("timestamp_ps") // 10).otherwise(0)
    read = given = most = 0

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal read, most
        for batch in in_batches(hits, 10):
            read += batch.height
            yield batch
            most = max(most, read - given)

    parts = []
    for part in moved(
        counted(), lambda batch: batch.with_columns(timestamp_ps=pl.col("timestamp_ps") - shift), lambda t: t - t // 10
    ):
        given += part.height
        parts.append(part)

    found = pl.concat(parts)
    expected = hits.with_columns(timestamp_ps=pl.col("timestamp_ps") - shift)
    assert found.equals(expected.sort("timestamp_ps", maintain_order=True))
    assert most < 80  # 1000 ps are 50 hits of board 0, and two batches more


def test_without_hits_nothing_comes() -> None:
    assert list(moved(iter([]), lambda batch: batch, lambda time: time)) == []
