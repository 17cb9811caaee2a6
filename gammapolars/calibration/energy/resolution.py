"""The resolution of a detector: FWHM² = a + b E + c E²."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.core.errors import CalibrationError
from gammapolars.core.types import Floats
from gammapolars.detectors import Covariance

LEAST_RELATIVE = 0.01
"""No width is trusted better than this share of it: line shapes are no perfect Gaussians."""


@dataclass(frozen=True)
class ResolutionFit:
    """FWHM² = a + b E + c E² and the data of its fit.

    Attributes:
        coefficients: a, b, c in keV², keV and 1; none is negative, so that the width is real everywhere.
        covariance: of a, b, c, scaled by χ²/ndf where it is above 1; zero for those that are held at zero.
        chi2: of the lines used.
        ndf: lines used less coefficients that are not held at zero.
        energy_range: lowest and highest energy used, keV.
        used: of each line, whether it took part: false for 511 keV (Doppler broadened) and for outliers.
    """

    coefficients: tuple[float, float, float]
    covariance: Covariance
    chi2: float
    ndf: int
    energy_range: tuple[float, float]
    used: tuple[bool, ...]

    def fwhm_at(self, energy_kev: ArrayLike) -> tuple[Floats, Floats]:
        """FWHM at some energies and their uncertainties, keV."""
        energy = np.asarray(energy_kev, np.float64)
        powers = np.stack([np.ones_like(energy), energy, energy**2], -1)
        fwhm = np.sqrt(np.maximum(powers @ np.array(self.coefficients), 0.0))
        variance = np.einsum("...i,ij,...j->...", powers, np.array(self.covariance), powers)
        return fwhm, np.sqrt(np.maximum(variance, 0.0)) / np.maximum(2 * fwhm, 1e-12)


def fit_resolution(energy_kev: ArrayLike, fwhm_kev: ArrayLike, fwhm_kev_unc: ArrayLike) -> ResolutionFit:
    """Fit FWHM² = a + b E + c E² by weighted least squares with a, b, c ≥ 0, to lines' widths in keV and their
    uncertainties.

    One line gives only b, two give a and b, four all three. A width further from the fit than five times its own
    uncertainty and the scatter of all together is an outlier (an unresolved pair, for example) and is left out.

    Raises:
        CalibrationError: there is no line with a width other than 511 keV.
    """
    energy, fwhm, unc = (
        np.atleast_1d(np.asarray(values, np.float64)) for values in (energy_kev, fwhm_kev, fwhm_kev_unc)
    )
    used = np.isfinite(fwhm) & (fwhm > 0) & (np.abs(energy - ANNIHILATION_KEV) > 0.5)
    unc = np.where(np.isfinite(unc), np.hypot(unc, LEAST_RELATIVE * fwhm), 0.1 * fwhm)
    if not used.any():
        raise CalibrationError(
            "no line gives the resolution: 511 keV is Doppler broadened, and no other line has a width"
        )
    for _ in range(len(energy) // 4):
        terms, _, chi2, free = _solve(energy[used], fwhm[used], unc[used])
        ndf = int(used.sum()) - free
        if ndf < 2:
            break
        model = np.sqrt(np.maximum(terms[0] + terms[1] * energy + terms[2] * energy**2, 1e-12))
        residual = np.abs(fwhm - model) / unc
        scatter = max(1.0, 1.4826 * float(np.median(residual[used])))
        worst = int(np.argmax(np.where(used, residual, -1)))
        if residual[worst] < 5 * scatter:
            break
        used[worst] = False
    terms, covariance, chi2, free = _solve(energy[used], fwhm[used], unc[used])
    ndf = int(used.sum()) - free
    covariance *= max(1.0, chi2 / ndf) if ndf > 0 else 1.0
    return ResolutionFit(
        (float(terms[0]), float(terms[1]), float(terms[2])),
        tuple(tuple(row) for row in covariance.tolist()),
        chi2,
        ndf,
        (float(energy[used].min()), float(energy[used].max())),
        tuple(used.tolist()),
    )


def _solve(energy: Floats, fwhm: Floats, unc: Floats) -> tuple[Floats, Floats, float, int]:
    """a, b, c; their covariance; χ²; and how many are not held at zero."""
    different = len(np.unique(energy))
    terms = [1] if different == 1 else [0, 1] if different < 4 else [0, 1, 2]
    unit = float(energy.max())
    design = np.stack([(energy / unit) ** term for term in terms], 1)
    weight = 1 / (2 * fwhm * unc)
    solution, _ = nnls(design * weight[:, None], fwhm**2 * weight)
    free = np.flatnonzero(solution > 0)
    covariance = np.zeros((3, 3))
    scale = np.array([unit ** -terms[place] for place in free])
    weighted_design = design[:, free] * weight[:, None]
    covariance[np.ix_([terms[place] for place in free], [terms[place] for place in free])] = (
        np.linalg.inv(weighted_design.T @ weighted_design) * scale[:, None] * scale[None, :]
    )
    coefficients = np.zeros(3)
    coefficients[terms] = solution * np.array([unit**-term for term in terms])
    chi2 = float((((fwhm**2 - design @ solution) * weight) ** 2).sum())
    return coefficients, covariance, chi2, len(free)
