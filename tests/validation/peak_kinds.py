"""Kinds of peaks in simulated spectra of single sources: what is called a full-energy peak and is none."""

from functools import cache

import numpy as np
import polars as pl
from scipy.special import ndtr

import gammapolars as gp
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.detectors import Detector
from gammapolars.identification import span_of
from gammapolars.simulate import NUCLIDES, SimulatedDetector, Source, cascades, simulate
from gammapolars.simulate.response import partial_deposit_kev
from tests.validation.outcomes import Check, Floats, Outcome

MAIN_LINES = {
    "Na-22": (511.0, 1274.5),
    "Co-57": (122.06, 136.5),
    "Co-60": (1173.2, 1332.5),
    "Ba-133": (81.0, 302.8, 356.0),
    "Cs-137": (661.7,),
    "Eu-152": (121.8, 244.7, 344.3, 778.9, 964.1, 1112.1, 1408.0),
}
SOURCES = tuple(MAIN_LINES)

FINE_KEV = 0.25
"""Bins of the deposits before they are smeared."""

HIGHEST_KEV = 3000.0

FWHM = {"HPGe": (0.55, 0.00216), "NaI": (0.0, 3.2)}
BIN_KEV = {"HPGe": 0.5, "NaI": 3.0}

SURROUNDINGS = 0.25
"""Photons that come back from the surroundings, mostly scattered by more than 90°, for each that interacts directly."""

ROOM_CPS = {1460.8: 1.5, 609.3: 0.6, 351.9: 0.6, 2614.5: 0.7, 911.2: 0.4, 583.2: 0.4, 1764.5: 0.2}
"""Photons of the room that interact, per second, in 10⁴ s; the source makes some hundred times as many."""


@cache
def deposits(kind: str, source: str, hits: int = 1_500_000) -> Floats:
    """Deposits by energy, in bins of `FINE_KEV`, of a source and its surroundings, without noise."""
    fine = int(HIGHEST_KEV / FINE_KEV)
    bare = SimulatedDetector.from_detector(
        Detector(0, 0, energy=(0.0, HIGHEST_KEV / 2**16), kind=kind),
        fwhm=(0.0, 0.0), adc_bits=16, background_cps=0.0, threshold_kev=10.0, trigger_ps=1, dead_time_ps=2,
        pile_up_ps=1,
    )  # fmt: skip
    counts = np.zeros(fine)
    for chunk in simulate([Source(source, 1e4)], [bare], seed=3, hits=hits):
        kev = chunk.hits["adc"].to_numpy() * (HIGHEST_KEV / 2**16)
        counts += np.histogram(kev, fine, (0, HIGHEST_KEV))[0]
    rng = np.random.default_rng(11)
    photons: dict[float, float] = {}
    for cascade in cascades(NUCLIDES[source]):
        for energy in cascade.energies_kev:
            number = 2 if energy == ANNIHILATION_KEV else 1
            photons[energy] = photons.get(energy, 0.0) + number * cascade.probability
    energies, weights = np.array(list(photons)), np.array(list(photons.values()))
    weights = weights * bare.total_efficiency(energies)
    counts += _scattered(bare, energies, weights / weights.sum(), int(SURROUNDINGS * hits), rng)
    return counts / hits


