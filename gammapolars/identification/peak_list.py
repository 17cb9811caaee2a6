"""The peaks of one spectrum as arrays, and how wide full-energy peaks are there."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gammapolars.core.types import Floats, Mask

LEAST_AREA = 3.0
"""Area over its uncertainty: a weaker peak says little about its width, and names no nuclide."""

AGREE = 0.12
"""Relative difference from the expected width within which a width supports it, besides its own uncertainty."""

TOO_NARROW = 0.8
"""No full-energy peak is narrower than this part of the others at its energy."""

BROAD = 1.4
"""A peak wider than expected by this factor, and by two of its uncertainties, is no full-energy peak."""

MOST_SUPPORT = 50.0
"""No single peak counts for more in deciding about widths."""

SCINTILLATOR = 0.02
"""FWHM over energy at 662 keV from which on a detector does not resolve most lines."""

NONLINEAR = 0.15
"""How far a calibration may be off, in units of the FWHM."""

LEAST_TOLERANCE = 0.3
"""keV that a line may be off besides: of evaluations, and of peaks that a neighbour shifts."""


THROUGH_KEV = 100.0
"""Photons from here on come through the walls of sources and detectors as a rule."""


class PeakList(NamedTuple):
    """Peaks of one spectrum in order of energy.

    `kev` is the energy (or, without a calibration, the channel), with `kev_unc`; `fwhm` the measured and `width` the
    expected full width, all in the same unit; `rows` are those of the table. `is_sharp` is no wider than expected,
    `is_sure` has a successful fit and an area that is known better than to a third. FWHM² = a + b E has the
    coefficients `curve`; a calibration may be off by `slack` FWHM. `is_whole`: nuclides show all of their lines, other
    than in coincidence with one of them. `is_coincident`: of pairs, gated or not. `span` is from where to where the
    spectrum reaches, where that is known.
    """

    kev: Floats
    kev_unc: Floats
    fwhm: Floats
    area: Floats
    area_unc: Floats
    width: Floats
    is_sharp: Mask
    is_sure: Mask
    rows: NDArray[np.intp]
    curve: tuple[float, float]
    slack: float = NONLINEAR
    is_whole: bool = True
    span: tuple[float, float] | None = None
    is_coincident: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which energies lines would be seen: where the spectrum reaches, at least where peaks are."""
        low, high = 0.9 * float(self.kev.min(initial=np.inf)), 1.1 * float(self.kev.max(initial=0.0))
        if self.span is None or not self.is_whole:
            return low, high
        return min(low, max(self.span[0], THROUGH_KEV)), max(high, self.span[1])

    def width_at(self, kev: Floats | float) -> Floats:
        """The expected FWHM at energies."""
        a, b = self.curve
        return np.sqrt(np.maximum(a + b * np.asarray(kev, np.float64), 1e-12))

    @property
    def is_scintillator(self) -> bool:
        """Whether lines of a nuclide lie in each other's peaks as a rule."""
        return bool(self.width_at(662.0) > SCINTILLATOR * 662.0)

    @property
    def reach(self) -> Floats:
        """How far statistics may put each peak from its line, at most a fifth of its width."""
        return np.minimum(3 * self.kev_unc, 0.2 * self.width)

    def tolerance(self, kev: Floats | float) -> Floats:
        """How far a peak may lie from a line."""
        return self.slack * self.width_at(kev) + np.minimum(LEAST_TOLERANCE, 0.3 * self.width_at(kev))


def peak_list(table: pl.DataFrame, unit: str, fwhm: tuple[float, float, float] | None = None) -> PeakList:
    """The peaks of one spectrum; `unit` is that of the columns, `kev` or `adc`.

    Args:
        table: of PEAKS, of one spectrum.
        unit: `kev` or `adc`.
        fwhm: FWHM² = a + b E + c E² as far as it is known; None: from the peaks themselves.
    """
    columns = [f"centroid_{unit}", f"centroid_{unit}_unc", f"fwhm_{unit}", f"fwhm_{unit}_unc", "area", "area_unc"]
    frame = (
        table.with_row_index("row")
        .select("row", "status", *(pl.col(name).cast(pl.Float64) for name in columns))
        .filter(pl.col(columns[0]).is_finite(), pl.col(columns[2]) > 0, pl.col("area") > 0)
        .sort(columns[0])
    )
    kev, kev_unc, wide, wide_unc, area, area_unc = (frame[name].fill_null(np.nan).to_numpy() for name in columns)
    area_unc = np.where(np.isfinite(area_unc), area_unc, np.sqrt(np.maximum(area, 1.0)))
    wide_unc = np.where(np.isfinite(wide_unc), wide_unc, 0.1 * wide)
    sure = (frame["status"] != "failed").to_numpy() & (area > LEAST_AREA * area_unc)
    curve = _curve(kev[sure], wide[sure], wide_unc[sure], (area / np.maximum(area_unc, 1e-9))[sure])
    peaks = PeakList(
        kev, np.where(np.isfinite(kev_unc), kev_unc, 0.1 * wide), wide, area, area_unc, wide, sure, sure,
        frame["row"].to_numpy().astype(np.intp), curve,
    )  # fmt: skip
    width = peaks.width_at(kev)
    if fwhm is not None:
        width = np.sqrt(np.maximum(np.polynomial.polynomial.polyval(kev, fwhm), 1e-12))
    sharp = wide <= BROAD * width + 2 * wide_unc
    return peaks._replace(width=width, is_sharp=sharp)


def _curve(kev: Floats, fwhm: Floats, unc: Floats, significance: Floats) -> tuple[float, float]:
    """FWHM² = a + b E: the coefficients that most peaks agree with, and hardly any is narrower than."""
    if not len(kev):
        return 1.0, 0.0
    support = np.minimum(significance, MOST_SUPPORT)
    tolerance = np.hypot(AGREE, 2 * unc / fwhm)
    order = np.argsort(-support, kind="stable")[:20].tolist()
    proposals = [
        (share * fwhm[i] ** 2, (1 - share) * fwhm[i] ** 2 / max(kev[i], 1.0)) for i in order for share in (0, 0.3)
    ]
    for i, j in combinations(order, 2):
        if abs(kev[i] - kev[j]) > 0.1 * max(kev[i], kev[j]):
            b = (fwhm[j] ** 2 - fwhm[i] ** 2) / (kev[j] - kev[i])
            a = fwhm[i] ** 2 - b * kev[i]
            if a >= 0 and b >= 0:
                proposals.append((a, b))
    best, most = proposals[0], -np.inf
    for a, b in proposals:
        ratio = fwhm / np.sqrt(np.maximum(a + b * kev, 1e-12))
        agree = np.abs(np.log(ratio)) < tolerance
        narrow = ratio < TOO_NARROW - 2 * unc / fwhm
        total = float(support[agree].sum() - 1.5 * support[narrow].sum())
        if total > most:
            best, most = (float(a), float(b)), total
    return best
