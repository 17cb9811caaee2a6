"""Net counts where a line should be, whether there is a peak or not, isolated or next to other peaks."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import erf, ndtr

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.overview import html_of
from gammapolars.core.types import Floats

REGION_FWHM = 1.25
"""A region of a line reaches this far to both sides: all but 0.3 % of a normal peak."""

SIDES_FWHM = (1.5, 2.75)
"""Its side regions, one on each side, from here to there."""

ROOM_FWHM = 1.0
"""A peak farther than this beyond the side regions leaves them as they are."""

FIT_FWHM = 4.0
"""A line next to peaks is fitted over this far to both sides: peaks leave little of it for the background."""

ROUNDS = 5

LEAST_EXPECTED = 0.02
"""Counts that are expected in a bin at least, in units of the mean: bins without any must not weigh without end."""

LEAST_OWN = 1e-3
"""Share of a line's shape that no other peak describes, below which nothing can be said of it."""


class LineCounts(NamedTuple):
    """Counts of a region where a line should be.

    Attributes:
        area: net counts of the line, positive or negative.
        area_unc: their uncertainty.
        background: counts under the line, from the regions at its sides.
        background_unc: their uncertainty.
        null_variance: variance of the area if there is no line.
        unit: variance of the area from each count of the line itself.
        ratio: of the background in the line's region to that in the regions from which it is known.
    """

    area: float
    area_unc: float
    background: float
    background_unc: float
    null_variance: float
    unit: float
    ratio: float

    def _repr_html_(self) -> str:
        return html_of(self)


class LineBins(NamedTuple):
    """Bins of equal width without gaps: their centres, counts and variances."""

    energy: Floats
    counts: Floats
    variance: Floats
    width: float

    @property
    def scale(self) -> float:
        """Variance of one count: 1, or more where counts were multiplied."""
        ratio = self.variance[self.counts > 0] / self.counts[self.counts > 0]
        return float(ratio[0]) if len(ratio) and (self.counts >= 0).all() and np.ptp(ratio) < 0.01 * ratio[0] else 1.0


def line_counts(
    spectrum: AnyFrame, energy_kev: float, fwhm_kev: float, neighbours: Sequence[tuple[float, float]] = ()
) -> LineCounts:
    """Net counts at an energy, whether there is a peak or not: a sum of bins minus a straight line between its sides.

    The region reaches 1.25 FWHM to both sides, the background is taken from 1.5 to 2.75 FWHM. Unlike areas of peaks
    that a search has found, this is unbiased where there is no line. Where other peaks are nearer than 3.75 FWHM, the
    line is fitted together with them over 4 FWHM to both sides: theirs is what their shape can describe wherever they
    lie and however wide they are, so that the nearer they are the less is known of the line.

    Args:
        spectrum: a table of SPECTRUM of one detector with `energy_kev`; bins without counts may be left out.
        energy_kev: where the line should be.
        fwhm_kev: its width.
        neighbours: energies and FWHM of other peaks (keV); distant peaks have no effect.

    Raises:
        TableError: the spectrum lacks a column, or variances.
        UsageError: the line lies outside the spectrum, its bins are too wide, or it is the same as a neighbour.
    """
    spectrum = eager(spectrum, "spectrum")
    _check(spectrum)
    disturbs = (SIDES_FWHM[1] + ROOM_FWHM) * fwhm_kev
    near = [(at, width) for at, width in neighbours if abs(at - energy_kev) < disturbs and width > 0]
    bins = _bins(spectrum, energy_kev, SIDES_FWHM[1] * fwhm_kev, (FIT_FWHM if near else SIDES_FWHM[1]) * fwhm_kev)
    if near:
        reach = (FIT_FWHM + ROOM_FWHM) * fwhm_kev
        others = [(at, width) for at, width in neighbours if abs(at - energy_kev) < reach and width > 0]
        return fitted_counts(bins, energy_kev, fwhm_kev, others)
    return summed_counts(bins, energy_kev, fwhm_kev)


def _check(spectrum: pl.DataFrame) -> None:
    for name in ("energy_kev", "counts", "variance"):
        if name not in spectrum.columns:
            raise TableError(f"this spectrum has no column '{name}'")
    if spectrum["variance"].null_count():
        raise TableError("this spectrum has bins without a variance, so the uncertainty of its counts is not known")


def _bins(spectrum: pl.DataFrame, energy_kev: float, least: float, most: float) -> LineBins:
    """The bins around an energy, `least` to both sides of it if they are there, and up to `most`."""
    table = spectrum.sort("energy_kev")
    energies = table["energy_kev"].cast(pl.Float64).to_numpy()
    inside = len(energies) > 1 and energies[0] <= energy_kev - least and energy_kev + least <= energies[-1]
    if not inside:
        raise UsageError(f"the spectrum does not cover {energy_kev - least:.6g} to {energy_kev + least:.6g} keV")
    near = np.abs(energies - energy_kev) <= 2 * most
    steps = np.diff(energies[near] if near.sum() > 1 else energies)
    width, anchor = float(steps.min()), float((energies[near] if near.any() else energies)[0])
    low, high = max(energy_kev - most, float(energies[0])), min(energy_kev + most, float(energies[-1]))
    first, last = math.ceil((low - anchor) / width - 1e-9), math.floor((high - anchor) / width + 1e-9)
    size = max(last - first + 1, 0)
    place = np.round((energies - anchor) / width).astype(np.int64) - first
    used = (place >= 0) & (place < size)
    counts, variance = (
        np.bincount(place[used], table[name].cast(pl.Float64).to_numpy()[used], minlength=size).astype(np.float64)
        for name in ("counts", "variance")
    )
    return LineBins(anchor + width * np.arange(first, first + size, dtype=np.float64), counts, variance, width)


