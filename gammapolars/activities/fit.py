"""The fit of an efficiency curve to points that share the errors of their sources."""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import chi2 as chi2_distribution

from gammapolars.activities.curve import EfficiencyCurve, powers
from gammapolars.activities.points import PARTS, check_points
from gammapolars.core.digits import counted
from gammapolars.core.errors import UsageError
from gammapolars.core.frames import AnyFrame, eager
from gammapolars.core.types import Floats

MOST_TERMS = 7
"""No order above 6 is tried: such curves swing between points."""

ROUNDS = 20

WORST_POINT = 0.3
"""Points with a larger relative uncertainty of their area are left out: their logarithm is not normally distributed."""

UNLIKELY = 0.001
"""A χ² that is exceeded by chance less often than this gets a warning."""

SUMMING = 0.002
"""So likely full absorption of another photon of the same decay gets a warning."""


class Trial(NamedTuple):
    """An order that was tried: orders are compared by `bic`, χ² + k ln n for k coefficients and n points."""

    order: int
    chi2: float
    ndf: int
    bic: float


@dataclass(frozen=True, repr=False)
class EfficiencyFit(EfficiencyCurve):
    """An efficiency curve with the fitted points.

    Attributes:
        chi2: Σ r V⁻¹ r over the residuals r, with the points' full covariance V.
        ndf: number of points minus number of coefficients.
        points: the points that were used, with `fitted` (ε of the curve), `residual_percent` (of the curve) and
            `residual_sigma` (by the point's own uncertainty, without the shared part); both null where
            there are as many coefficients as points, and they would be 0 by construction.
        tried: the orders that were compared; one, if it was given.
        warnings: cautions for the use of the curve.
    """

    TABLES: ClassVar = ("points",)

    chi2: float = 0.0
    ndf: int = 0
    points: pl.DataFrame = field(default_factory=pl.DataFrame, compare=False)
    tried: tuple[Trial, ...] = ()
    warnings: tuple[str, ...] = ()


def fit_efficiency(points: AnyFrame, *, order: int | None = None) -> EfficiencyFit:
    """Fit ln ε = Σ p_i (ln E/MeV)^i to efficiency points of one or several sources.

    Generalised least squares. The points' relative covariance is that of their areas on the diagonal, of the intensity
    between points of the same line, and of the activity between all points of one source: an error of its certificate
    moves them together, and adds an uncertainty to the curve that no number of lines can reduce. Relative residuals are
    taken from the curve and the variances of areas are those that the curve expects, found by iteration, since weights
    from the counts themselves would favour areas that happened to be small or large.

    The order is the one of 0 to 6 that leaves a degree of freedom and has the least χ² + k ln n (BIC; G. Schwarz,
    Ann. Statist. 6 (1978) 461). The uncertainties are those of the points, not scaled by χ²/ndf, and do
    not include that another order might have been chosen.

    Args:
        points: from `efficiency_points`; tables of several sources, or of several runs, are concatenated. Points whose
            area is known to no better than 30 % are left out.
        order: of the polynomial, instead.

    Raises:
        TableError: no table of efficiency points.
        UsageError: an impossible order, or too few points.
    """
    points = eager(points, "table")
    check_points(points)
    own = pl.col(PARTS[0]) / pl.col("efficiency")
    usable = points.filter(pl.col("efficiency") > 0, own <= WORST_POINT, own > 0).sort("energy_kev")
    orders = _orders(usable, order)
    fits = [_fit_terms(usable, degree + 1) for degree in orders]
    trials = tuple(
        Trial(degree, fit.chi2, fit.ndf, fit.chi2 + (degree + 1) * math.log(usable.height))
        for degree, fit in zip(orders, fits, strict=True)
    )
    best = min(range(len(trials)), key=lambda place: trials[place].bic)
    curve = fits[best]
    return replace(
        curve,
        points=_with_residuals(usable, curve),
        tried=trials,
        warnings=_warnings(usable, curve, omissions=points.height - usable.height),
    )


def _orders(points: pl.DataFrame, order: int | None) -> list[int]:
    places = points["energy_kev"].n_unique()
    if order is None:
        if places < 3:
            raise UsageError(f"an efficiency needs lines at 3 or more energies, but only {places} have a usable peak")
        return list(range(min(MOST_TERMS, places - 1)))
    if not 0 <= order < MOST_TERMS:
        raise UsageError(f"the order of an efficiency is 0 to {MOST_TERMS - 1}, not {order}")
    if places <= order:
        raise UsageError(
            f"order {order} needs lines at {order + 1} or more energies, but only {places} have a usable peak"
        )
    return [order]


