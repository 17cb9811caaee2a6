"""Full-energy peaks, to say which lines a spectrum shows: fitted ones, without what only looks like a peak."""

from typing import NamedTuple

import polars as pl

from gammapolars.core.types import Floats
from gammapolars.peaks import fit_peaks

LEAST_SIGMA = 6.0

ELECTRON_KEV = 511.0


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


def full_energy_peaks(energy_kev: Floats, counts: Floats, variance: Floats) -> list[Peak]:
    """The peaks of one spectrum that are six standard deviations high, in order of energy.

    Left out are humps below the Compton edge of a larger peak, and what is wider than peaks of higher energy: widths
    in keV only grow with energy, but for 511 keV, by half as much at most.

    Args:
        energy_kev: centres of equal bins, in order.
        counts: per bin.
        variance: of the counts, per bin.
    """
    spectrum = pl.DataFrame({"energy_kev": energy_kev, "counts": counts, "variance": variance})
    table = fit_peaks(spectrum, least_significance=LEAST_SIGMA).filter(pl.col("status") != "failed")
    columns = ("centroid_kev", "centroid_kev_unc", "fwhm_kev", "area", "area_unc")
    peaks = [Peak(*row) for row in table.select(columns).iter_rows()]
    clear = [peak for peak in peaks if peak.area > LEAST_SIGMA * peak.area_unc and peak.centroid_kev > 10]
    return [peak for peak in clear if not _is_hump(peak, clear)]


def _is_hump(peak: Peak, peaks: list[Peak]) -> bool:
    """True for what is too wide for its energy, or the hump at a Compton edge."""
    if peak.fwhm_kev > 0.2 * peak.centroid_kev:
        return True
    for other in peaks:
        if other.centroid_kev > peak.centroid_kev and other.area > peak.area and peak.fwhm_kev > 1.5 * other.fwhm_kev:
            return True
        edge = other.centroid_kev / (1 + ELECTRON_KEV / (2 * other.centroid_kev))
        if -1.2 < (peak.centroid_kev - edge) / peak.fwhm_kev < 0.5 and peak.area < other.area:
            return True
    return False