def summed_counts(bins: LineBins, energy_kev: float, fwhm_kev: float) -> LineCounts:
    """The counts of the region less those of its sides."""
    at = bins.energy - energy_kev
    inner, outer = (fwhm_kev * part for part in SIDES_FWHM)
    region = np.abs(at) <= REGION_FWHM * fwhm_kev
    left, right = (at >= -outer) & (at <= -inner), (at >= inner) & (at <= outer)
    size, below, above = int(region.sum()), int(left.sum()), int(right.sum())
    if min(size, below, above) < 1:
        raise UsageError(f"bins of {bins.width:.4g} keV are too wide for a line of FWHM {fwhm_kev:.4g} keV")
    share = float(erf(size * bins.width / 2 / fwhm_kev * FWHM_PER_SIGMA / math.sqrt(2)))
    weights = 0.5 * size * (left / below + right / above)
    background, background_variance = float(weights @ bins.counts), float(weights**2 @ bins.variance)
    net, variance = float(bins.counts[region].sum()) - background, float(bins.variance[region].sum())
    return LineCounts(
        net / share,
        math.sqrt(variance + background_variance) / share,
        background,
        math.sqrt(background_variance),
        max(variance - bins.scale * net, 0.0) / share**2 + background_variance / share**2,
        bins.scale / share,
        0.25 * size * (1 / below + 1 / above),
    )


def fitted_counts(
    bins: LineBins, energy_kev: float, fwhm_kev: float, neighbours: list[tuple[float, float]]
) -> LineCounts:
    """The line's part of a linear fit of it, of its neighbours, and of a straight background.

    Weights are those of the counts expected without the line, so that counts which happen to be high do not weigh less.
    """
    line = _shape(bins, energy_kev, fwhm_kev)
    others = np.array([*_neighbour_shapes(bins, neighbours), np.ones(len(line)), (bins.energy - energy_kev) / fwhm_kev])
    if len(line) < len(others) + 3:
        raise UsageError(f"bins of {bins.width:.4g} keV are too wide for a line of FWHM {fwhm_kev:.4g} keV")
    others /= np.linalg.norm(others, axis=1)[:, None]
    floor = max(LEAST_EXPECTED * float(bins.variance.mean()), 1e-9)
    expected = np.maximum(bins.variance, float(bins.variance.mean()) + floor)
    for _ in range(ROUNDS):
        expected = np.maximum(bins.scale * _described(others, bins.counts, expected) @ others, floor)
    own = line - _described(others, line, expected) @ others
    information = float(line / expected @ own)
    if not information > LEAST_OWN * float(line**2 @ (1 / expected)):
        raise UsageError(
            f"another peak is at the position of a line at {energy_kev:.6g} keV: no limit can be given for it"
        )
    weights = own / expected / information
    area = float(weights @ bins.counts)
    coefficients = _described(others, bins.counts - area * line, expected)
    below = np.maximum(coefficients @ others, 0.0)
    misfit = (bins.counts - area * line - coefficients @ others) ** 2 / expected
    ndf = len(line) - len(others) - 1
    excess = float(misfit.sum()) / ndf
    # Where a neighbour has another shape than a normal one, the line is known less well.
    excess = excess if excess > 1 + 3 * math.sqrt(2 / ndf) else 1.0
    region = np.abs(bins.energy - energy_kev) <= REGION_FWHM * fwhm_kev
    return LineCounts(
        area,
        math.sqrt(excess * float(weights**2 @ bins.variance)),
        float(below[region].sum()),
        math.sqrt(bins.scale * float(below[region].sum())),
        excess * bins.scale * float(weights**2 @ below),
        bins.scale * max(float(weights**2 @ line), 1e-3),
        1.0,
    )


def _described(parts: Floats, values: Floats, variance: Floats) -> Floats:
    """The coefficients of parts that describe values best."""
    root = 1 / np.sqrt(variance)
    return np.asarray(np.linalg.lstsq((parts * root).T, values * root, rcond=1e-10)[0], np.float64)


def _shape(bins: LineBins, energy_kev: float, fwhm_kev: float) -> Floats:
    """The part of a normal peak in each bin."""
    sigma = fwhm_kev / FWHM_PER_SIGMA
    low, high = (
        (bins.energy - energy_kev - 0.5 * bins.width) / sigma,
        (bins.energy - energy_kev + 0.5 * bins.width) / sigma,
    )
    return np.asarray(ndtr(high) - ndtr(low), np.float64)


def _neighbour_shapes(bins: LineBins, neighbours: list[tuple[float, float]]) -> list[Floats]:
    """The shape of each peak, and how it changes with its place and width, which are not known exactly."""
    step = 0.02
    shapes = []
    for at, fwhm in neighbours:
        moved = [_shape(bins, at + sign * step * fwhm, fwhm) for sign in (1, -1)]
        widened = [_shape(bins, at, fwhm * (1 + sign * step)) for sign in (1, -1)]
        shapes += [_shape(bins, at, fwhm), moved[0] - moved[1], widened[0] - widened[1]]
    return [shape for shape in shapes if np.linalg.norm(shape) > 1e-9]