def _scattered(
    detector: SimulatedDetector, energies: Floats, weights: Floats, number: int, rng: np.random.Generator
) -> Floats:
    """Deposits of photons that scattered in the surroundings, mostly by 90° to 180°, and of a room."""
    fine = int(HIGHEST_KEV / FINE_KEV)
    first = rng.choice(energies, number, p=weights)
    cosine = rng.triangular(-1, -1, 0.3, number)  # ever fewer at smaller angles, and no end to be seen
    after = first / (1 + first / ANNIHILATION_KEV * (1 - cosine))
    room = rng.choice(list(ROOM_CPS), number // 15, p=np.array(list(ROOM_CPS.values())) / sum(ROOM_CPS.values()))
    photons = np.concatenate([after, room])
    partial = rng.random(len(photons)) > detector.peak_to_total(photons)
    twice = rng.random(len(photons)) < detector.scatters_twice
    photons[partial] = partial_deposit_kev(photons[partial], twice[partial], rng)
    return np.histogram(photons, fine, (0, HIGHEST_KEV))[0].astype(np.float64)


def spectrum(kind: str, source: str, rng: np.random.Generator) -> pl.DataFrame:
    """A calibrated spectrum of 10⁴·⁵ to 10⁶ counts, with a resolution of its own."""
    width = BIN_KEV[kind]
    edges = np.arange(0, HIGHEST_KEV + width, width) + 0.0
    fine = (np.arange(int(HIGHEST_KEV / FINE_KEV)) + 0.5) * FINE_KEV
    expected = np.zeros(len(edges) - 1)
    a, b = FWHM[kind]
    broader = rng.uniform(0.8, 1.3) ** 2
    sigma = np.sqrt(a + b * fine) * np.sqrt(broader) / 2.3548
    shares = deposits(kind, source)
    reach = int(np.ceil(5 * sigma.max() / width)) + 1
    first = np.searchsorted(edges, fine) - 1
    for shift in range(-reach, reach + 1):
        bins = first + shift
        inside = (bins >= 0) & (bins < len(expected))
        low, high = (edges[np.clip(bins + step, 0, len(edges) - 1)] for step in (0, 1))
        part = shares * (ndtr((high - fine) / sigma) - ndtr((low - fine) / sigma))
        np.add.at(expected, bins[inside], part[inside])
    total = 10 ** rng.uniform(4.5, 6)
    centres = (edges[1:] + edges[:-1]) / 2
    threshold = ndtr((centres - 25) / 3)
    counts = rng.poisson((total * expected + 1e-4 * total * np.exp(-centres / 300)) * threshold).astype(np.float64)
    return pl.DataFrame({"energy_kev": centres, "counts": counts, "variance": counts})


def emitted(source: str) -> list[float]:
    """Energies (keV) of everything that a source and the room emit."""
    own = {energy for cascade in cascades(NUCLIDES[source]) for energy in cascade.energies_kev}
    return sorted({*own, *ROOM_CPS, ANNIHILATION_KEV})


def kinds(kind: str, spectra: int = 100, seed: int = 1) -> Outcome:
    """What spectra of six sources show, and what their peaks are called."""
    rng = np.random.default_rng(seed)
    false: list[str] = []
    named = strong = wrong_names = 0
    for number in range(spectra):
        source = SOURCES[number % len(SOURCES)]
        counts = spectrum(kind, source, rng)
        peaks = gp.peak_kinds(gp.fit_peaks(counts), span_kev=span_of(counts))
        lines = np.array(emitted(source))
        largest = float(peaks["area"].to_numpy().max())
        clear = peaks.filter(pl.col("significance") > 4, pl.col("status") != "failed")
        for peak in clear.iter_rows(named=True):
            near = np.abs(lines - peak["centroid_kev"]).min() < 0.5 * peak["fwhm_kev"]
            if peak["kind"] == "full energy" and not near:
                false.append(
                    f"{source}: {peak['centroid_kev']:.1f} keV, {peak['significance']:.0f} σ, {peak['nuclide']}"
                )
            main = min(abs(line - peak["centroid_kev"]) for line in MAIN_LINES[source])
            if main < 0.5 * peak["fwhm_kev"] and peak["area"] > 0.02 * largest and peak["significance"] > 20:
                strong += 1
                named += peak["kind"] in ("full energy", "annihilation")
                wrong_names += peak["nuclide"] not in (None, source)
    checks = [
        Check(f"false full-energy peaks above 4 sigma in {spectra} {kind} spectra", len(false), high=12),
        Check(f"part of {strong} strong lines that are called so", named / max(strong, 1), 0.95),
        Check("strong lines that are given to another nuclide", wrong_names, high=0.02 * strong),
    ]
    return Outcome(f"kinds of peaks: {spectra} {kind} spectra of {', '.join(SOURCES)}", false, checks)
