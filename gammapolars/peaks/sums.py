"""Areas of isolated peaks by plain sums, which need no shape: counts above a straight line through their sides."""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from gammapolars.core.types import Floats
from gammapolars.peaks.bins import KEYS, Bins, spectra_of

BELOW, ABOVE = 1.9, 1.5
"""Range of a sum on both sides of a peak, in units of its FWHM: more on the side of its tail."""

SIDE = 1.2
"""How much on either side determines the background, in units of the FWHM."""

STRONG, ENOUGH = 20.0, 4
"""A peak is compared from so many times its uncertainty, in spectra with at least this many of them."""

LEAST_DIFFERENCE, CLEAR = 0.01, 3.0
"""Fits and sums differ where the mean ratio is off 1 by this much, and by so many times its uncertainty."""


class Difference(NamedTuple):
    """By which part the fitted areas of isolated strong peaks exceed sums of their counts, and how many they are."""

    part: float
    unc: float
    peaks: int


def with_sums(spectrum: pl.DataFrame | pl.LazyFrame, peaks: pl.DataFrame) -> pl.DataFrame:
    """A table of peaks, with sums of counts next to their areas.

    Args:
        spectrum: the table of spectra that was fitted.
        peaks: the result of `fit_peaks` for it.

    Returns:
        The peaks with `sum` and `sum_unc`: counts less a straight background, taken from both sides of the peak; null
        where it is not isolated, or its fit failed.
    """
    sums: list[dict[str, float | None]] = [{"sum": None, "sum_unc": None} for _ in range(peaks.height)]
    numbered = peaks.with_row_index("number")
    for key, bins in spectra_of(spectrum):
        names = [name for name in KEYS if name in peaks.columns and name in key]
        part = numbered.filter(*(pl.col(name) == key[name] for name in names)) if names else numbered
        unit, axis = next((unit, axis) for unit, axis in bins.axes() if f"centroid_{unit}" in peaks.columns)
        places = bins.place(axis, part[f"centroid_{unit}"].to_numpy())
        widths = part[f"fwhm_{unit}"].to_numpy() / np.abs(bins.slope(axis, places))
        for row, number in enumerate(part["number"].to_list()):
            if part["status"][row] != "failed" and _is_alone(places, widths, row):
                area = _sum(bins, float(places[row]), float(widths[row]))
                if area is not None:
                    sums[number] = {"sum": area[0], "sum_unc": area[1]}
    return peaks.with_columns(pl.DataFrame(sums, {"sum": pl.Float64, "sum_unc": pl.Float64}))


def _is_alone(places: Floats, widths: Floats, row: int) -> bool:
    """True where no other peak reaches into the sum, or into its sides."""
    others = np.arange(len(places)) != row
    begin, end = places[row] - (BELOW + SIDE) * widths[row], places[row] + (ABOVE + SIDE) * widths[row]
    reaches = (places + ABOVE * widths > begin) & (places - BELOW * widths < end)
    return not bool((reaches & others).any())


def _sum(bins: Bins, place: float, fwhm: float) -> tuple[float, float] | None:
    """Counts of one peak above a straight line, and their uncertainty; None where the spectrum ends too close to it."""
    side = max(2, round(SIDE * fwhm))
    low, high = round(place - BELOW * fwhm), round(place + ABOVE * fwhm) + 1
    if low - side < 0 or high + side > len(bins.counts):
        return None
    left, middle, right = slice(low - side, low), slice(low, high), slice(high, high + side)
    width = high - low
    # The line through the means of both sides has, over the middle, the mean of the two.
    background = 0.5 * width * (bins.counts[left].mean() + bins.counts[right].mean())
    beside = (0.5 * width / side) ** 2 * (bins.variance[left].sum() + bins.variance[right].sum())
    return float(bins.counts[middle].sum() - background), math.sqrt(float(bins.variance[middle].sum() + beside))


def difference(peaks: pl.DataFrame) -> Difference | None:
    """Whether fitted and summed areas of isolated strong peaks differ systematically: by how much, else None.

    Args:
        peaks: of one spectrum, with sums.
    """
    strong = (pl.col("area") > STRONG * pl.col("area_unc")) & (pl.col("sum") > STRONG * pl.col("sum_unc"))
    lone = peaks.filter(strong)
    if lone.height < ENOUGH:
        return None
    area, area_unc, total, total_unc = (lone[name].to_numpy() for name in ("area", "area_unc", "sum", "sum_unc"))
    ratio = area / total - 1
    # Both are of the same counts: only the background of the sum scatters between them.
    unc = np.hypot(np.sqrt(np.abs(total_unc**2 - area_unc**2)) / total, LEAST_DIFFERENCE / CLEAR)
    weight = 1 / unc**2
    part = float((ratio * weight).sum() / weight.sum())
    scatter = float(np.sqrt((weight * (ratio - part) ** 2).sum() / weight.sum() / (len(ratio) - 1)))
    found = Difference(part, max(scatter, float(weight.sum() ** -0.5)), lone.height)
    return found if abs(part) > max(LEAST_DIFFERENCE, CLEAR * found.unc) else None
