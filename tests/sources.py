"""Peaks of sources with known truth, without a spectrum: areas with the scatter of counting."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gammapolars.detectors import CalibrationSource

HALF_LIFE_S = 4.27e8

EU_152 = [
    *[(121.7817, 28.41, 0.13), (244.6974, 7.55, 0.04), (344.2785, 26.58, 0.12), (411.1165, 2.237, 0.010)],
    *[(443.965, 3.125, 0.014), (778.9045, 12.96, 0.06), (867.380, 4.241, 0.023), (964.072, 14.62, 0.06)],
    *[(1085.837, 10.13, 0.06), (1112.076, 13.40, 0.06), (1212.948, 1.415, 0.009), (1299.142, 1.632, 0.009)],
    (1408.013, 20.85, 0.09),
]
BA_133 = [
    *[(80.9979, 32.9, 0.3), (276.3989, 7.16, 0.05), (302.8508, 18.34, 0.13), (356.0129, 62.05, 0.19)],
    (383.8485, 8.94, 0.06),
]
CS_137 = [(661.657, 84.99, 0.20)]

TRUE_CURVE = (-5.5, -0.8, -0.15, 0.05)


def line_table(nuclide: str, lines: list[tuple[float, float, float]]) -> pl.DataFrame:
    """The columns of a table of gamma lines that activities need."""
    energy, intensity, unc = zip(*lines, strict=True)
    return pl.DataFrame(
        {"nuclide": [nuclide] * len(lines), "energy_kev": energy, "intensity": intensity, "intensity_unc": unc}
    )


LINES = {name: line_table(name, rows) for name, rows in (("Eu-152", EU_152), ("Ba-133", BA_133), ("Cs-137", CS_137))}


def true_efficiency(energy_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """ε of the detector that is simulated."""
    return np.exp(np.polynomial.polynomial.polyval(np.log(energy_kev / 1000), TRUE_CURVE))


def a_source(nuclide: str = "Eu-152", activity_bq: float = 37_000.0, unc: float = 500.0) -> CalibrationSource:
    """A source with the half-life written down."""
    return CalibrationSource(nuclide, activity_bq, unc, date(2020, 1, 1), half_life_s=HALF_LIFE_S)


def expected_counts(lines: pl.DataFrame, decays: float) -> NDArray[np.float64]:
    """Net counts of each line."""
    counts: NDArray[np.float64] = (
        decays * lines["intensity"].to_numpy() / 100 * true_efficiency(lines["energy_kev"].to_numpy())
    )
    return counts


def peak_table(
    lines: pl.DataFrame,
    counts: NDArray[np.float64],
    background: NDArray[np.float64] | float,
    rng: np.random.Generator | None = None,
) -> pl.DataFrame:
    """Peaks at the lines, above a background known from as many channels again; without `rng`, without scatter."""
    below = np.broadcast_to(np.asarray(background, np.float64), counts.shape)
    if rng is None:
        gross, beside = counts + below, below
    else:
        gross, beside = rng.poisson(counts + below).astype(np.float64), rng.poisson(below).astype(np.float64)
    energy = lines["energy_kev"].to_numpy()
    return pl.DataFrame(
        {
            "board": pl.Series([0] * len(counts), dtype=pl.UInt16),
            "channel": pl.Series([3] * len(counts), dtype=pl.UInt16),
            "centroid_kev": energy,
            "centroid_kev_unc": np.full(len(counts), 0.02),
            "fwhm_kev": 1.0 + energy / 1000,
            "area": gross - beside,
            "area_unc": np.sqrt(np.maximum(gross + beside, 1.0)),
            "background": beside,
            "background_unc": np.sqrt(beside),
            "chi2_ndf": np.ones(len(counts)),
            "status": ["ok"] * len(counts),
        }
    )


def write_lines(path: Path) -> Path:
    """All lines as a file."""
    pl.concat(LINES.values()).write_csv(path)
    return path
