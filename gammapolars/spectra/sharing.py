"""Counts per adc value shared out over bins of energy."""

import numpy as np
import polars as pl

from gammapolars.corrections import energy_kev
from gammapolars.detectors import Detectors
from gammapolars.spectra.bins import check_width


def redistributed(adc_counts: pl.DataFrame, detectors: Detectors, *, bin_kev: float) -> pl.DataFrame:
    """Energy spectra from counts per adc value, each value's counts shared out over the energies that it spans.

    An adc value stands for the pulse heights from adc - ½ to adc + ½. Sharing its counts out by overlap avoids the
    comb that integer values make in bins of energy; the sum of counts is kept.

    Args:
        adc_counts: `board`, `channel`, any further keys, `adc`, `counts`; detectors without calibration are left out.
        detectors: their energy polynomials.
        bin_kev: the bins' width.

    Returns:
        A table of spectra: the keys, `energy_kev`, `counts`, and as `variance` the same as the counts.
    """
    check_width(bin_kev)
    keys = [name for name in adc_counts.columns if name not in ("adc", "counts")]
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
        .group_by(*keys, "energy_kev")
        .agg(pl.col("counts").sum())
        .filter(pl.col("counts") > 0)
        .with_columns(variance=pl.col("counts"))
        .sort(*keys, "energy_kev")
        .collect()
    )


def fitting_bin_kev(detectors: Detectors, *, least_kev: float = 0.5) -> float:
    """A bin width of 1, 2 or 5 times a power of ten that is no finer than the coarsest detector's adc step."""
    steps = [abs(detector.energy[1]) for detector in detectors if detector.energy]
    wanted = max([least_kev, *steps])
    decade = 10.0 ** np.floor(np.log10(wanted))
    return float(next(step * decade for step in (1, 2, 5, 10) if step * decade >= wanted * (1 - 1e-9)))
