"""A detector's full-energy-peak efficiency as a function of energy."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gammapolars.activities.decay import Measurement
from gammapolars.core.errors import UsageError
from gammapolars.core.overview import Overview
from gammapolars.core.types import Floats
from gammapolars.detectors import Covariance, Detector


@dataclass(frozen=True, repr=False)
class EfficiencyCurve(Overview):
    """ln ε = Σ p_i (ln E/MeV)^i, with its uncertainty.

    Attributes:
        coefficients: p_i, lowest order first.
        covariance: of the coefficients, a square table; None: not known, and uncertainties are then 0.
        energy_range_kev: range of the fit: outside it the curve is extrapolated. None:
            not known.
    """

    coefficients: tuple[float, ...]
    covariance: Covariance | None = None
    energy_range_kev: tuple[float, float] | None = None

    @classmethod
    def of(cls, detector: Detector) -> "EfficiencyCurve":
        """The curve of a detector in detectors.toml.

        Raises:
            UsageError: there is none.
        """
        if detector.efficiency is None:
            raise UsageError(
                f"the efficiency of detector '{detector.name}' is not known: fit it to the peaks of a source"
            )
        return EfficiencyCurve(detector.efficiency, detector.efficiency_covariance, detector.efficiency_range)

    def into(self, detector: Detector) -> Detector:
        """A detector with this curve as its efficiency."""
        return replace(
            detector,
            efficiency=self.coefficients,
            efficiency_covariance=self.covariance,
            efficiency_range=self.energy_range_kev,
        )

    def at(self, energy_kev: float) -> Measurement:
        """The efficiency at an energy, and its uncertainty."""
        values = self.values([energy_kev])
        return Measurement(float(values[0]), float(values[0] * math.sqrt(self.relative_covariance([energy_kev])[0, 0])))

    def band(self, energies_kev: Iterable[float]) -> pl.DataFrame:
        """The curve at many energies.

        Returns:
            `energy_kev`, `efficiency`, `efficiency_unc` (one standard deviation), `extrapolated`.
        """
        energies = [float(energy) for energy in energies_kev]
        values = self.values(energies)
        relative = np.sqrt(np.diag(self.relative_covariance(energies)))
        return pl.DataFrame(
            {
                "energy_kev": energies,
                "efficiency": values,
                "efficiency_unc": values * relative,
                "extrapolated": [self.extrapolates(energy) for energy in energies],
            },
            schema_overrides={"energy_kev": pl.Float64, "extrapolated": pl.Boolean},
        )

    def extrapolates(self, energy_kev: float) -> bool:
        """Whether an energy is outside the range of the fit."""
        if self.energy_range_kev is None:
            return False
        low, high = self.energy_range_kev
        return not low * (1 - 1e-9) <= energy_kev <= high * (1 + 1e-9)

    def values(self, energies_kev: Iterable[float]) -> Floats:
        """ε at each energy."""
        return np.asarray(np.exp(powers(energies_kev, len(self.coefficients)) @ np.array(self.coefficients)))

    def relative_covariance(self, energies_kev: Iterable[float]) -> Floats:
        """The covariance of ln ε, which is that of the relative errors of ε, between energies."""
        design = powers(energies_kev, len(self.coefficients))
        if self.covariance is None:
            return np.zeros((len(design), len(design)))
        covariance: Floats = design @ np.array(self.covariance) @ design.T
        # Rounding of the covariance by hand may leave a variance a little below 0.
        np.fill_diagonal(covariance, np.maximum(np.diag(covariance), 0.0))
        return covariance


def powers(energies_kev: Iterable[float], terms: int) -> Floats:
    """(ln E/MeV)^i, a row per energy.

    Raises:
        UsageError: an energy is not above 0.
    """
    energies = np.asarray(list(energies_kev), np.float64)
    if not (np.isfinite(energies) & (energies > 0)).all():
        raise UsageError("efficiencies are defined at energies above 0 keV")
    return np.vander(np.log(energies / 1000), terms, increasing=True)
