"""W(θ) from net counts of detector pairs, and the Legendre polynomials in it."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars.angular.directions import angle_deg
from gammapolars.detectors import Detectors
from gammapolars.errors import TableError, UsageError

Floats = npt.NDArray[np.float64]

TOLERANCE_DEG = 0.5
"""Angles that are closer are one."""

PAIR = ("board_1", "channel_1", "board_2", "channel_2")


@dataclass(frozen=True)
class AngularFit:
    """W(θ) = A0 [1 + a2 P2(cos θ) + a4 P4(cos θ)], fitted by least squares.

    Attributes:
        a2: as it is measured, and `a2_unc` its standard deviation; corrected for the size of detectors in `a2_point`.
        a4: the same; 0 without uncertainty where only P2 was fitted.
        covariance: of a2 and a4.
        chi2: of the angles.
        ndf: degrees of freedom.
        attenuation: Q22 and Q44, by which the size of both detectors weakens a2 and a4.
        table: `angle_deg`, `w` (W(θ)/A0), `w_unc`, `detector_pairs`, `fit`.
    """

    a2: float
    a2_unc: float
    a4: float
    a4_unc: float
    covariance: float
    chi2: float
    ndf: int
    attenuation: tuple[float, float]
    table: pl.DataFrame

    @property
    def a2_point(self) -> float:
        """a2 as detectors without size would see it."""
        return self.a2 / self.attenuation[0]

    @property
    def a2_point_unc(self) -> float:
        """Its standard deviation."""
        return self.a2_unc / self.attenuation[0]

    @property
    def a4_point(self) -> float:
        """a4 as detectors without size would see it."""
        return self.a4 / self.attenuation[1]

    @property
    def a4_point_unc(self) -> float:
        """Its standard deviation."""
        return self.a4_unc / self.attenuation[1]


def angular_correlation(
    counts: pl.DataFrame,
    expected: pl.DataFrame,
    detectors: Detectors,
    *,
    order: int = 4,
    attenuation: tuple[float, float] = (1.0, 1.0),
) -> AngularFit:
    """W(θ) of a cascade: net coincidences of detector pairs over what uncorrelated photons would give.

    Detector pairs at the same angle are summed: W = Σ N / Σ E, with the variance (Σ var N + W² Σ var E) / (Σ E)².

    Args:
        counts: `board_1`, `channel_1` (of the first photon), `board_2`, `channel_2`, `counts`, `variance`.
        expected: the same columns: by mixing events, the product of net singles of both lines; or uncorrelated pairs.
            A common factor does not matter.
        detectors: with their directions.
        order: 2 or 4: the highest Legendre polynomial.
        attenuation: Q22 and Q44 of two detectors: the products of what `attenuation` gives for each.

    Raises:
        DetectorsError: a detector has no direction.
        TableError: a table lacks a column.
        UsageError: fewer angles than parameters.
    """
    columns = [*PAIR, "counts", "variance"]
    for frame in (counts, expected):
        if missing := [name for name in columns if name not in frame.columns]:
            raise TableError(f"a table of counts of detector pairs needs the column '{missing[0]}'")
    both = expected.select(columns).join(counts.select(columns), on=PAIR, how="left", suffix="_n").fill_null(0.0)
    angles = [
        angle_deg(detectors.at(board_1, channel_1), detectors.at(board_2, channel_2))
        for board_1, channel_1, board_2, channel_2 in both.select(PAIR).iter_rows()
    ]
    grouped = (
        both.with_columns(angle=pl.Series(angles, dtype=pl.Float64))
        .sort("angle")
        .with_columns(group=(pl.col("angle").diff() > TOLERANCE_DEG).fill_null(value=False).cum_sum())
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("angle").mean(),
            pl.col("counts", "variance", "counts_n", "variance_n").sum(),
            detector_pairs=pl.len(),
        )
        .filter(pl.col("counts") > 0)
    )
    w = (grouped["counts_n"] / grouped["counts"]).to_numpy()
    variance = (grouped["variance_n"] + w**2 * grouped["variance"]).to_numpy() / grouped["counts"].to_numpy() ** 2
    fit = fit_legendre(grouped["angle"].to_numpy(), w, np.sqrt(variance), order=order, attenuation=attenuation)
    pairs = grouped["detector_pairs"]
    return AngularFit(**{**vars(fit), "table": fit.table.with_columns(detector_pairs=pairs)})


def fit_legendre(
    angles_deg: npt.ArrayLike,
    w: npt.ArrayLike,
    w_unc: npt.ArrayLike,
    *,
    order: int = 4,
    attenuation: tuple[float, float] = (1.0, 1.0),
) -> AngularFit:
    """Fit A0 [1 + a2 P2(cos θ) + a4 P4(cos θ)] by weighted least squares, with covariance.

    Args:
        angles_deg: θ, degrees.
        w: W(θ), in any scale.
        w_unc: standard deviations.
        order: 2 or 4.
        attenuation: Q22 and Q44.

    Raises:
        UsageError: an order that is none, or fewer angles (of which θ and 180° - θ are the same) than parameters.
    """
    if order not in (2, 4):
        raise UsageError(f"an angular correlation is fitted to order 2 or 4, not {order}")
    angle, value, unc = (np.asarray(one, np.float64) for one in (angles_deg, w, w_unc))
    cosine = np.cos(np.radians(angle))
    terms = np.stack(
        [np.ones_like(cosine), legendre(2, cosine), *([legendre(4, cosine)] if order == 4 else [])], axis=1
    )
    different = len(np.unique(np.round(cosine**2, 4)))
    if different < terms.shape[1]:
        given = ", ".join(f"{one:.0f}°" for one in sorted(angle))
        raise UsageError(
            f"{different} different angles ({given}; θ and 180° - θ are alike) do not tell {terms.shape[1]} terms: "
            "fit with --order 2, or use more detectors"
        )
    weighted = terms / unc[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    found = covariance @ weighted.T @ (value / unc)
    scale = found[0]
    # a_k = c_k / c_0
    jacobian = np.zeros((terms.shape[1] - 1, terms.shape[1]))
    jacobian[:, 0] = -found[1:] / scale**2
    jacobian[:, 1:] = np.eye(terms.shape[1] - 1) / scale
    of_ratios = jacobian @ covariance @ jacobian.T
    fitted = terms @ found
    chi2 = float((((value - fitted) / unc) ** 2).sum())
    ratios = found[1:] / scale
    table = pl.DataFrame({"angle_deg": angle, "w": value / scale, "w_unc": unc / abs(scale), "fit": fitted / scale})
    return AngularFit(
        a2=float(ratios[0]),
        a2_unc=math.sqrt(float(of_ratios[0, 0])),
        a4=float(ratios[1]) if order == 4 else 0.0,
        a4_unc=math.sqrt(float(of_ratios[1, 1])) if order == 4 else 0.0,
        covariance=float(of_ratios[0, 1]) if order == 4 else 0.0,
        chi2=chi2,
        ndf=len(angle) - terms.shape[1],
        attenuation=attenuation,
        table=table,
    )


def legendre(order: int, x: Floats) -> Floats:
    """The Legendre polynomial P2 or P4."""
    return np.asarray((3 * x**2 - 1) / 2 if order == 2 else (35 * x**4 - 30 * x**2 + 3) / 8, np.float64)
