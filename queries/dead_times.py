"""Distribution of dead times: how soon after a hit each detector counts again.

`rate_cps` is the rate of a detector at some time since its last hit, in bins of `bin_us`: 0 while it is dead, and its
true rate afterwards. `alive` is this rate divided by that in the second half of `range_us`, in which there must be no
dead time: the probability that the detector is alive again. Where it rises from 0 to 1 lie the dead times; above 1,
hits come in bunches, as after-pulses do. Rejected hits count, as they make a detector dead;
thresholds, which remove hits, must not be given. Bins without any hit are left out.
"""

import polars as pl

import gammapolars as gp


def query(hits: pl.LazyFrame, *, range_us: float = 50.0, bin_us: float = 0.1) -> pl.LazyFrame:
    detector = [name for name in ("run", "board", "channel") if name in hits.collect_schema()]
    width_ps, width_s, end = round(bin_us * 1e6), bin_us * 1e-6, round(range_us / bin_us)
    since = pl.col("timestamp_ps").diff().over("board", "channel")
    number = pl.when(since < end * width_ps).then(since // width_ps).otherwise(end)
    bin_, counts, n = pl.col("bin"), pl.col("counts"), pl.col("reached")  # intervals that reach the bin's beginning
    late, longer = (counts.filter(bin_ >= first).sum().over(detector) for first in (end // 2, end))
    true_cps = pl.when(longer > 0).then((late / longer).log() / (end - end // 2) / width_s)
    rate_cps, unc = -(1 - counts / n).log() / width_s, (counts / (n * (n - counts))).sqrt() / width_s
    return (
        hits.filter(~gp.has_any("fake_event"))
        .select(*detector, "timestamp_ps")
        .pipe(gp.map_slices, lambda part: part.with_columns(bin=number), end * width_ps)
        .group_by(*detector, "bin")
        .agg(counts=pl.len().cast(pl.Float64))
        .sort(*detector, "bin")
        .with_columns(true_cps=true_cps, reached=counts.cum_sum(reverse=True).over(detector))
        .filter(bin_ < end)
        .with_columns(since_us=bin_ * bin_us, width_us=pl.lit(bin_us), rate_cps=rate_cps, rate_cps_unc=unc)
        .with_columns(
            alive=pl.col("rate_cps") / pl.col("true_cps"), alive_unc=pl.col("rate_cps_unc") / pl.col("true_cps")
        )
        .drop("bin", "reached")
    )