def _fit_terms(points: pl.DataFrame, terms: int) -> EfficiencyFit:
    """The polynomial with this many terms."""
    energies = points["energy_kev"].to_numpy()
    design = powers(energies, terms)
    observed = points["efficiency"].to_numpy()
    common = _common_covariance(points)
    coefficients = _start(design, np.log(observed), _own_variance(points, observed))
    for _ in range(ROUNDS):
        expected = np.exp(design @ coefficients)
        factor = cho_factor(common + np.diag(_own_variance(points, expected)))
        covariance = np.linalg.inv(design.T @ cho_solve(factor, design))
        step = covariance @ design.T @ cho_solve(factor, observed / expected - 1)
        coefficients = coefficients + step
        if abs(step).max() < 1e-10:
            break
    residuals = observed / expected - 1
    return EfficiencyFit(
        tuple(map(float, coefficients)),
        tuple(tuple(map(float, row)) for row in (covariance + covariance.T) / 2),
        (float(energies.min()), float(energies.max())),
        float(residuals @ cho_solve(factor, residuals)),
        points.height - terms,
    )


def _start(design: Floats, logarithms: Floats, variance: Floats) -> Floats:
    """Weighted least squares of the logarithms, each point for itself."""
    weight = 1 / np.sqrt(variance)
    return np.asarray(np.linalg.lstsq(design * weight[:, None], logarithms * weight)[0], np.float64)


def _own_variance(points: pl.DataFrame, expected: Floats) -> Floats:
    """The variance of each area, relative to the area that the curve expects.

    A peak's variance is its own counts and a part from its background: the counts are replaced by those expected. If
    the variance is less than the area, it is not that of counts, and stays as it is.
    """
    observed = points["efficiency"].to_numpy()
    relative = (points[PARTS[0]].to_numpy() / observed) ** 2
    if "area" not in points.columns:
        return np.asarray(relative * (observed / expected) ** 2, np.float64)
    area = points["area"].to_numpy()
    expected_area = area * expected / observed
    variance = relative * area**2
    return np.asarray(expected_variance(variance, area, expected_area) / expected_area**2, np.float64)


def expected_variance(variance: Floats, area: Floats, expected: Floats) -> Floats:
    """The variance that areas would have, had they the counts that are expected of them."""
    is_poisson = variance >= area * (1 - 1e-6)
    return np.where(is_poisson, variance + np.maximum(expected, 0) - area, variance)


def _common_covariance(points: pl.DataFrame) -> Floats:
    """The relative covariance that points share: of their line's intensity, their source's activity."""
    line, source = (
        points.select(pl.struct(keys).rank("dense")).to_series().to_numpy()
        for keys in (("nuclide", "energy_kev"), ("source",))
    )
    relative = points.select(pl.col(name) / pl.col("efficiency") for name in PARTS[1:]).to_numpy()
    parts = [np.outer(part, part) * (key[:, None] == key) for part, key in zip(relative.T, (line, source), strict=True)]
    return np.asarray(parts[0] + parts[1], np.float64)


def _with_residuals(points: pl.DataFrame, curve: EfficiencyFit) -> pl.DataFrame:
    own = pl.sum_horizontal(pl.col(name).pow(2) for name in PARTS[:2]).sqrt()
    difference = pl.col("efficiency") - pl.col("fitted")
    residuals = {"residual_percent": 100 * difference / pl.col("fitted"), "residual_sigma": difference / own}
    if curve.ndf < 1:
        residuals = dict.fromkeys(residuals, pl.lit(None, pl.Float64))
    return points.with_columns(fitted=curve.values(points["energy_kev"])).with_columns(**residuals)


def _warnings(points: pl.DataFrame, fit: EfficiencyFit, *, omissions: int) -> tuple[str, ...]:
    warnings = []
    if omissions:
        warnings.append(
            f"left out: {counted(omissions, 'point')} with an area uncertainty above {100 * WORST_POINT:.0f} %"
        )
    if fit.ndf > 0 and chi2_distribution.sf(fit.chi2, fit.ndf) < UNLIKELY:
        warnings.append(
            f"χ²/ndf is {fit.chi2 / fit.ndf:.2f}: check the residuals for wrong peaks, coincidence summing "
            "or too low an order; the uncertainties do not include this"
        )
    if "intensity" in points.columns:
        for (source,), rows in points.group_by("source", maintain_order=True):
            by_energy = rows.unique("energy_kev")
            warnings += summing_warning(
                str(source), by_energy["intensity"].to_numpy(), fit.values(by_energy["energy_kev"])
            )
    return tuple(warnings)


def summing_warning(name: str, intensities: Floats, efficiencies: Floats) -> list[str]:
    """A warning where true coincidence summing may matter; empty where it does not.

    The scale is how often a decay has another of these photons fully absorbed, at most over the lines: Σ I ε of the
    others. Not all of them are in coincidence, which makes it less; partial absorption sums as well, which makes it
    more, by the ratio of total to full-energy-peak efficiency, 2 to 10. So this says whether to look, and corrects
    nothing.
    """
    if len(intensities) < 2:
        return []
    probabilities = intensities / 100 * efficiencies
    scale = float(probabilities.sum() - probabilities.min())
    if scale < SUMMING:
        return []
    return [
        f"'{name}' emits several photons, and a second one is fully absorbed with a probability of up to "
        f"{100 * scale:.1f} % (partially absorbed more often): within a cascade, coincidence summing "
        "changes peak areas by this order of magnitude, which is not corrected for"
    ]
