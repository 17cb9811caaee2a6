"""Counts and rate of each detector, minute by minute.

Where a run begins or ends within a minute, its rate there is too low: see `flagged_rates`.
"""

import polars as pl


def query(hits: pl.LazyFrame, *, minutes: float = 1.0) -> pl.LazyFrame:
    width_ps = round(minutes * 60 * 10**12)
    detector = [name for name in ("run", "board", "channel") if name in hits.collect_schema()]
    return (
        hits.group_by(*detector, minute=(pl.col("timestamp_ps") // width_ps) * minutes)
        .agg(counts=pl.len())
        .with_columns(rate_cps=pl.col("counts") / (60 * minutes))
        .sort("minute", *detector)
    )
