"""Where a projection has peaks, and the background below them: a parabola, which is linear in the counts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from gammapolars.core.errors import UsageError
from gammapolars.core.types import Floats, Integers, Range
from gammapolars.peaks import find_peaks
from gammapolars.spectra.matrix_cells import Side

HALF_WIDTH = 2.0
"""A peak lies within so many FWHM of its centroid, even where its width is only known to 15 %, or has a tail."""

BESIDE = 2.0
"""This many FWHM on each side of a peak determine the background under it,"""

LEAST_BESIDE = 3
"""and at least so many bins."""

WIDEST = 1.5
"""Across a region that is wider than so many times all bins at its sides the background is a straight line."""


class Region(NamedTuple):
    """Neighbouring bins with peaks in them, from `begin` to before `end`; so many `beside` it have only background."""

    begin: int
    end: int
    beside: int


def found_regions(side: Side, counts: Floats, variance: Floats, fwhm: Sequence[float] | None) -> list[Region]:
    """The regions of the peaks that a projection shows.

    Args:
        side: the bins.
        counts: (bins,) of the projection.
        variance: (bins,) of these.
        fwhm: coefficients of FWHM² = a + b E + c E² (keV²); None: measured at the projection's clearest peaks.
    """
    spectrum = pl.DataFrame({"adc": np.arange(side.bins, dtype=np.float64), "counts": counts, "variance": variance})
    if fwhm is not None:
        spectrum = spectrum.with_columns(pl.Series("energy_kev", side.centres))
    peaks = find_peaks(spectrum, fwhm=fwhm)
    places, widths = peaks["centroid_adc"].to_numpy(), peaks["fwhm_adc"].to_numpy()
    reach = HALF_WIDTH * widths
    begins, ends = np.floor(places - reach + 0.5).astype(int), np.ceil(places + reach + 0.5).astype(int)
    beside = np.maximum(np.rint(BESIDE * widths), LEAST_BESIDE).astype(int)
    rows = zip(begins.tolist(), ends.tolist(), beside.tolist(), strict=True)
    return _merged([Region(max(begin, 0), min(end, side.bins), near) for begin, end, near in rows])


def given_regions(side: Side, ranges: Sequence[Range]) -> list[Region]:
    """Regions from stretches in the axis' unit, with half as many bins on either side of each.

    Raises:
        UsageError: one holds no bin.
    """
    found = []
    for low, high in ranges:
        begin, end = (round((edge - side.first) / side.width + 0.5) for edge in (low, high))
        if not begin < end:
            raise UsageError(f"the peak from {low:g} to {high:g} contains no bin; bins are {side.width:g} wide")
        if end > 0 and begin < side.bins:
            beside = max(LEAST_BESIDE, round((end - begin) * BESIDE / (2 * HALF_WIDTH)))
            found.append(Region(max(begin, 0), min(end, side.bins), beside))
    return _merged(found)


def ranges_of(side: Side, regions: Sequence[Region]) -> tuple[Range, ...]:
    """Regions in the axis' unit."""
    edge = side.first - side.width / 2
    return tuple((edge + one.begin * side.width, edge + one.end * side.width) for one in regions)


def _merged(regions: Sequence[Region]) -> list[Region]:
    """Regions in order; those with fewer bins between them than one of them needs are one."""
    merged: list[Region] = []
    for region in sorted(regions):
        last = merged[-1] if merged else None
        if last and region.begin - last.end < max(region.beside, last.beside) / 2:
            merged[-1] = Region(last.begin, max(last.end, region.end), max(last.beside, region.beside))
        else:
            merged.append(region)
    return merged


def background_operator(side: Side, regions: Sequence[Region]) -> csr_array:
    """The matrix A that gives the background below the peaks of a projection P, b = A P: (bins, bins).

    Outside of the regions b is P itself. In a region it is the parabola of least squares through the bins on either
    side of it; a straight line where the region is wide compared to these; where one side has none, the mean of the
    other. Empty bins after all counts are a side only of a peak that reaches to these: for others, the axis may have
    been cut off there. A does not depend on the counts, so that the covariance of b, and that with P, follow exactly.

    Raises:
        UsageError: a region leaves no bin on either side.
    """
    bins = side.bins
    inside = np.zeros(bins, np.bool_)
    for region in regions:
        inside[region.begin : region.end] = True
    outside = np.flatnonzero(~inside)
    rows, columns, values = [outside], [outside], [np.ones(len(outside))]
    for region in regions:
        last = side.filled if region.end < side.filled else bins
        near = np.arange(max(region.begin - region.beside, 0), min(region.end + region.beside, last))
        near, places = near[~inside[near]], np.arange(region.begin, region.end)
        weights = _interpolation(places, near)
        rows.append(np.repeat(places, len(near)))
        columns.append(np.tile(near, len(places)))
        values.append(weights.ravel())
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return csr_array(entries, shape=(bins, bins))


def _interpolation(places: Integers, near: Integers) -> Floats:
    """(places, near) how much of each bin with background there is in each bin of a region, by least squares.

    The polynomials of least squares are orthogonal ones, so that the weights follow without solving equations.
    """
    before, behind = int((near < places[0]).sum()), int((near > places[-1]).sum())
    if not len(near):
        raise UsageError("peaks cover all bins of the matrix and leave no background: give narrower peak regions")
    order = 0 if not before or not behind else 1
    if min(before, behind) >= LEAST_BESIDE and len(places) <= WIDEST * len(near):
        order = 2
    x, at = near.astype(np.float64), places.astype(np.float64)
    terms: list[Floats] = []
    values: list[Floats] = []
    weights = np.zeros((len(places), len(near)))
    for power in range(order + 1):
        term, value = (x - x.mean()) ** power, (at - x.mean()) ** power
        for other, other_value in zip(terms, values, strict=True):
            share = (term @ other) / (other @ other)
            term, value = term - share * other, value - share * other_value
        terms.append(term)
        values.append(value)
        weights += np.outer(value, term / (term @ term))
    return weights
