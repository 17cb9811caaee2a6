"""Spectra and matrices: counts per bin of energy, with their variances."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from gammapolars.calibration import energy_kev
from gammapolars.detectors import Detectors
from gammapolars.errors import UsageError


def spectrum(
    frame: pl.LazyFrame,
    *,
    bin_kev: float = 1.0,
    energy: str = "energy_kev",
    by: Sequence[str] = ("board", "channel"),
) -> pl.LazyFrame:
    """Counts per bin of energy.

    Args:
        frame: calibrated hits, or pairs with `energy="energy_kev_a"`. Rows without an energy are left out.
        bin_kev: the bins' width; bin k reaches from k to k + 1 widths.
        energy: the column that is binned.
        by: columns that get a spectrum each.

    Returns:
        A lazy table of spectra: `by`, `energy_kev` (bin centre), `counts`, `variance`; empty bins are left out.
    """
    _check_width(bin_kev)
    keys = list(by)
    return (
        frame.select(*keys, energy_kev=_centre(pl.col(energy), bin_kev))
        .drop_nulls("energy_kev")
        .group_by(*keys, "energy_kev")
        .agg(counts=pl.len().cast(pl.Float64))
        .with_columns(variance=pl.col("counts"))
        .sort(*keys, "energy_kev")
    )


def matrix(pairs: pl.LazyFrame, *, bin_kev: float = 2.0, symmetric: bool = True) -> pl.LazyFrame:
    """Counts per bin of the two energies of pairs: long and sparse.

    Args:
        pairs: a calibrated table of pairs. Rows without an energy are left out.
        bin_kev: the bins' width on both axes.
        symmetric: whether each pair stands at (x, y) and at (y, x); on the diagonal it counts once.

    Returns:
        A lazy matrix: `energy_kev_x`, `energy_kev_y` (bin centres), `counts`, `variance`.
    """
    _check_width(bin_kev)
    x, y = _centre(pl.col("energy_kev_a"), bin_kev), _centre(pl.col("energy_kev_b"), bin_kev)
    counted = (
        pairs.select(energy_kev_x=x, energy_kev_y=y)
        .drop_nulls()
        .group_by("energy_kev_x", "energy_kev_y")
        .agg(counts=pl.len().cast(pl.Float64))
    )
    if symmetric:
        counted = mirrored(counted)
    return counted.with_columns(variance=pl.col("counts")).sort("energy_kev_x", "energy_kev_y")


def mirrored(counted: pl.LazyFrame, x: str = "energy_kev_x", y: str = "energy_kev_y") -> pl.LazyFrame:
    """A matrix made symmetric: each count at (x, y) and at (y, x), once on the diagonal."""
    mirror = pl.col(x) != pl.col(y)
    both = (
        pl.concat_list(x, pl.when(mirror).then(y)).alias(x),
        pl.concat_list(y, pl.when(mirror).then(x)).alias(y),
    )
    return counted.select(*both, "counts").explode(x, y).drop_nulls(x).group_by(x, y).agg(pl.col("counts").sum())


def redistributed(adc_counts: pl.DataFrame, detectors: Detectors, *, bin_kev: float) -> pl.DataFrame:
    """Energy spectra from counts per adc value, each value's counts shared out over the energies that it spans.

    An adc value stands for the pulse heights from adc - ½ to adc + ½. Sharing its counts out by overlap avoids the
    comb that integer values make in bins of energy; the sum of counts is kept.

    Args:
        adc_counts: `board`, `channel`, `adc`, `counts`; detectors without calibration are left out.
        detectors: their energy polynomials.
        bin_kev: the bins' width.

    Returns:
        A table of spectra: `board`, `channel`, `energy_kev`, `counts`, and as `variance` the same as the counts.
    """
    _check_width(bin_kev)
    adc = pl.col("adc").cast(pl.Float64)
    edges = (
        adc_counts.lazy()
        .with_columns(
            _low=energy_kev(detectors, adc=adc - 0.5) / bin_kev, _high=energy_kev(detectors, adc=adc + 0.5) / bin_kev
        )
        .drop_nulls("_low")
        .with_columns(_low=pl.min_horizontal("_low", "_high"), _high=pl.max_horizontal("_low", "_high"))
        .with_columns(
            _bin=pl.int_ranges(pl.col("_low").floor().cast(pl.Int64), pl.col("_high").floor().cast(pl.Int64) + 1)
        )
        .explode("_bin")
    )
    overlap = pl.min_horizontal("_high", pl.col("_bin") + 1) - pl.max_horizontal("_low", "_bin")
    width = pl.col("_high") - pl.col("_low")
    share = pl.when(width > 0).then(overlap / width).otherwise(1.0)
    return (
        edges.with_columns(counts=pl.col("counts") * share, energy_kev=(pl.col("_bin") + 0.5) * bin_kev)
        .group_by("board", "channel", "energy_kev")
        .agg(pl.col("counts").sum())
        .filter(pl.col("counts") > 0)
        .with_columns(variance=pl.col("counts"))
        .sort("board", "channel", "energy_kev")
        .collect()
    )


def fitting_bin_kev(detectors: Detectors, *, least_kev: float = 0.5) -> float:
    """A bin width of 1, 2 or 5 times a power of ten that is no finer than the coarsest detector's adc step."""
    steps = [abs(detector.energy[1]) for detector in detectors if detector.energy]
    wanted = max([least_kev, *steps])
    decade = 10.0 ** np.floor(np.log10(wanted))
    return float(next(step * decade for step in (1, 2, 5, 10) if step * decade >= wanted * (1 - 1e-9)))


def dithered(adc: str, time: pl.Expr, channel: str) -> pl.Expr:
    """An adc column with noise in [-½, ½) added, the same each time: derived from the hit's time and channel.

    Integer adc values against bins of energy make a comb; the noise spreads each over its own width. The noise is the
    top bits of (time + channel · c₂) · c₁ modulo 2⁶⁴ (Fibonacci hashing; Knuth, The Art of Computer Programming, 6.4),
    folded and multiplied once more: else the noises of two hits would differ by what their dt alone determines.
    """
    moment = time.cast(pl.UInt64, wrap_numerical=True)  # aligned hits can lie before 0
    seed = moment + pl.col(channel).cast(pl.UInt64) * pl.lit(0xD1B54A32D192ED03, pl.UInt64)
    mixed = seed * pl.lit(0x9E3779B97F4A7C15, pl.UInt64)
    mixed = (mixed ^ (mixed // pl.lit(2**32, pl.UInt64))) * pl.lit(0xBF58476D1CE4E5B9, pl.UInt64)
    noise = mixed // pl.lit(2**40, pl.UInt64)
    return pl.col(adc).cast(pl.Float64) + noise.cast(pl.Float64) / 2**24 - 0.5


def _centre(energy: pl.Expr, bin_kev: float) -> pl.Expr:
    return ((energy / bin_kev).floor() + 0.5) * bin_kev


def _check_width(bin_kev: float) -> None:
    if not 0 < bin_kev < np.inf:
        raise UsageError(f"a bin must be wider than 0 keV, not {bin_kev}")
