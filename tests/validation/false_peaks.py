"""False peaks of flat Poisson noise, from 0.02 to 10^5 counts a bin: how often a significance is exceeded by chance."""

import math

import numpy as np
import polars as pl

import gammapolars as gp
from tests.validation.outcomes import Check, Outcome

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 3.0, 10.0, 100.0, 1e3, 1e4, 1e5)
"""Counts a bin."""

BINS, FWHM = 8192, 5.0

LEAST = 4.0

PER_THOUSAND = 0.2
"""False peaks that there may be in 1000 resolution elements. A smooth noise exceeds 4 sigma 0.09 times."""


def noise(level: float, rng: np.random.Generator, bins: int = BINS) -> pl.DataFrame:
    """A calibrated spectrum of nothing but background, one keV a bin."""
    counts = rng.poisson(level, bins).astype(np.float64)
    return pl.DataFrame({"energy_kev": np.arange(bins) + 100.0, "counts": counts, "variance": counts})


def false_peaks(elements: int = 100_000, seed: int = 1, levels: tuple[float, ...] = LEVELS) -> Outcome:
    """Peaks of at least 4 sigma in flat noise, their FWHM given, by level.

    Args:
        elements: at least so many resolution elements (bins by FWHM) a level.
        seed: of the noise.
        levels: counts a bin.
    """
    spectra = math.ceil(elements * FWHM / BINS)
    thousands = spectra * BINS / FWHM / 1000
    lines, checks = [f"{'counts a bin':>12} {'searched':>10} {'fitted':>8}  per 1000 resolution elements"], []
    for number, level in enumerate(levels):
        rng = np.random.default_rng([seed, number])
        searched = fitted = 0
        for _ in range(spectra):
            spectrum = noise(level, rng)
            searched += gp.find_peaks(spectrum, fwhm=(FWHM**2,), least_significance=LEAST).height
            fitted += gp.fit_peaks(spectrum, fwhm=(FWHM**2,), least_significance=LEAST).height
        lines.append(f"{level:12g} {searched / thousands:10.3f} {fitted / thousands:8.3f}")
        checks.append(Check(f"false peaks at {level:g} counts a bin", fitted / thousands, high=PER_THOUSAND))
        checks.append(Check(f"of the search alone at {level:g}", searched / thousands, high=PER_THOUSAND))
    return Outcome(f"False peaks: {1000 * thousands:,.0f} resolution elements of noise a level", lines, checks)
