"""Fits of simulated spectra, whose every area and centroid is known."""

import numpy as np
import polars as pl
from scipy.special import ndtr

import gammapolars as gp
from tests.validation.outcomes import Check, Floats, Outcome, pull_checks

GAIN_KEV, OFFSET_KEV = 0.4, 2.0

EU_152 = {
    121.78: 30_000.0,
    244.70: 6_000.0,
    344.28: 22_000.0,
    411.12: 1_800.0,
    443.97: 2_500.0,
    778.90: 8_000.0,
    867.38: 2_500.0,
    964.08: 8_000.0,
    1085.84: 5_500.0,
    1089.74: 900.0,
    1112.08: 7_000.0,
    1212.95: 700.0,
    1299.14: 800.0,
    1408.01: 9_500.0,
}
"""Areas by energy: about what Eu-152 gives in 10^6 hits of an HPGe detector."""


def expected_counts(lines: dict[float, float], fwhm: tuple[float, float], *, channels: int = 4096) -> Floats:
    """Expected counts by channel: lines on a falling continuum.

    Args:
        lines: area by energy (keV).
        fwhm: a and b of FWHM² = a + b E, keV².
        channels: how many.
    """
    edges = OFFSET_KEV + GAIN_KEV * (np.arange(channels + 1) - 0.5)
    centres = (edges[1:] + edges[:-1]) / 2
    expected = 150 + 3000 * np.exp(-centres / 250)
    for energy, area in lines.items():
        sigma = np.sqrt(fwhm[0] + fwhm[1] * energy) / 2.3548
        expected = expected + area * np.diff(ndtr((edges - energy) / sigma))
    return np.asarray(expected, np.float64)


def drawn(expected: Floats, rng: np.random.Generator) -> pl.DataFrame:
    """A calibrated spectrum with these expected counts."""
    adc = np.arange(len(expected), dtype=np.float64)
    counts = rng.poisson(expected).astype(np.float64)
    return pl.DataFrame({"adc": adc, "energy_kev": OFFSET_KEV + GAIN_KEV * adc, "counts": counts, "variance": counts})


def pulls(spectra: int = 100, seed: int = 1) -> Outcome:
    """Areas and centroids of Eu-152 lines in Poisson spectra, searched and fitted without hints."""
    rng = np.random.default_rng(seed)
    expected = expected_counts(EU_152, (0.8, 0.0018))
    areas: dict[float, list[float]] = {energy: [] for energy in EU_152}
    centroids: dict[float, list[float]] = {energy: [] for energy in EU_152}
    missed = extra = 0
    for _ in range(spectra):
        found = gp.fit_peaks(drawn(expected, rng))
        extra += found.height
        for energy, area in EU_152.items():
            near = found.filter((pl.col("centroid_kev") - energy).abs() < 1.0)
            if near.height != 1:
                missed += 1
                continue
            extra -= 1
            peak = near.row(0, named=True)
            areas[energy].append((peak["area"] - area) / peak["area_unc"])
            centroids[energy].append((peak["centroid_kev"] - energy) / peak["centroid_kev_unc"])
    lines = [f"{'keV':>8} {'area':>8} {'mean and width of the pulls: area':>36} {'centroid':>14}"]
    for energy, area in EU_152.items():
        figures = [
            f"{np.mean(values):7.2f} {np.std(values, ddof=1):5.2f}" for values in (areas[energy], centroids[energy])
        ]
        lines.append(f"{energy:8.2f} {area:8.0f} {figures[0]:>36} {figures[1]:>14}")
    every = spectra * len(EU_152)
    return Outcome(
        f"{spectra} simulated Eu-152 spectra",
        lines,
        [
            *pull_checks("areas", np.concatenate([np.array(values) for values in areas.values()])),
            *pull_checks("centroids", np.concatenate([np.array(values) for values in centroids.values()])),
            Check("part of the lines that were missed", missed / every, high=0.01),
            Check("peaks that are none, per spectrum", extra / spectra, high=0.2),
        ],
    )


def doublets(spectra: int = 40, seed: int = 2, areas: tuple[float, ...] = (3_000, 10_000, 30_000, 100_000)) -> Outcome:
    """Two equal HPGe peaks 3 channels apart: 1.2 keV, where the FWHM is 1.8 keV."""
    rng = np.random.default_rng(seed)
    lines = [f"{'area':>8} {'separated':>10} {'mean ratio':>18} {'scatter':>8} {'pulls: mean and width':>24}"]
    checks = []
    others = {244.7: 20_000.0, 411.1: 5_000.0, 778.9: 8_000.0, 867.4: 6_000.0, 964.0: 8_000.0, 1112.0: 9_000.0}
    for area in areas:
        expected = expected_counts({**others, 600.0: area, 601.2: area, 1408.0: 9_500.0}, (1.62, 0.0027))
        ratios, deviations, separated = [], [], 0
        for _ in range(spectra):
            found = gp.fit_peaks(drawn(expected, rng)).filter((pl.col("centroid_kev") - 600.6).abs() < 2)
            if found.height != 2:
                continue
            separated += 1
            ratios += (found["area"] / area).to_list()
            deviations += ((found["area"] - area) / found["area_unc"]).to_list()
        mean, unc = float(np.mean(ratios)), float(np.std(ratios, ddof=1) / np.sqrt(len(ratios)))
        lines.append(
            f"{area:8.0f} {separated:5d}/{spectra:<4d} {mean:9.4f} ± {unc:6.4f} {np.std(ratios, ddof=1):8.3f} "
            f"{np.mean(deviations):16.2f} {np.std(deviations, ddof=1):7.2f}"
        )
        checks += [
            Check(f"part of the doublets of {area:.0f} counts that were separated", separated / spectra, 0.95),
            Check(f"bias of their areas in its own uncertainty ({unc:.4f})", (mean - 1) / unc, -3.5, 3.5),
        ]
    return Outcome("Doublets of equal peaks 0.67 FWHM apart", lines, checks)
