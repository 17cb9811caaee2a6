"""Counts and rate of each detector, minute by minute."""

import polars as pl


def query(hits: pl.LazyFrame, *, minutes: float = 1.0) -> pl.LazyFrame:
    width_ps = round(minutes * 60 * 10**12)
    return (
        hits.group_by("board", "channel", minute=(pl.col("timestamp_ps") // width_ps) * minutes)
        .agg(counts=pl.len())
        .with_columns(rate_cps=pl.col("counts") / (60 * minutes))
        .sort("minute", "board", "channel")
    )
