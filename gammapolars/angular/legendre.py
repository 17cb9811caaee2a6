"""W(θ) as a sum of Legendre polynomials, fitted by least squares with the covariance of the points."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.angular.directions import legendre
from gammapolars.core.errors import CalibrationError, UsageError
from gammapolars.core.overview import Overview
from gammapolars.core.records import Part
from gammapolars.core.types import Floats
from gammapolars.core.wording import setting

ORDERS = (2, 4)

ITERATIONS = 50
CONVERGED = 1e-10


@dataclass(frozen=True, repr=False)
class AngularFit(Part, Overview):
    """W(θ) = A0 [1 + a2 P2(cos θ) + a4 P4(cos θ)], fitted by least squares.

    Attributes:
        a2: as measured, with the standard deviation `a2_unc`; corrected for the size of the detectors: `a2_point`.
        a4: as measured; 0 without uncertainty where only P2 was fitted.
        covariance: of a2 and a4.
        chi2: of the angles.
        ndf: degrees of freedom.
        a0: A0, in the scale of the input W.
        attenuation: Q22 and Q44, the factors by which the finite size of both detectors reduces a2 and a4.
        table: `angle_deg`, `w` (W(θ)/A0), `w_unc`, `fit`; of `angular_correlation` also `detector_pairs` (each order of
            two detectors is one), `counts` (net coincidences), `counts_unc`, `expected` (without correlation, at A0).
        w_covariance: of `w` in the table, (angles, angles): angles share detectors.
    """

    TABLES: ClassVar = ("table",)

    HIDDEN: ClassVar = ("a0", "table")
    DERIVED: ClassVar = ("a2_point", "a2_point_unc", "a4_point", "a4_point_unc")

    a2: float
    a2_unc: float
    a4: float
    a4_unc: float
    covariance: float
    chi2: float
    ndf: int
    a0: float
    attenuation: tuple[float, float]
    table: pl.DataFrame
    w_covariance: Floats = field(compare=False, repr=False)

    @property
    def a2_point(self) -> float:
        """a2 corrected to point detectors."""
        return self.a2 / self.attenuation[0]

    @property
    def a2_point_unc(self) -> float:
        """Its standard deviation."""
        return self.a2_unc / self.attenuation[0]

    @property
    def a4_point(self) -> float:
        """a4 corrected to point detectors."""
        return self.a4 / self.attenuation[1]

    @property
    def a4_point_unc(self) -> float:
        """Its standard deviation."""
        return self.a4_unc / self.attenuation[1]

    def curve(self, angles_deg: npt.ArrayLike) -> pl.DataFrame:
        """The fit between the points: `angle_deg`, `w` (W(θ)/A0) and its standard deviation `w_unc`."""
        angles = np.asarray(angles_deg, np.float64)
        terms = polynomials((2, 4), angles)
        spread = np.array([[self.a2_unc**2, self.covariance], [self.covariance, self.a4_unc**2]])
        w = 1 + terms @ np.array([self.a2, self.a4])
        return pl.DataFrame({"angle_deg": angles, "w": w, "w_unc": np.sqrt(((terms @ spread) * terms).sum(axis=1))})

    def apart(self, a2: float, a4: float) -> tuple[float, int]:
        """χ² of the corrected coefficients and others, such as those of a cascade, and its degrees of freedom."""
        off = np.array([self.a2 - a2 * self.attenuation[0], self.a4 - a4 * self.attenuation[1]])
        if not self.a4_unc:
            return float(off[0] ** 2 / self.a2_unc**2), 1
        spread = np.array([[self.a2_unc**2, self.covariance], [self.covariance, self.a4_unc**2]])
        return float(off @ np.linalg.solve(spread, off)), 2


def fit_legendre(
    angles_deg: npt.ArrayLike,
    w: npt.ArrayLike,
    w_unc: npt.ArrayLike,
    *,
    order: int = 4,
    attenuation: tuple[float, float] = (1.0, 1.0),
) -> AngularFit:
    """Fit A0 [1 + a2 P2(cos θ) + a4 P4(cos θ)] to points by weighted least squares, with covariance.

    Args:
        angles_deg: θ, degrees.
        w: W(θ), in any scale.
        w_unc: standard deviations, one per point; or the covariance of the points, (points, points). Those that are
            expected for the counts are better than the observed ones, of which low ones weigh too much.
        order: 2 or 4.
        attenuation: Q22 and Q44.

    Raises:
        UsageError: an impossible order or uncertainties, or fewer angles (of which θ and 180° - θ are
            the same) than parameters.
        CalibrationError: the mean of W(θ) is not positive.
    """
    angles, values, unc = (np.asarray(one, np.float64) for one in (angles_deg, w, w_unc))
    if unc.shape not in ((len(values),), (len(values), len(values))) or angles.shape != values.shape:
        raise UsageError("a fit needs one value and one standard deviation per angle, or their covariance")
    spread = np.diag(unc**2) if unc.ndim == 1 else unc
    if not (np.isfinite(spread).all() and (np.diag(spread) > 0).all()):
        raise UsageError("the standard deviations of W(θ) must be above 0")
    check_order(order, angles)
    return fit_terms(
        angles, polynomials(range(2, order + 1, 2), angles), values, lambda _: spread, attenuation=attenuation
    )


def check_order(order: int, angles_deg: Floats, tolerance_deg: float = 0.01) -> None:
    """Raise where a fit of an order is not possible at these angles: θ and 180° - θ are equivalent."""
    if order not in ORDERS:
        raise UsageError(f"an angular correlation is fitted to order 2 or 4, not {order}")
    acute = np.sort(np.minimum(angles_deg, 180 - angles_deg))
    different = int((np.diff(acute) > tolerance_deg).sum()) + 1 if len(acute) else 0
    if different < 1 + order // 2:
        listing = f" ({', '.join(f'{one:.0f}°' for one in np.sort(angles_deg))}; θ and 180° - θ are alike)"
        fewer = setting("--order 2", "order=2")
        hint = f"fit with {fewer}, or use more detectors" if different == 2 else "use more detectors"
        raise UsageError(
            f"{different} different angles{listing if len(acute) else ''} do not determine {1 + order // 2} "
            f"terms: {hint}"
        )


def polynomials(orders: Sequence[int], angles_deg: npt.ArrayLike) -> Floats:
    """(angles, orders)."""
    cosine = np.cos(np.radians(np.asarray(angles_deg, np.float64)))
    return np.stack([legendre(order, cosine) for order in orders], axis=-1)


def fit_terms(
    angles_deg: Floats,
    terms: Floats,
    values: Floats,
    covariance: Callable[[Floats], Floats],
    *,
    attenuation: tuple[float, float],
) -> AngularFit:
    """The fit, from the values of the polynomials at each point (points, orders), means over its angles if it has
    several.

    The covariance of the points follows from the fitted values. Counts are weighted by their expectation: a
    downward fluctuation would otherwise weigh more than an upward one, and no counts at all could not be weighted. The
    fit is repeated until it agrees with its weights; for counts without background this is the maximum of the Poisson
    likelihood.

    Raises:
        CalibrationError: too few counts: the mean of W(θ) is not above 0, or the covariance not positive.
    """
    design = np.column_stack([np.ones(len(values)), terms])
    solution, inverse, chi2 = _least_squares(design, values, covariance)
    expected = design @ solution
    scale = float(solution[0])
    if not scale > 0:
        raise CalibrationError(f"the mean of W(θ) is not positive (A0 = {scale:.3g}): are there any net coincidences?")
    ratios = solution[1:] / scale
    # a_k = c_k / c_0
    jacobian = np.column_stack([-ratios / scale, np.eye(len(ratios)) / scale])
    of_ratios = jacobian @ inverse @ jacobian.T
    spread = covariance(expected) / scale**2
    both = len(ratios) == 2
    return AngularFit(
        a2=float(ratios[0]),
        a2_unc=math.sqrt(float(of_ratios[0, 0])),
        a4=float(ratios[1]) if both else 0.0,
        a4_unc=math.sqrt(float(of_ratios[1, 1])) if both else 0.0,
        covariance=float(of_ratios[0, 1]) if both else 0.0,
        chi2=chi2,
        ndf=len(values) - len(solution),
        a0=scale,
        attenuation=attenuation,
        table=pl.DataFrame(
            {"angle_deg": angles_deg, "w": values / scale, "w_unc": np.sqrt(np.diag(spread)), "fit": expected / scale}
        ),
        w_covariance=spread,
    )


def _least_squares(
    design: Floats, values: Floats, covariance: Callable[[Floats], Floats]
) -> tuple[Floats, Floats, float]:
    """Coefficients, their covariance and χ², with weights that follow from the fit itself."""
    # The first weights are those of no correlation at all.
    expected = np.full(len(values), values.mean())
    for _ in range(ITERATIONS):
        try:
            root = np.linalg.cholesky(covariance(expected))
        except np.linalg.LinAlgError:
            raise CalibrationError("too few counts for a fit: their covariance is not positive") from None
        matrix, target = np.linalg.solve(root, design), np.linalg.solve(root, values)
        solution, *_ = np.linalg.lstsq(matrix, target, rcond=None)
        before, expected = expected, design @ solution
        if np.allclose(before, expected, rtol=CONVERGED, atol=0):
            break
    return solution, np.linalg.inv(matrix.T @ matrix), float(((target - matrix @ solution) ** 2).sum())
