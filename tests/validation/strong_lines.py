"""Strong lines with the tails that real peaks have, of up to 10^7 counts: one row each, with the right area."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtr

import gammapolars as gp
from gammapolars.peaks.shape import tail_integral
from tests.validation.outcomes import Check, Floats, Outcome

KINDS = ("gaussian", "tail", "both tails", "second tail", "crowded", "scintillator")

NEAR, ALONE = 0.6, 6.0
"""A fitted peak belongs to a line within this part of its FWHM; a line is alone from so many of them."""

SINGLE = 1e6
"""Counts of the lone lines whose areas are compared."""


class Shape(NamedTuple):
    """What a line has besides a Gaussian: parts of its area and slopes in σ of a tail below, one above, and a second
    one below; and the height of its step for each count and bin.
    """

    low: tuple[float, float] = (0.0, 1.5)
    high: tuple[float, float] = (0.0, 1.5)
    second: tuple[float, float] = (0.0, 6.0)
    step: float = 0.0


class Drawn(NamedTuple):
    """A spectrum, its lines' energies and areas, and the coefficients of FWHM²."""

    spectrum: pl.DataFrame
    energies: Floats
    areas: Floats
    fwhm: tuple[float, float]


def shape_of(kind: str, rng: np.random.Generator) -> Shape:
    """A shape of a kind."""
    step = float(10 ** rng.uniform(-5, -3.3))
    low = (float(rng.uniform(0.02, 0.2)), float(rng.uniform(1, 2.5)))
    high = (float(rng.uniform(0.002, 0.03)), float(rng.uniform(1, 2.5)))
    if kind in ("gaussian", "scintillator"):
        return Shape()
    if kind == "both tails":
        return Shape(low, high, step=step)
    if kind == "second tail":
        second = (float(rng.uniform(0.002, 0.01)), float(rng.uniform(4, 6)))
        return Shape((low[0] / 2, 1.2), second=second, step=step)
    return Shape(low, step=step)


def drawn_lines(kind: str, seed: int) -> Drawn:
    """A spectrum of a kind, the strongest of whose lines has 10^4 to 10^7 counts and the others as many or fewer."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    is_broad = kind == "scintillator"
    channels, gain = (1024, 3.0) if is_broad else (4096, 0.7)
    fwhm = (0.0, 3.2) if is_broad else (1.4, float(rng.uniform(0.0025, 0.004)))
    strongest = 10 ** rng.uniform(4, 7)
    number = {"crowded": 60, "scintillator": 3}.get(kind, int(rng.integers(3, 13)))
    energies = np.array([511.0, 1000.0, 1900.0]) * rng.uniform(0.9, 1.1) if is_broad else rng.uniform(80, 2700, number)
    areas = strongest * 10 ** rng.uniform(-1.5 if is_broad else -3, 0, number)
    areas[rng.integers(number)] = strongest
    shape = shape_of(kind, rng)
    edges = gain * (np.arange(channels + 1) - 0.5)
    expected = strongest * (1e-5 + 1e-4 * np.exp(-edges[1:] / 300))
    for energy, area in zip(energies, areas, strict=True):
        z = (edges - energy) / (np.sqrt(fwhm[0] + fwhm[1] * energy) / 2.3548)
        integral = ndtr(z) + shape.low[0] * tail_integral(z, shape.low[1])
        integral += shape.second[0] * tail_integral(z, shape.second[1]) - shape.high[0] * tail_integral(
            -z, shape.high[1]
        )
        expected += area * (np.diff(integral) + shape.step * (1 - 0.5 * (ndtr(z[1:]) + ndtr(z[:-1]))))
    counts = rng.poisson(expected).astype(np.float64)
    adc = np.arange(channels, dtype=np.float64)
    table = pl.DataFrame({"adc": adc, "energy_kev": gain * adc, "counts": counts, "variance": counts})
    return Drawn(table, energies, areas, fwhm)


class Found(NamedTuple):
    """Lines with several rows, and of strong lone lines the ratios of areas and their deviations in uncertainties."""

    twice: int
    ratios: list[float]
    pulls: list[float]


def found_in(drawn: Drawn, *, width: bool) -> Found:
    """What a fit gives of a spectrum, with the width given or not."""
    peaks = gp.fit_peaks(drawn.spectrum, fwhm=drawn.fwhm if width else None)
    widths = np.sqrt(drawn.fwhm[0] + drawn.fwhm[1] * drawn.energies)
    distance = np.abs(peaks["centroid_kev"].to_numpy()[:, None] - drawn.energies) / widths
    nearest = distance.argmin(1) if len(distance) else np.zeros(0, np.int64)
    owners = np.where(distance.min(1, initial=np.inf) < NEAR, nearest, -1)
    rows = np.array([(owners == line).sum() for line in range(len(widths))])
    gaps = np.abs(drawn.energies[:, None] - drawn.energies) / widths
    alone = (gaps < ALONE).sum(1) == 1
    strong = [line for line in np.flatnonzero(alone & (drawn.areas > SINGLE)) if rows[line] == 1]
    area, unc = (peaks[name].to_numpy() for name in ("area", "area_unc"))
    places = [int(np.flatnonzero(owners == line)[0]) for line in strong]
    return Found(
        int((rows[alone] > 1).sum()),
        [float(area[k] / drawn.areas[line]) for k, line in zip(places, strong, strict=True)],
        [float((area[k] - drawn.areas[line]) / unc[k]) for k, line in zip(places, strong, strict=True)],
    )


def _part(lines: int) -> float:
    """5 % of some lines, and three standard deviations of that number in a short series."""
    return float(0.05 + 3 * np.sqrt(0.05 * 0.95 / max(lines, 1)))


def strong_lines(spectra: int = 2000, kinds: Iterable[str] = KINDS) -> Outcome:
    """Lines of simulated spectra of all kinds, alternately with the width given and without."""
    chosen = tuple(kinds)
    twice, ratios, pulls = 0, [], []
    lines = [
        f"{'kind':>14} {'spectra':>8} {'lines twice':>12} {'lone above 10^6':>16} {'off by > 0.3 %':>15} {'pulls':>6}"
    ]
    for kind in chosen:
        seeds = range(spectra // len(chosen))
        results = [found_in(drawn_lines(kind, seed), width=bool(seed % 2)) for seed in seeds]
        of_kind = sum(result.twice for result in results)
        ratio = np.array([value for result in results for value in result.ratios])
        pull = np.array([value for result in results for value in result.pulls])
        off = int((np.abs(ratio - 1) > 0.003).sum())
        spread = float(np.sqrt((pull**2).mean())) if len(pull) else 0.0
        lines.append(f"{kind:>14} {len(seeds):8d} {of_kind:12d} {len(ratio):16d} {off:15d} {spread:6.2f}")
        twice += of_kind
        ratios.append(ratio)
        pulls.append(pull)
    every = np.concatenate(ratios)
    return Outcome(
        f"Lines of up to 10^7 counts in {spectra} simulated spectra of {len(chosen)} kinds",
        lines,
        [
            Check("lone lines with more than one row", twice, high=0),
            Check("median ratio of the areas of lone lines above 10^6 counts", float(np.median(every)), 0.999, 1.001),
            Check(
                "part of them off by more than 0.3 %", float((np.abs(every - 1) > 0.003).mean()), high=_part(len(every))
            ),
        ],
    )
