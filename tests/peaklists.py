"""Synthetic lists of peaks with known truth, and the lines that they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

# energy keV, its uncertainty, photons per 100 decays, fit for a calibration: IAEA evaluation, Th-228 chain from ENSDF.
LINES: dict[str, tuple[tuple[float, float, float, bool], ...]] = {
    "Eu-152": (
        (121.7817, 0.0003, 28.41, True),
        (244.6974, 0.0008, 7.55, True),
        (344.2785, 0.0012, 26.58, True),
        (411.1165, 0.0012, 2.237, True),
        (443.965, 0.003, 3.125, False),
        (778.9045, 0.0024, 12.96, True),
        (867.380, 0.003, 4.241, True),
        (964.072, 0.018, 14.62, False),
        (1085.837, 0.010, 10.13, True),
        (1112.076, 0.003, 13.40, True),
        (1212.948, 0.011, 1.415, True),
        (1299.142, 0.008, 1.632, True),
        (1408.013, 0.003, 20.85, True),
    ),
    "Ba-133": (
        (53.1622, 0.0006, 2.14, True),
        (79.6142, 0.0012, 2.65, True),
        (80.9979, 0.0011, 32.9, True),
        (276.3989, 0.0012, 7.16, True),
        (302.8508, 0.0005, 18.34, True),
        (356.0129, 0.0007, 62.05, True),
        (383.8485, 0.0012, 8.94, True),
    ),
    "Co-57": ((14.41295, 0.00031, 9.15, True), (122.06065, 0.00012, 85.51, True), (136.47356, 0.00029, 10.71, True)),
    "Co-60": ((1173.228, 0.003, 99.85, True), (1332.492, 0.004, 99.9826, True)),
    "Cs-137": ((661.657, 0.003, 84.99, True),),
    "Na-22": ((510.999, 0.001, 180.7, True), (1274.537, 0.003, 99.94, True)),
    "Am-241": ((26.3446, 0.0002, 2.40, True), (59.5409, 0.0001, 35.78, True)),
    "Th-228": (
        (238.632, 0.002, 43.6, True),
        (583.187, 0.002, 30.5, True),
        (727.330, 0.009, 6.67, True),
        (860.557, 0.004, 4.49, True),
        (2614.511, 0.010, 35.8, True),
    ),
    "Ra-226": (
        (186.211, 0.013, 3.533, True),
        (241.997, 0.003, 7.19, True),
        (295.224, 0.002, 18.28, True),
        (351.932, 0.002, 35.34, True),
        (609.316, 0.003, 45.16, True),
        (1120.287, 0.010, 14.78, True),
        (1764.539, 0.05, 15.17, True),
        (2204.071, 0.021, 4.89, True),
    ),
}

BACKGROUND = (
    (238.6, 40.0),
    (295.2, 15.0),
    (338.3, 10.0),
    (351.9, 30.0),
    (511.0, 60.0),
    (583.2, 35.0),
    (609.3, 40.0),
    (727.3, 7.0),
    (911.2, 30.0),
    (969.0, 18.0),
    (1120.3, 14.0),
    (1238.1, 6.0),
    (1460.8, 150.0),
    (1764.5, 16.0),
    (2204.1, 5.0),
    (2614.5, 50.0),
)
"""Lines of a room, with about their relative emission."""


def table_of(*nuclides: str) -> pl.DataFrame:
    """Lines of some nuclides as `gp.lines` gives them."""
    rows = [(nuclide, *line) for nuclide in nuclides for line in LINES[nuclide]]
    columns = ["nuclide", "energy_kev", "energy_kev_unc", "intensity", "calibrate"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(doublet=~pl.col("calibrate"))


@dataclass(frozen=True)
class Truth:
    """A detector: E = offset + gain x (1 + bend x / x_full), x_full where the linear part reaches `full_kev`."""

    gain: float
    offset: float
    bend: float
    full_kev: float = 1500.0
    fwhm: tuple[float, float] = (0.8, 0.0017)
    slope: float = -0.9
    rollover: float = -0.2
    threshold: float = 60.0

    @property
    def coefficients(self) -> tuple[float, float, float]:
        return self.offset, self.gain, self.bend * self.gain**2 / self.full_kev

    def adc(self, energy: np.ndarray) -> np.ndarray:
        c0, c1, c2 = self.coefficients
        return np.asarray(2 * (energy - c0) / (c1 + np.sqrt(c1**2 + 4 * c2 * (energy - c0))))

    def energy(self, adc: np.ndarray) -> np.ndarray:
        return np.asarray(np.polynomial.polynomial.polyval(adc, self.coefficients))

    def width(self, energy: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(self.fwhm[0] ** 2 + self.fwhm[1] * np.maximum(energy, 1.0)))


def random_truth(random: np.random.Generator, *, nai: bool = False, full_kev: float = 1500.0) -> Truth:
    gain = 0.35 * 3 ** random.uniform(-1, 1)
    return Truth(
        gain,
        random.uniform(-30, 30),
        random.uniform(-0.01, 0.01),
        full_kev,
        (5.0, 3.2 * random.uniform(0.7, 1.6)) if nai else (random.uniform(0.6, 1.2), 0.0018 * random.uniform(0.6, 2)),
        random.uniform(-1.4, -0.4),
        random.uniform(-0.4, 0.1),
    )


def peaks_of(
    truth: Truth,
    random: np.random.Generator,
    sources: Sequence[str],
    *,
    strength: float = 10.0,
    extra: int = 0,
    background: float = 0.0,
    lowest_kev: float = 40.0,
    highest_kev: float | None = None,
    run: int = 1,
) -> pl.DataFrame:
    """Peaks of sources, of a room and by chance; `true_kev` tells what each is, null for those by chance.

    Args:
        truth: the detector.
        random: draws.
        sources: nuclides of `LINES`.
        strength: ln of the area of 100 photons per 100 decays at 300 keV.
        extra: peaks at random places with random areas.
        background: of the room, times `BACKGROUND` and exp(strength); 0: none.
        lowest_kev: below it there are no peaks.
        highest_kev: above it there are no peaks.
        run: number of the spectrum.
    """
    energy = [line[0] for source in sources for line in LINES[source]]
    photons = [line[2] for source in sources for line in LINES[source]]
    if background > 0:
        energy += [line for line, _ in BACKGROUND]
        photons += [background * emitted for _, emitted in BACKGROUND]
    true = np.array([*energy, *[np.nan] * extra])
    top = highest_kev or max([*energy, 1400.0]) * 1.05
    place = np.array([*energy, *random.uniform(lowest_kev, top, extra)])
    t = np.log(place / 300)
    log_area = strength + truth.slope * t + truth.rollover * t**2
    log_area[: len(photons)] += np.log(np.array(photons) / 100) + random.normal(0, 0.1, len(photons))
    log_area[len(photons) :] += random.uniform(np.log(0.003), np.log(0.6), extra)
    area, width = np.exp(log_area), truth.width(place)
    below = 2.0 * np.exp(strength - 3.5) * width * np.exp(-place / 500) / 2
    area_unc = np.sqrt(area + below)
    keep = (area > truth.threshold + 4 * np.sqrt(below)) & (place > lowest_kev) & (place < (highest_kev or np.inf))
    slope = truth.gain * (1 + 2 * truth.bend * truth.gain * truth.adc(place) / truth.full_kev)
    fwhm = width / slope
    unc = np.hypot(fwhm / 2.355 * area_unc / area, 0.005 * fwhm)
    frame = pl.DataFrame(
        {
            "run": np.full(len(place), run),
            "centroid_adc": truth.adc(place) + random.normal(0, unc),
            "centroid_adc_unc": unc,
            "fwhm_adc": fwhm * random.normal(1, 0.03, len(place)),
            "fwhm_adc_unc": 0.03 * fwhm,
            "area": random.normal(area, area_unc),
            "area_unc": area_unc,
            "true_kev": true,
        }
    ).with_columns(pl.col("true_kev").fill_nan(None))
    frame = frame.filter(pl.Series(keep)).sort("area", descending=True)
    # Peaks closer than their widths are found as one.
    kept: list[int] = []
    at, wide = frame["centroid_adc"].to_numpy(), frame["fwhm_adc"].to_numpy()
    for row in range(frame.height):
        if all(abs(at[row] - at[other]) > 0.9 * wide[other] for other in kept):
            kept.append(row)
    return frame[kept].sort("centroid_adc")
