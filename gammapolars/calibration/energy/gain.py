"""The gain of a known calibration, adjusted by one line or more."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from gammapolars.calibration.energy.energy_fit import EnergyFit, fit_of
from gammapolars.calibration.energy.least_squares import WORSE, points_of, slope_of
from gammapolars.core.errors import CalibrationError
from gammapolars.core.types import Floats


def fit_gain(
    start: Sequence[float], adc: ArrayLike, adc_unc: ArrayLike, energy_kev: ArrayLike, energy_kev_unc: ArrayLike
) -> EnergyFit:
    """Adjust only the gain of a known calibration: E = E_start(f adc), from one line or more.

    Where χ² is larger than chance allows, the factor's uncertainty is scaled by √(χ²/ndf).

    Args:
        start: coefficients of the known calibration, keV, lowest order first.
        adc: peak positions.
        adc_unc: one standard deviation of each.
        energy_kev: energy of each line.
        energy_kev_unc: one standard deviation of each.

    Raises:
        CalibrationError: there is no line, or the known calibration has no position for one.
    """
    points = points_of(adc, adc_unc, energy_kev, energy_kev_unc, 0.0)
    if len(points.x) == 0:
        raise CalibrationError("there is no line to adjust a gain by: name another source")
    start_polynomial = np.asarray(start, np.float64)
    at = np.array([_inverse(start_polynomial, energy, near) for energy, near in zip(points.e, points.x, strict=True)])
    sigma = np.hypot(points.x_unc * at / points.x**2, points.e_unc / (slope_of(start_polynomial, at) * points.x))
    weight = 1 / np.maximum(sigma, 1e-9) ** 2
    factor = float((weight * at / points.x).sum() / weight.sum())
    chi2, ndf = float((weight * (at / points.x - factor) ** 2).sum()), len(points.x) - 1
    unc_factor = 1.0 if ndf < 1 or stats.chi2.sf(chi2, ndf) > WORSE else math.sqrt(chi2 / ndf)
    powers = np.arange(len(start_polynomial))
    coefficients = start_polynomial * factor**powers
    change = start_polynomial * powers * factor ** np.maximum(powers - 1, 0) * unc_factor / math.sqrt(weight.sum())
    return fit_of(points, np.ones(len(points.x), bool), coefficients, np.outer(change, change), (chi2, ndf, 0.0))


def _inverse(coefficients: Floats, energy: float, near: float) -> float:
    """Where a polynomial has an energy, by Newton's steps from a place nearby."""
    x = near
    for _ in range(50):
        slope = float(slope_of(coefficients, np.array(x)))
        if not slope > 0:
            break
        step = (float(np.polynomial.polynomial.polyval(x, coefficients)) - energy) / slope
        x -= step
        if abs(step) < 1e-10 * max(1.0, abs(x)):
            return x
    raise CalibrationError(f"the calibration to start from has no place for {energy:.5g} keV near adc {near:.5g}")
