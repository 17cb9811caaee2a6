"""Neutrons and gamma rays by pulse shape: how well each detector separates them.

The pulse shape (long - short) / long is larger for neutrons, whose pulses have a longer tail: they are peak 2, gamma
rays peak 1. The figure of merit `fom` is the distance of the two peaks over the sum of their FWHM. It grows with the
pulse height, so compare detectors in one range of it; below 0.6 the peaks overlap too much to be trusted, and `status`
says so. It is null where there is no second peak.
"""

from typing import Annotated

import polars as pl

import gammapolars as gp


def query(
    hits: pl.LazyFrame,
    *,
    reject: int,
    low_adc: Annotated[float, "Least pulse height."] = 1000.0,
    high_adc: Annotated[float, "Largest pulse height."] = 16000.0,
    bin_psd: Annotated[float, "Width of the bins of the pulse shape."] = 0.005,
) -> pl.LazyFrame:
    used = hits.filter(~gp.has_any(reject), pl.col("adc").is_between(low_adc, high_adc))
    return gp.figure_of_merit(gp.spectrum(used, bin_psd=bin_psd)).lazy()
