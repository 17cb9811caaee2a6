"""Bursts and noise: stretches of time in which a detector counts far more than usual.

The hits of each detector are counted in bins of time, of which those are listed that hold more than `sigma` standard
deviations above the usual number, as of a Poisson distribution. Choose `bin_ms` so that a bin usually holds some ten
hits. A burst of electronic noise shows by its small pulses: compare `mean_adc` with `usual_adc`. A beam pulse or a
spark shows in many detectors at once. Rejected hits count too, as bursts often pile up. No row means no burst.
"""

import polars as pl

import gammapolars as gp


def query(hits: pl.LazyFrame, *, bin_ms: float = 100.0, sigma: float = 6.0) -> pl.LazyFrame:
    detector = [name for name in ("run", "board", "channel") if name in hits.collect_schema()]
    width_ps, counts, bin_ = round(bin_ms * 1e9), pl.col("counts"), pl.col("bin")
    # Where many bins are empty, the median of the others is too large; where there are large bursts, the mean is.
    usual = pl.min_horizontal(counts.median(), counts.sum() / (bin_.max() - bin_.min() + 1)).over(detector)
    excess, expected = counts - pl.col("expected"), pl.col("expected")
    deviance = 2 * (counts * (counts / expected).log() - excess)
    return (
        hits.filter(~gp.has_any("fake_event"))
        .group_by(*detector, bin=pl.col("timestamp_ps") // width_ps)
        .agg(counts=pl.len().cast(pl.Float64), mean_adc=pl.col("adc").mean())
        .with_columns(expected=usual, usual_adc=pl.col("mean_adc").median().over(detector))
        .with_columns(significance=deviance.clip(0).sqrt())
        .filter(excess > 0, pl.col("significance") >= sigma)
        .with_columns(time_s=(bin_ + 0.5) * width_ps / 1e12, width_s=pl.lit(width_ps / 1e12))
        .sort(*detector, "bin")
        .select(*detector, "time_s", "width_s", "counts", "expected", "significance", "mean_adc", "usual_adc")
    )
