"""After-pulses: how often a detector fires once more because of its own last hit, and how long after it.

A hit that follows the last one of its detector by `low_us` to `high_us` is an after-pulse if it is not there at random.
The rate of random hits is that from `high_us` to `range_us`, where there must be no after-pulses. `probability` is that
of an after-pulse for each hit, `delay_us` their mean delay. A probability below 0 means that the detector is still dead
at `low_us`: choose the times with the query `dead_times`. Rejected hits count; thresholds must not be given.
"""

import polars as pl

import gammapolars as gp


def query(hits: pl.LazyFrame, *, low_us: float = 1.0, high_us: float = 10.0, range_us: float = 100.0) -> pl.LazyFrame:
    detector = [name for name in ("run", "board", "channel") if name in hits.collect_schema()]
    since, us = pl.col("timestamp_ps").diff().over("board", "channel") / 1e6, pl.col("us")
    inside = pl.when(us.is_between(low_us, high_us, closed="left")).then(us)  # sums of a filter would not stream
    still = [
        (pl.len().cast(pl.Float64) - (us < edge).sum()).alias(f"at_{edge}") for edge in (low_us, high_us, range_us)
    ]
    low, high, end = (pl.col(f"at_{edge}") for edge in (low_us, high_us, range_us))  # intervals as long as that
    n, x, x2, window = pl.col("counts"), pl.col("sum"), pl.col("squares"), high_us - low_us
    rate = (high / end).log() / (range_us - high_us)  # of random hits, per us
    excess_unc = (n.clip(1) / (low * high) + (window / (range_us - high_us)) ** 2 * (high - end) / (high * end)).sqrt()
    alone = (rate * window).exp() * high / low  # probability of no after-pulse
    net = n - rate * (x - low_us * n + high * window)  # less the rate times the time in which each interval waits
    true = pl.when(net > 2 * n.sqrt()).then(net)  # else there is nothing that has a delay
    delay = (x - rate * (x2 - low_us**2 * n + high * (high_us**2 - low_us**2)) / 2) / true
    delay_unc = (x2 - 2 * delay * x + delay**2 * n).sqrt() / true
    return (
        hits.filter(~gp.has_any("fake_event"))
        .select(*detector, "timestamp_ps")
        .pipe(gp.map_slices, lambda part: part.with_columns(us=since), round(range_us * 1e6))
        .group_by(detector)
        .agg(*still, counts=inside.count(), sum=inside.sum(), squares=(inside**2).sum())
        .with_columns(probability=1 - alone, probability_unc=alone * excess_unc, delay_us=delay, delay_us_unc=delay_unc)
        .select(*detector, "counts", "probability", "probability_unc", "delay_us", "delay_us_unc")
        .sort(detector)
    )
