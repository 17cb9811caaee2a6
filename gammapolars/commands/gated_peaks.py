"""Peaks of gated spectra, whose few counts do not give the peak width: all pairs together do."""

import numpy as np
import polars as pl

from gammapolars.identification import gated_kinds, span_of
from gammapolars.peaks import fit_peaks, width_doubts

EVIDENT = 4.0
"""Peaks whose area is less than as many standard deviations are left out: net counts of nothing fluctuate as well, and
at a thousand places in a spectrum they do so by three."""

SURE = 8.0
"""The peaks that determine the width have this many standard deviations."""

MIN_BINS = 16
"""A spectrum with fewer filled bins has no peaks to fit."""


def gated_peaks(net: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """The evident peaks of a net spectrum, each with its kind.

    Args:
        net: of one gate, or by detector.
        total: of all pairs, in the same bins.
    """
    with width_doubts():  # of detectors that differ, peaks of all together have no one width
        of_all = fit_peaks(total if total.height > MIN_BINS else total.head(0))
    return gated_kinds(_peaks(net, total, of_all), of_all, span_kev=span_of(total))


def _peaks(net: pl.DataFrame, total: pl.DataFrame, of_all: pl.DataFrame) -> pl.DataFrame:
    """The evident peaks of a net spectrum."""
    spectrum = _filled(net, total) if net.height > MIN_BINS else net.head(0)
    return fit_peaks(spectrum, fwhm=_resolution(of_all)).filter(pl.col("area") > EVIDENT * pl.col("area_unc"))


def _filled(spectrum: pl.DataFrame, total: pl.DataFrame) -> pl.DataFrame:
    """A net spectrum with the empty bins that pairs without the gate fill: beyond its last peak, too, is background."""
    axis = total.columns[0]
    keys = [name for name in ("board", "channel") if name in spectrum.columns]
    grid = spectrum.select(keys).unique().join(total.select(axis), how="cross") if keys else total.select(axis)
    empty = grid.join(spectrum, on=[*keys, axis], how="anti").with_columns(counts=pl.lit(0.0), variance=pl.lit(0.0))
    return pl.concat([spectrum.select(empty.columns), empty]).sort(*keys, axis)


def _resolution(of_all: pl.DataFrame) -> tuple[float, float] | None:
    """FWHM² = a + b E of the peaks of all pairs together: a single gated spectrum has too few counts for it."""
    if "centroid_kev" not in of_all.columns:
        return None
    peaks = of_all.filter((pl.col("status") == "ok") & (pl.col("area") > SURE * pl.col("area_unc")))
    if peaks.is_empty():
        return None
    energy, square = peaks["centroid_kev"].to_numpy(), peaks["fwhm_kev"].to_numpy() ** 2
    if peaks.height == 1:
        return 0.0, float(square[0] / energy[0])
    weight = 1 / (2 * peaks["fwhm_kev"] * peaks["fwhm_kev_unc"]).to_numpy()
    slope, offset = np.polyfit(energy, square, 1, w=weight)
    if slope <= 0 or offset + slope * energy.min() / 4 <= 0:
        return 0.0, float(np.average(square / energy, weights=weight))
    return float(offset), float(slope)
