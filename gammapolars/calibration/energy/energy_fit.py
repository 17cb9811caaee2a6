"""A fitted energy calibration: its curve with uncertainties, and how well each line lies on it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gammapolars.calibration.energy.least_squares import Points, slope_of
from gammapolars.core.types import Floats
from gammapolars.detectors import Covariance


@dataclass(frozen=True)
class EnergyFit:
    """An energy polynomial and what it was fitted to.

    Attributes:
        coefficients: keV, lowest order first: E = Σ c_i adc^i.
        covariance: of the coefficients, with `extra_kev` among the lines' uncertainties.
        chi2: of the lines used, with their own uncertainties alone.
        ndf: lines used less coefficients.
        order: of the polynomial.
        adc_range: lowest and highest position among the lines used.
        extra_kev: scatter of the lines beyond their own uncertainties (line shapes, differential non-linearity, a
            scintillator's non-proportionality), added to each in quadrature; 0 where χ² does not ask for it.
        used: of each line, whether it took part: false for outliers.
        fitted_kev: the polynomial at each line's position.
        residual_kev: line energy less `fitted_kev`.
        residual_sigma: the same over the uncertainty of position, line energy and `extra_kev` together.
    """

    coefficients: tuple[float, ...]
    covariance: Covariance
    chi2: float
    ndf: int
    order: int
    adc_range: tuple[float, float]
    extra_kev: float
    used: tuple[bool, ...]
    fitted_kev: tuple[float, ...]
    residual_kev: tuple[float, ...]
    residual_sigma: tuple[float, ...]

    def energy_at(self, adc: ArrayLike) -> tuple[Floats, Floats]:
        """Energies at some adc and their uncertainties (of the polynomial alone), keV."""
        x = np.asarray(adc, np.float64)
        powers = np.stack([x**order for order in range(len(self.coefficients))], -1)
        variance = np.einsum("...i,ij,...j->...", powers, np.array(self.covariance), powers)
        return powers @ np.array(self.coefficients), np.sqrt(np.maximum(variance, 0.0))

    def slope_at(self, adc: ArrayLike) -> Floats:
        """dE/dadc, keV."""
        return slope_of(np.array(self.coefficients), np.asarray(adc, np.float64))


def fit_of(
    points: Points, used: NDArray[np.bool_], coefficients: Floats, covariance: Floats, quality: tuple[float, int, float]
) -> EnergyFit:
    """A fit, with what it leaves of each line; `quality` is χ², degrees of freedom and the variance that was added."""
    curve = np.polynomial.polynomial.polyval(points.x, coefficients)
    sigma = np.sqrt(points.variance(slope_of(coefficients, points.x)) + quality[2])
    residual = points.e - curve
    return EnergyFit(
        coefficients=tuple(coefficients.tolist()),
        covariance=tuple(tuple(row) for row in ((covariance + covariance.T) / 2).tolist()),
        chi2=quality[0],
        ndf=quality[1],
        order=len(coefficients) - 1,
        adc_range=(float(points.x[used].min()), float(points.x[used].max())),
        extra_kev=math.sqrt(quality[2]),
        used=tuple(used.tolist()),
        fitted_kev=tuple(curve.tolist()),
        residual_kev=tuple(residual.tolist()),
        residual_sigma=tuple((residual / sigma).tolist()),
    )
