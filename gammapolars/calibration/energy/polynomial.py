"""The energy polynomial: weighted fit of line energies against peak positions, of all its terms or of the gain."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from gammapolars.calibration.energy.least_squares import (
    EnergyFit,
    Points,
    extra_variance,
    fit_of,
    is_likely,
    points_of,
    slope_of,
    solve,
)
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.core.types import Floats, Mask

__all__ = ["EnergyFit", "fit_energy", "fit_gain"]

LEAST_LINES = {1: 2, 2: 4, 3: 7}
"""Different lines that a polynomial of each order needs, where nobody asks for the order."""

BETTER = {2: 0.19, 3: 0.05}
"""A higher order is taken if random fluctuations would improve χ² that much (F-test) less often than this. Detectors
bend a little as a rule: a parabola is taken for little more than it costs to estimate (Akaike's criterion has 0.16).
Few need a cubic."""

USUAL_BEND = 3e-4
"""How far the curves of detectors and digitizers depart from a straight line as a rule, as a part of the energy range
of the lines. A bend that the lines measure better than this is taken as measured, significant or not: leaving it out
would save nothing and shift the lines in the middle."""

OUTLIER = 0.003
"""A line is left out if any of them would be that far from the others' fit at random less often than this."""


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

    A line is an outlier, and left out, if any line would be that far from the fit of all others at random in fewer than
    3 in 1000 fits (Bonferroni's correction); at most one line, and one more for each five, is.
    Where χ² is then still larger than expected in one of 20 fits, the same variance is added to all lines (see
    `extra_variance`): else the strongest peaks, whose positions are known to thousandths of their width, would pull the
    curve to where line shapes and the digitizer's non-linearity put them. The remaining excess of χ² is a factor on
    the covariance.

    The order is 2 where four different lines or more measure the bend better than detectors usually bend
    (`USUAL_BEND`). Otherwise it is 1, and is raised to 2 where an F-test finds that better (`BETTER`); to 3, from seven
    lines, by the same test. No detector is exactly linear: where a straight line is chosen and a parabola could have
    been, the uncertainty of the straight line is that against the parabola.

    Args:
        adc: peak positions.
        adc_unc: one standard deviation of each.
        energy_kev: energy of each line.
        energy_kev_unc: one standard deviation of each.
        order: 1 to 3, instead of an automatic choice.
        shape_unc: of line shapes, in adc, to be added to the position uncertainties in quadrature; none by itself.

    Raises:
        CalibrationError: there are too few lines, or the polynomial decreases somewhere within their range.
        UsageError: the order is none of 1, 2 and 3, or a position or uncertainty is not a number.
    """
    points = points_of(adc, adc_unc, energy_kev, energy_kev_unc, shape_unc)
    if order is not None and order not in LEAST_LINES:
        raise UsageError(f"the order of an energy polynomial is 1, 2 or 3, not {order}")
    used = np.ones(len(points.x), dtype=bool)
    _require(points, used, order or 1)
    used = _without_outliers(points, used, order)
    return _result(points, used, order)


def _require(points: Points, used: Mask, order: int) -> None:
    different = len(np.unique(points.e[used]))
    if different <= order or len(np.unique(points.x[used])) <= order:
        raise CalibrationError(
            f"{different} different lines are too few for a polynomial of order {order}: add another "
            "source, give more pairs, or start from a calibration"
        )


def _improvement(points: Points, used: Mask, order: int, higher: int) -> float:
    """By how much a higher order reduces χ² for each of its terms, in units of its own χ²/ndf; 0: it cannot be had."""
    if len(np.unique(points.e[used])) < LEAST_LINES.get(higher, len(points.e) + 1):
        return 0.0
    extra = extra_variance(points, used, higher)
    chi2 = solve(points, used, order, extra)[2]
    coefficients, _, better = solve(points, used, higher, extra)
    if not _rises(coefficients):
        return 0.0
    ndf = int(used.sum()) - higher - 1
    return (chi2 - better) / (higher - order) / max(better / ndf, 1e-300)


def _rises(coefficients: Floats) -> bool:
    """Whether a polynomial over scaled positions rises everywhere within its lines."""
    return bool((slope_of(coefficients, np.linspace(-1, 1, 201)) > 0).all())


def _measures_the_bend(points: Points, used: Mask) -> bool:
    """Whether the lines measure the departure from a straight line better than it usually is."""
    if len(np.unique(points.e[used])) < LEAST_LINES[2]:
        return False
    coefficients, covariance, chi2 = solve(points, used, 2, extra_variance(points, used, 2))
    ndf = int(used.sum()) - 3
    unc = math.sqrt(covariance[2, 2] * (1.0 if is_likely(chi2, ndf) else chi2 / ndf))
    return _rises(coefficients) and unc < USUAL_BEND * float(np.ptp(points.e[used]))


def _order(points: Points, used: Mask) -> int:
    """The lowest order that no higher one improves significantly; 2 at least where the lines measure the bend."""
    order = 2 if _measures_the_bend(points, used) else 1
    for higher in range(order + 1, 4):
        ndf = int(used.sum()) - higher - 1
        gain = _improvement(points, used, order, higher)
        if gain > 0 and stats.f.sf(gain, higher - order, ndf) < BETTER[higher]:
            order = higher
    return order


def _widened(points: Points, used: Mask, coefficients: Floats, covariance: Floats) -> Floats:
    """The covariance of a straight line for which a parabola could be true.

    Against the parabola the line errs at each line by the parabola's own variance and the square of their distance. The
    covariance of the straight line's two coefficients that comes nearest to that is taken.
    """
    if len(np.unique(points.e[used])) < LEAST_LINES[2]:
        return covariance
    u = (points.x[used] - points.middle) / points.half
    bent, bent_covariance, _ = solve(points, used, 2, extra_variance(points, used, 2))
    powers = u[:, None] ** np.arange(3)
    wanted = np.einsum("ij,jk,ik->i", powers, bent_covariance, powers)
    wanted += (powers @ bent - powers[:, :2] @ coefficients) ** 2
    design = np.stack([np.ones_like(u), 2 * u, u**2], 1) / wanted[:, None]
    (constant, mixed, square), *_ = np.linalg.lstsq(design, np.ones_like(u))
    nearest = np.array([[constant, mixed], [mixed, square]])
    if (np.linalg.eigvalsh(nearest) > 0).all():
        return nearest
    own = np.einsum("ij,jk,ik->i", powers[:, :2], covariance, powers[:, :2])
    return covariance * max(1.0, float(np.mean(wanted / own)))


def _without_outliers(points: Points, used: Mask, order: int | None) -> Mask:
    """The lines without those that lie off, the worst first.

    Where the others scatter by no more than their uncertainties once a few lines are left out, these few are judged
    together against the others: one of them does not hide the next. Else all scatter, and each is judged by that.
    """
    most = 1 + len(points.x) // 5
    few = _few_that_lie_off(points, used, order, most)
    if few is not None:
        return few
    used = used.copy()
    for _ in range(most):
        worst = _outlier(points, used, order or _order(points, used))
        if worst is None:
            break
        used[worst] = False
    return used


def _few_that_lie_off(points: Points, used: Mask, order: int | None, most: int) -> Mask | None:
    """The lines without a few outliers, if the others then agree within their uncertainties; None where they do not.

    No more than `most` are: a line that is left out to make the others agree may come back in the end, none is added.
    """
    others = used.copy()
    for _ in range(most + 1):
        degree = min(order or _order(points, others), 2)  # a cubic would follow a bad line at an end
        coefficients, covariance, chi2 = solve(points, others, degree)
        u = (points.x - points.middle) / points.half
        powers = u[:, None] ** np.arange(degree + 1)
        own = points.variance(slope_of(coefficients, u) / points.half)
        curve = np.einsum("ij,jk,ik->i", powers, covariance, powers)
        deviation = np.abs(points.e - powers @ coefficients)
        if is_likely(chi2, int(others.sum()) - degree - 1):
            chance = 2 * stats.norm.sf(deviation / np.sqrt(own + curve))
            return np.asarray(others | (used & (chance > OUTLIER / used.sum())), np.bool_)
        if others.sum() < degree + 5:
            return None
        # Without a line χ² falls by the square of its residual over the variance of that.
        fall = np.where(others, deviation**2 / np.maximum(own - curve, 1e-12 * own), -1.0)
        others[int(np.argmax(fall))] = False
    return None


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
        # The scatter of the others may be line shapes or a scintillator's non-proportionality: it is no line's fault.
        extra = extra_variance(points, others, order)
        coefficients, covariance, chi2 = solve(points, others, order, extra)
        u = (points.x[line] - points.middle) / points.half
        powers = u ** np.arange(order + 1)
        slope = float(slope_of(coefficients, np.array(u))) / points.half
        own = points.e_unc[line] ** 2 + (slope * points.x_unc[line]) ** 2 + extra
        sigmas = abs(points.e[line] - float(powers @ coefficients)) / math.sqrt(
            own + float(powers @ covariance @ powers)
        )
        ndf = count - 1 - order - 1
        if extra == 0:  # the others agree within their uncertainties, which are known
            probability = 2 * float(stats.norm.sf(sigmas))
        else:
            probability = 2 * float(stats.t.sf(sigmas / math.sqrt(max(1.0, chi2 / ndf)), ndf))
        if probability < least:
            worst, least = int(line), probability
    return worst


def _result(points: Points, used: Mask, asked: int | None) -> EnergyFit:
    """The final fit, in powers of adc."""
    order = asked or _order(points, used)
    chi2, extra = solve(points, used, order)[2], extra_variance(points, used, order)
    coefficients, covariance, misfit = solve(points, used, order, extra)
    if not _rises(coefficients):
        raise CalibrationError(
            f"the energy polynomial of order {order} decreases within the range of its lines: use a lower order"
        )
    ndf = int(used.sum()) - order - 1
    if not is_likely(misfit, ndf):
        covariance = covariance * (misfit / ndf)
    if asked is None and order == 1:
        covariance = _widened(points, used, coefficients, covariance)
    change = _in_adc(points, order)
    return fit_of(points, used, change.T @ coefficients, change.T @ covariance @ change, (chi2, ndf, extra))


def _in_adc(points: Points, order: int) -> Floats:
    """((x - m) / h)^k in powers of x, row by row."""
    scaled = [-points.middle / points.half, 1 / points.half]
    rows = [np.polynomial.polynomial.polypow(scaled, power) for power in range(order + 1)]
    return np.array([np.pad(row, (0, order + 1 - len(row))) for row in rows])


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
        raise CalibrationError("there is no line for adjusting the gain: add another source")
    start_polynomial = np.asarray(start, np.float64)
    at = np.array([_inverse(start_polynomial, energy, near) for energy, near in zip(points.e, points.x, strict=True)])
    sigma = np.hypot(points.x_unc * at / points.x**2, points.e_unc / (slope_of(start_polynomial, at) * points.x))
    weight = 1 / np.maximum(sigma, 1e-9) ** 2
    factor = float((weight * at / points.x).sum() / weight.sum())
    chi2, ndf = float((weight * (at / points.x - factor) ** 2).sum()), len(points.x) - 1
    unc_factor = 1.0 if is_likely(chi2, ndf) else math.sqrt(chi2 / ndf)
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
    raise CalibrationError(f"the starting calibration has no position for {energy:.5g} keV near ADC channel {near:.5g}")
