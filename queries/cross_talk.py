"""Cross-talk: small pulses that a large pulse in one channel causes in another.

Of the pairs in --window, those count in which the adc of one hit is `least_adc` or more, and that of the other at most
`most_ratio` of it. `probability` is how many there are for each such large pulse. Cross-talk has one `ratio` of the two
pulse heights, with a small `ratio_spread`, between neighbouring channels or cables; in true coincidences and scattering
the ratio is any. Give --random, so that random coincidences are subtracted.
"""

import polars as pl

import gammapolars as gp


def query(
    hits: pl.LazyFrame, *, pairs: pl.LazyFrame, reject: int, least_adc: float = 2000.0, most_ratio: float = 0.1
) -> pl.LazyFrame:
    large, small = pl.max_horizontal("adc_a", "adc_b"), pl.min_horizontal("adc_a", "adc_b")
    weight = pl.col("weight") if "weight" in pairs.collect_schema() else pl.lit(1.0)
    w, ratio, counts, fired = pl.col("w"), pl.col("ratio"), pl.col("counts"), pl.col("fired")
    mean = pl.col("sum") / counts
    source, ends = ["board_from", "channel_from"], ["board_from", "channel_from", "board_to", "channel_to"]
    a, b = ["board_a", "channel_a"], ["board_b", "channel_b"]
    forward, backward = (pl.struct(columns).struct.rename_fields(ends) for columns in (a + b, b + a))
    sources = hits.filter(~gp.has_any(reject), pl.col("adc") >= least_adc).group_by("board", "channel")
    return (
        pairs.filter(large >= least_adc, small <= most_ratio * large)
        .select(ends=pl.when(pl.col("adc_a") == large).then(forward).otherwise(backward), ratio=small / large, w=weight)
        .unnest("ends")
        .group_by(ends)
        .agg(counts=w.sum(), variance=(w**2).sum(), sum=(w * ratio).sum(), squares=(w * ratio**2).sum())
        .join(sources.agg(fired=pl.len()), left_on=source, right_on=["board", "channel"])
        .with_columns(probability=counts / fired, probability_unc=pl.col("variance").sqrt() / fired)
        .with_columns(ratio=mean, ratio_spread=(pl.col("squares") / counts - mean**2).clip(0).sqrt())
        .drop("sum", "squares", "fired")
        .sort(ends)
    )
