"""Rates of each detector over time, with the hits that carry each flag.

`rate_cps` is the rate of all `counts`; `used` are those without a flag of --reject, `pile_up` and the others those with
that flag. A share of pile-up that grows with the rate is usual; one that jumps shows a changed baseline or threshold.
The first and the last slice of a run are as long as there is data. A detector without a hit in a slice has no row. The
rates are not corrected for dead time: see `gammapolars rates`.
"""

import polars as pl

import gammapolars as gp

FLAGS = ("pile_up", "saturation", "fake_event", "trigger_lost", "memory_full")


def query(hits: pl.LazyFrame, *, reject: int, seconds: float = 10.0) -> pl.LazyFrame:
    run = [name for name in ("run",) if name in hits.collect_schema()]
    width_ps, time, slice_ = round(seconds * 1e12), pl.col("timestamp_ps"), pl.col("slice")
    first, last = pl.col("first").min().over(run or pl.lit(0)), pl.col("last").max().over(run or pl.lit(0))
    begin, end = pl.max_horizontal(slice_ * width_ps, first), pl.min_horizontal((slice_ + 1) * width_ps, last)
    flagged = {name: gp.has_any(name).sum() for name in FLAGS}
    return (
        hits.group_by(*run, "board", "channel", slice=time // width_ps)
        .agg(first=time.min(), last=time.max(), counts=pl.len(), used=(~gp.has_any(reject)).sum(), **flagged)
        .with_columns(time_s=(begin + end) / 2e12, width_s=(end - begin) / 1e12)
        .with_columns(rate_cps=pl.col("counts") / pl.col("width_s"))
        .with_columns(rate_cps_unc=pl.col("counts").sqrt() / pl.col("width_s"))
        .sort(*run, "board", "channel", "slice")
        .select(*run, "board", "channel", "time_s", "width_s", "counts", "rate_cps", "rate_cps_unc", "used", *FLAGS)
    )
