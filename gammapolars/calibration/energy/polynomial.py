"""The energy polynomial: weighted fit of line energies against peak positions, of all its terms or of the gain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.core.types import Floats, Mask
from gammapolars.detectors import Covariance

WORSE = 0.05
"""A scatter beyond the uncertainties is assumed if chance alone would make χ² so large less often than this."""


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
        raise UsageError(f"{len(x)} positions and {len(e)} energies: give one of each a line")
    if not (np.isfinite(x).all() and np.isfinite(e).all() and (x_unc >= 0).all() and (e_unc >= 0).all()):
        raise UsageError("a position, an energy or an uncertainty of a line is no number, or is negative")
    if len(x) and not (np.hypot(x_unc, e_unc) > 0).all():
        raise UsageError("a line has no uncertainty, neither of its position nor of its energy: give one")
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


def extra_variance(points: Points, used: Mask, order: int) -> float:
    """The variance in keV² beyond the lines' own that makes χ² equal the degrees of freedom; 0 where chance will do."""
    ndf = int(used.sum()) - order - 1
    coefficients, _, chi2 = solve(points, used, order)
    if ndf < 1 or stats.chi2.sf(chi2, ndf) > WORSE:
        return 0.0
    u = (points.x[used] - points.middle) / points.half
    residual = points.e[used] - np.polynomial.polynomial.polyval(u, coefficients)
    high = math.log(float((residual**2).sum()) + 1e-12)
    low = high - 16.0
    for _ in range(18):
        middle = (low + high) / 2
        if solve(points, used, order, math.exp(middle))[2] > ndf:
            low = middle
        else:
            high = middle
    return math.exp(high)


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
    points: Points, used: Mask, coefficients: Floats, covariance: Floats, quality: tuple[float, int, float]
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


LEAST_LINES = {1: 2, 2: 4, 3: 7}
"""Different lines that a polynomial of each order needs, where nobody asks for the order."""

BETTER = 0.05
"""A higher order is taken if chance alone would improve χ² that much (F-test) less often than this."""

OUTLIER = 0.003
"""A line is left out if chance would put any of them so far from the others' fit less often than this."""


