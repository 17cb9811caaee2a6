"""Weighted least squares of line energies against peak positions, and the data of an energy polynomial's fit."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import minimize_scalar

from gammapolars.core.errors import UsageError
from gammapolars.core.overview import Overview
from gammapolars.core.types import Floats, Mask
from gammapolars.detectors import Covariance

WORSE = 0.05
"""A scatter beyond the uncertainties is assumed if χ² would be that large at random less often than this."""


@dataclass(frozen=True)
class Points:
    """Lines to fit: positions and energies with uncertainties, and positions scaled to [-1, 1]."""

    x: Floats
    x_unc: Floats
    e: Floats
    e_unc: Floats
    middle: float
    half: float

    def variance(self, slope: Floats) -> Floats:
        """Effective variance of each line: that of its energy, and that of its position times the slope squared."""
        return self.e_unc**2 + (slope * self.x_unc) ** 2


def points_of(adc: ArrayLike, adc_unc: ArrayLike, energy: ArrayLike, energy_unc: ArrayLike, shape: ArrayLike) -> Points:
    """Lines to fit; `shape` is added to the uncertainties of positions in quadrature.

    Raises:
        UsageError: positions and energies do not belong together, or are no numbers, or have no uncertainty.
    """
    x, e = np.atleast_1d(np.asarray(adc, np.float64)), np.atleast_1d(np.asarray(energy, np.float64))
    own_unc = np.asarray(adc_unc, np.float64)
    x_unc = np.hypot(np.where(own_unc < 0, np.nan, own_unc), np.asarray(shape, np.float64))
    x_unc = np.asarray(np.broadcast_to(x_unc, x.shape), np.float64)
    e_unc = np.broadcast_to(np.asarray(energy_unc, np.float64), x.shape)
    if x.shape != e.shape:
        raise UsageError(f"{len(x)} positions and {len(e)} energies: give one of each per line")
    if not (np.isfinite(x).all() and np.isfinite(e).all() and (x_unc >= 0).all() and (e_unc >= 0).all()):
        raise UsageError("a position, energy or uncertainty of a line is negative or not a number")
    if len(x) and not (np.hypot(x_unc, e_unc) > 0).all():
        raise UsageError("a line has no uncertainty in either its position or its energy: give one")
    low, high = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
    return Points(x, x_unc, e, e_unc, (low + high) / 2, max((high - low) / 2, 1e-12))


def solve(points: Points, used: Mask, order: int, extra: float = 0.0) -> tuple[Floats, Floats, float]:
    """Coefficients over scaled positions, their covariance and χ²; `extra` keV² are added to each line's variance."""
    u = (points.x[used] - points.middle) / points.half
    design = np.stack([u**power for power in range(order + 1)], 1)
    slope = np.full(len(u), np.ptp(points.e[used]) / max(np.ptp(points.x[used]), 1e-12))
    for _ in range(2):
        root = 1 / np.sqrt(points.e_unc[used] ** 2 + (slope * points.x_unc[used]) ** 2 + extra)
        q, r = np.linalg.qr(design * root[:, None])
        solution = np.linalg.solve(r, q.T @ (points.e[used] * root))
        slope = slope_of(solution, u) / points.half
    inverse = np.linalg.inv(r)
    chi2 = float((((points.e[used] - design @ solution) * root) ** 2).sum())
    return solution, inverse @ inverse.T, chi2


def slope_of(coefficients: Floats, x: Floats) -> Floats:
    """The derivative of a polynomial at some places."""
    return np.asarray(np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyder(coefficients)))


def is_likely(chi2: float, ndf: int) -> bool:
    """Whether so large a χ² is frequent enough by chance; with nothing to test, it is."""
    return ndf < 1 or float(stats.chi2.sf(chi2, ndf)) > WORSE


def extra_variance(points: Points, used: Mask, order: int) -> float:
    """The variance in keV² beyond the lines' own that makes their scatter most likely; 0 where none is needed.

    It is that of the largest restricted likelihood (Patterson and Thompson 1971, Biometrika 58, 545). One weak line
    that is off makes χ² large, but takes no weight from strong ones that lie on the curve.
    """
    coefficients, _, chi2 = solve(points, used, order)
    if is_likely(chi2, int(used.sum()) - order - 1):
        return 0.0
    u = (points.x[used] - points.middle) / points.half
    slope = slope_of(coefficients, u) / points.half
    own = points.e_unc[used] ** 2 + (slope * points.x_unc[used]) ** 2
    residual = points.e[used] - np.polynomial.polynomial.polyval(u, coefficients)

    def cost(log_extra: float) -> float:
        _, covariance, misfit = solve(points, used, order, math.exp(log_extra))
        return misfit + float(np.log(own + math.exp(log_extra)).sum()) - float(np.linalg.slogdet(covariance)[1])

    high = math.log(float((residual**2).sum()) + 1e-12)
    start = min(np.linspace(high - 16.0, high, 9).tolist(), key=cost)
    best = minimize_scalar(cost, bounds=(start - 2.0, start + 2.0), method="bounded", options={"xatol": 0.02})
    return math.exp(float(best.x))


@dataclass(frozen=True, repr=False)
class EnergyFit(Overview):
    """An energy polynomial and the data of its fit.

    Attributes:
        coefficients: keV, lowest order first: E = Σ c_i adc^i.
        covariance: of the coefficients, with `extra_kev` among the lines' uncertainties; times χ²/ndf where that is
            larger than chance allows even so. Where a straight line was chosen and a parabola was possible, that
            of the straight line against the parabola.
        chi2: of the lines used, with only their own uncertainties.
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
        """Energies at some adc and their uncertainties (of the polynomial only), keV."""
        x = np.asarray(adc, np.float64)
        powers = np.stack([x**order for order in range(len(self.coefficients))], -1)
        variance = np.einsum("...i,ij,...j->...", powers, np.array(self.covariance), powers)
        return powers @ np.array(self.coefficients), np.sqrt(np.maximum(variance, 0.0))

    def slope_at(self, adc: ArrayLike) -> Floats:
        """dE/dadc, keV."""
        return slope_of(np.array(self.coefficients), np.asarray(adc, np.float64))


def fit_of(
    points: Points, used: Mask, coefficients: Floats, covariance: Floats, quality: tuple[float, int, float]
) -> EnergyFit:
    """A fit, with the residual of each line; `quality` is χ², degrees of freedom and the variance that was added."""
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
