"""A cautious search for full-energy peaks, to say which lines a spectrum shows; no substitute for a fit of areas."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST_SIGMA = 6.0
LEAST_LIKENESS = 0.8
FWHM_PER_SIGMA = 2.3548


class Peak(NamedTuple):
    """A peak that stands out.

    Attributes:
        centroid_kev: its position.
        centroid_unc_kev: the statistical uncertainty of the position.
        fwhm_kev: its full width at half maximum.
        area: counts above the background.
        area_unc: one standard deviation of the area.
    """

    centroid_kev: float
    centroid_unc_kev: float
    fwhm_kev: float
    area: float
    area_unc: float


class _Fit(NamedTuple):
    position: float
    position_unc: float
    sigma: float
    area: float
    area_unc: float
    likeness: float


def find_peaks(energy_kev: Array, counts: Array, variance: Array) -> list[Peak]:
    """Peaks of a spectrum, by a filter of many widths and a fit of each candidate.

    A candidate is kept if a Gaussian on a sloping background stands six standard deviations high, describes most of
    what a slope alone does not (a Compton edge fails here), is as wide as a bin, is as wide as the spectrum's clearest
    peak says within a factor of two, with FWHM growing as √E, and is no hump at the Compton edge of a larger one.

    Args:
        energy_kev: centres of equal bins, in order, none left out.
        counts: per bin.
        variance: of the counts, per bin.

    Returns:
        The peaks, in order of energy.
    """
    if len(counts) < 16 or not counts.any():
        return []
    width = float(energy_kev[1] - energy_kev[0])
    variance = np.maximum(variance, 1.0)
    found = []
    for position, fwhm in _candidates(counts, variance):
        # A very strong peak stands out of wider filters, too: their wings see only its tails.
        fits = [_fit(counts, variance, position, factor * fwhm / FWHM_PER_SIGMA) for factor in (1.0, 0.4)]
        fit = max((fit for fit in fits if fit is not None), key=lambda fit: fit.likeness, default=None)
        if fit is not None and fit.area > LEAST_SIGMA * fit.area_unc and fit.likeness > LEAST_LIKENESS:
            energy = float(energy_kev[0]) + fit.position * width
            found.append(
                Peak(energy, fit.position_unc * width, fit.sigma * FWHM_PER_SIGMA * width, fit.area, fit.area_unc)
            )
    return _consistent(_distinct(found), width)


def _candidates(counts: Array, variance: Array) -> list[tuple[int, float]]:
    """Places and widths (FWHM), in bins, where a zero-area filter responds most; the clearest first.

    The noise is taken from the wings, where a peak of the filter's width has none of its counts: the response is then
    highest at the right place and width, however strong the peak is.
    """
    clearest: list[tuple[float, int, float]] = []
    fwhm = 1.6
    while 3 * fwhm < len(counts) / 2:
        reach = math.ceil(1.5 * fwhm)
        offsets = np.arange(-reach, reach + 1)
        kernel = np.exp(-0.5 * (offsets * FWHM_PER_SIGMA / fwhm) ** 2)
        kernel -= kernel.mean()
        wings = np.where(np.abs(offsets) > 0.85 * fwhm, 1.0, 0.0)
        beside = np.convolve(variance, wings / wings.sum(), "valid")
        response = np.convolve(counts, kernel, "valid") / np.sqrt(beside * (kernel**2).sum())
        middle = response[1:-1]
        peaks = np.flatnonzero((middle > 4.0) & (middle >= response[:-2]) & (middle > response[2:])) + 1
        clearest += [(float(response[place]), int(place) + reach, fwhm) for place in peaks]
        fwhm *= 1.4
    taken: list[tuple[int, float]] = []
    for _, place, fwhm in sorted(clearest, reverse=True):
        if all(abs(place - other) > max(0.7 * min(fwhm, other_fwhm), 1.5) for other, other_fwhm in taken):
            taken.append((place, fwhm))
    return taken[:150]


def _fit(counts: Array, variance: Array, position: float, sigma: float) -> _Fit | None:
    """A Gaussian on a slope by weighted least squares (Gauss–Newton), in bins; None where it does not settle."""
    for _ in range(2):
        reach = max(4, math.ceil(1.8 * FWHM_PER_SIGMA * sigma))
        low, high = max(0, round(position) - reach), min(len(counts), round(position) + reach + 1)
        if high - low < 7:
            return None
        x, y = np.arange(low, high, dtype=np.float64), counts[low:high]
        root_weight = 1 / np.sqrt(variance[low:high])
        start = (position, sigma)
        for _ in range(12):
            columns = _derivatives(x, position, sigma)
            amplitude = _solve(columns[:, [0, 3, 4]], y, root_weight)[0][0]
            design = columns * np.array([1, amplitude, amplitude, 1, 1])
            residual = y - columns[:, [0, 3, 4]] @ _solve(columns[:, [0, 3, 4]], y, root_weight)[0]
            step, covariance = _solve(design, residual, root_weight)
            position += float(np.clip(step[1], -0.5 * sigma, 0.5 * sigma))
            sigma *= float(np.clip(1 + step[2] / sigma, 0.7, 1.4))
            if not (abs(position - start[0]) < 2.5 * start[1] and start[1] / 3 < sigma < 3 * start[1]):
                return None
    area = amplitude * sigma * math.sqrt(2 * math.pi)
    area_unc = math.sqrt(max(covariance[0, 0], 0.0)) * sigma * math.sqrt(2 * math.pi)
    likeness = _likeness(x, y, root_weight, position, sigma)
    unc = math.sqrt(max(covariance[1, 1], 0.0))
    return _Fit(position, unc, sigma, float(area), max(area_unc, math.sqrt(max(area, 1.0))), likeness)


def _derivatives(x: Array, position: float, sigma: float) -> Array:
    """Columns: a Gaussian averaged over each bin, its derivatives by position and sigma, a constant and a slope."""
    inside = np.linspace(-0.4, 0.4, 5)[:, None]
    pull = (x + inside - position) / sigma
    shape = np.exp(-0.5 * pull**2)
    return np.stack(
        [
            shape.mean(0),
            (shape * pull / sigma).mean(0),
            (shape * pull**2 / sigma).mean(0),
            np.ones_like(x),
            x - x.mean(),
        ],
        1,
    )


def _solve(design: Array, y: Array, root_weight: Array) -> tuple[Array, Array]:
    """Weighted linear least squares: parameters and their covariance."""
    weighted = design * root_weight[:, None]
    covariance: Array = np.linalg.pinv(weighted.T @ weighted).astype(np.float64)
    return covariance @ (weighted.T @ (y * root_weight)), covariance


def _likeness(x: Array, y: Array, root_weight: Array, position: float, sigma: float) -> float:
    """The share of what a slope alone cannot describe that the Gaussian describes: 1 is perfect."""
    columns = _derivatives(x, position, sigma)
    chi2 = []
    for used in ([3, 4], [0, 3, 4]):
        model = columns[:, used] @ _solve(columns[:, used], y, root_weight)[0]
        chi2.append(max(float((((y - model) * root_weight) ** 2).sum()) - (len(x) - len(used)), 0.0))
    return 1 - chi2[1] / chi2[0] if chi2[0] > 0 else 0.0


def _distinct(peaks: list[Peak]) -> list[Peak]:
    """Of peaks closer than their widths, the one that stands out most."""
    kept: list[Peak] = []
    for peak in sorted(peaks, key=lambda peak: peak.area / peak.area_unc, reverse=True):
        if all(
            abs(peak.centroid_kev - other.centroid_kev) > 0.8 * max(peak.fwhm_kev, other.fwhm_kev) for other in kept
        ):
            kept.append(peak)
    return kept


def _consistent(peaks: list[Peak], width: float) -> list[Peak]:
    """Peaks of proper width, in order of energy: as wide as a bin, narrower than a fifth of their energy, and alike.

    Args:
        peaks: the one that stands out most first.
        width: of the bins, keV.
    """
    kept: list[Peak] = []
    for peak in peaks:
        proper = 0.9 * width < peak.fwhm_kev < 0.2 * peak.centroid_kev and peak.centroid_kev > 10
        if proper and (not kept or _is_like(peak, kept)):
            kept.append(peak)
    return sorted(kept)


def _is_like(peak: Peak, clearer: list[Peak]) -> bool:
    """True for a peak as wide as clearer ones of the same detector say, and not the hump below a Compton edge."""
    first = clearer[0]
    if not 0.5 < peak.fwhm_kev / (first.fwhm_kev * math.sqrt(peak.centroid_kev / first.centroid_kev)) < 2.0:
        return False
    for other in clearer:
        # Resolutions in keV only grow with energy; 511 keV is an exception, by half as much at most.
        if other.centroid_kev > peak.centroid_kev and peak.fwhm_kev > 1.5 * other.fwhm_kev:
            return False
        edge = other.centroid_kev / (1 + 511.0 / (2 * other.centroid_kev))
        if -1.2 < (peak.centroid_kev - edge) / peak.fwhm_kev < 0.5 and peak.area < other.area:
            return False
    return True