def fit_energy(
    adc: ArrayLike,
    adc_unc: ArrayLike,
    energy_kev: ArrayLike,
    energy_kev_unc: ArrayLike,
    *,
    order: int | None = None,
    shape_unc: ArrayLike = 0.0,
) -> EnergyFit:
    """Fit an energy polynomial by least squares with effective variances (Orear 1982, Am. J. Phys. 50, 912).

    Where χ² is larger than chance allows in one of 20 fits, the same variance is added to all lines so that χ² equals
    the degrees of freedom (Paule and Mandel 1982, J. Res. NBS 87, 377): else the strongest peaks, whose positions are
    known to thousandths of their width, would pull the curve to where line shapes and the digitizer's non-linearity
    put them. The order is 1, and is raised to 2 (from four different lines) and 3 (from seven) where an F-test finds
    the higher one better at the 5 % level. A line is an outlier, and left out, if its residual against the fit of all
    others, in units of their scatter (at least their uncertainties), would occur in fewer than 3 in 1000 such fits
    (externally studentised residual with Bonferroni's correction); at most one line in five is, and three more than
    coefficients stay.

    Args:
        adc: peak positions.
        adc_unc: one standard deviation of each.
        energy_kev: energy of each line.
        energy_kev_unc: one standard deviation of each.
        order: 1 to 3, if it should not be chosen.
        shape_unc: of line shapes, in adc, to be added to the position uncertainties in quadrature; none by itself.

    Raises:
        CalibrationError: there are too few lines, or the polynomial falls somewhere within their range.
        UsageError: the order is none of 1, 2 and 3, or a position or uncertainty is no number.
    """
    points = points_of(adc, adc_unc, energy_kev, energy_kev_unc, shape_unc)
    if order is not None and order not in LEAST_LINES:
        raise UsageError(f"the order of an energy polynomial is 1, 2 or 3, not {order}")
    used = np.ones(len(points.x), dtype=bool)
    _require(points, used, order or 1)
    for _ in range(1 + len(points.x) // 5):
        chosen = order or _order(points, used)
        worst = _outlier(points, used, chosen)
        if worst is None:
            break
        used[worst] = False
    best_order = order or _order(points, used)
    return _result(points, used, best_order)


def _require(points: Points, used: Mask, order: int) -> None:
    different = len(np.unique(points.e[used]))
    if different <= order or len(np.unique(points.x[used])) <= order:
        raise CalibrationError(
            f"{different} different lines are too few for a polynomial of order {order}: name another source, give "
            "more pairs, or start from a calibration"
        )


def _order(points: Points, used: Mask) -> int:
    """The lowest order that no higher one improves significantly."""
    order, different = 1, len(np.unique(points.e[used]))
    for higher in (2, 3):
        if different < LEAST_LINES[higher]:
            break
        extra = extra_variance(points, used, higher)
        chi2 = solve(points, used, order, extra)[2]
        coefficients, _, better = solve(points, used, higher, extra)
        ndf = int(used.sum()) - higher - 1
        gain = (chi2 - better) / (higher - order) / max(better / ndf, 1e-300)
        if (
            stats.f.sf(gain, higher - order, ndf) < BETTER
            and (slope_of(coefficients, np.linspace(-1, 1, 201)) > 0).all()
        ):
            order = higher
    return order


def _outlier(points: Points, used: Mask, order: int) -> int | None:
    """The line furthest from the fit of all others, if it is further than chance allows."""
    order = min(order, 2)  # a cubic would follow a bad line at an end
    count = int(used.sum())
    if count < order + 4:
        return None
    worst, least = None, OUTLIER / count
    for line in np.flatnonzero(used):
        others = used.copy()
        others[line] = False
        if len(np.unique(points.e[others])) <= order:
            continue
        # What the others scatter may be line shapes or a scintillator's non-proportionality: it is no line's fault.
        extra = extra_variance(points, others, order)
        coefficients, covariance, chi2 = solve(points, others, order, extra)
        u = (points.x[line] - points.middle) / points.half
        powers = u ** np.arange(order + 1)
        slope = float(slope_of(coefficients, np.array(u))) / points.half
        own = points.e_unc[line] ** 2 + (slope * points.x_unc[line]) ** 2 + extra
        ndf = count - 1 - order - 1
        sigma = math.sqrt((own + float(powers @ covariance @ powers)) * max(1.0, chi2 / ndf))
        probability = 2 * float(stats.t.sf(abs(points.e[line] - float(powers @ coefficients)) / sigma, ndf))
        if probability < least:
            worst, least = int(line), probability
    return worst


def _result(points: Points, used: Mask, order: int) -> EnergyFit:
    """The final fit, in powers of adc."""
    chi2, extra = solve(points, used, order)[2], extra_variance(points, used, order)
    coefficients, covariance, _ = solve(points, used, order, extra)
    if not (slope_of(coefficients, np.linspace(-1, 1, 201)) > 0).all():
        raise CalibrationError(
            f"the energy polynomial of order {order} falls within its lines' range: ask for a lower order"
        )
    ndf = int(used.sum()) - order - 1
    # ((x - m) / h)^k in powers of x, row by row.
    scaled = [-points.middle / points.half, 1 / points.half]
    rows = [np.polynomial.polynomial.polypow(scaled, power) for power in range(order + 1)]
    change = np.array([np.pad(row, (0, order + 1 - len(row))) for row in rows])
    return fit_of(points, used, change.T @ coefficients, change.T @ covariance @ change, (chi2, ndf, extra))


def fit_gain(
    start: Sequence[float], adc: ArrayLike, adc_unc: ArrayLike, energy_kev: ArrayLike, energy_kev_unc: ArrayLike
) -> EnergyFit:
    """Adjust only the gain of a known calibration: E = E_start(f adc), from one line or more.

    `start` has the coefficients of the known calibration, keV, lowest order first; all else is as for `fit_energy`.
    Where χ² is larger than chance allows, the factor's uncertainty is scaled by √(χ²/ndf).

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
