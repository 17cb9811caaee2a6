"""Detectors of unknown gain, offset and bend, simulated hit by hit, calibrated without hand work."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from gammapolars.analysis.run_spectra import SpectrumSet
from gammapolars.calibration.energy.result import Calibration
from gammapolars.commands.calibrate.detectors import Basis, calibrations, lines_of
from gammapolars.core.defaults import REJECT
from gammapolars.core.errors import CalibrationError
from gammapolars.core.flags import parse_reject, union
from gammapolars.detectors import Detector, Detectors
from gammapolars.simulate import SimulatedDetector, parse_sources, simulate
from tests.validation.outcomes import Check, Floats, Outcome

ADC_BITS = 16
KEV_PER_ADC = {"HPGe": 0.1, "NaI": 0.3}

MAIN_LINES = {
    "HPGe": (121.7817, 244.6974, 344.2785, 778.9045, 867.380, 964.079, 1085.837, 1112.076, 1408.013),
    "NaI": (661.657, 1173.228, 1332.492),
}
SOURCES = {"HPGe": ["Eu-152=20kBq", "K-40=2kBq"], "NaI": ["Cs-137=10kBq", "Co-60=10kBq"]}
ASKED = {"HPGe": ["Eu-152"], "NaI": ["Cs-137", "Co-60"]}


def random_detector(rng: np.random.Generator, kind: str) -> SimulatedDetector:
    """A detector with a gain of 0.3 to 3 times the usual one, an offset of up to 20 keV, a bend of up to 1 %."""
    gain = KEV_PER_ADC[kind] * 10 ** rng.uniform(np.log10(0.3), np.log10(3))
    full_adc = 2.0**ADC_BITS
    bend = rng.uniform(-0.01, 0.01) * gain / full_adc
    energy = (float(rng.uniform(-20, 20)), float(gain), float(bend))
    return SimulatedDetector.from_detector(Detector(0, 0, energy=energy, kind=kind), adc_bits=ADC_BITS)


def spectrum_of(detector: SimulatedDetector, sources: Sequence[str], hits: int, seed: int) -> pl.DataFrame:
    """Counts of the used hits by adc."""
    counts = np.zeros(2**ADC_BITS)
    mask = union(parse_reject(REJECT))
    for chunk in simulate(parse_sources(sources), [detector], seed=seed, hits=hits):
        used = chunk.hits.filter((pl.col("flags") & mask) == 0)
        counts += np.bincount(used["adc"].to_numpy(), minlength=2**ADC_BITS)
    return spectrum_table(counts)


def spectrum_table(counts: Floats) -> pl.DataFrame:
    """Counts by adc as the spectrum of a lone detector."""
    return pl.DataFrame(
        {
            "run": pl.Series([1] * len(counts), dtype=pl.UInt16),
            "board": pl.Series([0] * len(counts), dtype=pl.UInt16),
            "channel": pl.Series([0] * len(counts), dtype=pl.UInt16),
            "adc": np.arange(len(counts), dtype=np.float64),
            "energy_kev": pl.Series([None] * len(counts), dtype=pl.Float64),
            "counts": counts,
            "variance": counts,
        }
    ).filter(pl.col("counts") > 0)


def calibrated(spectrum: pl.DataFrame, sources: Sequence[str]) -> Calibration:
    """The calibration of a lone detector."""
    spectra = SpectrumSet(spectrum, ("simulated",), Detectors(), summary={"warnings": []})
    (found,), _ = calibrations(spectra, Basis(lines_of(sources)))
    return found


def errors_kev(found: Calibration, detector: SimulatedDetector, lines: Sequence[float]) -> Floats:
    """By how much the calibration is off, where the lines truly are."""
    adc = np.arange(2.0**ADC_BITS)
    at = np.interp(lines, detector.energy_of(adc), adc)
    return np.asarray(found.energy.energy_at(at)[0] - np.array(lines), np.float64)


def automatic(kind: str = "HPGe", runs: int = 200, hits: int = 1_000_000, seed: int = 1) -> Outcome:
    """Runs of random detectors, each calibrated from nothing but the names of its sources."""
    rng = np.random.default_rng(seed)
    lines = [f"{'gain':>8} {'offset':>8} {'bend':>10} {'order':>5} {'lines':>5} {'χ²/ndf':>7}  largest error (keV)"]
    largest, pulls, refused, wrong = [], [], 0, 0
    for run in range(runs):
        detector = random_detector(rng, kind)
        offset, gain, bend = detector.energy
        text = f"{gain:8.4f} {offset:8.2f} {bend:10.2e}"
        try:
            found = calibrated(spectrum_of(detector, SOURCES[kind], hits, seed=1000 * seed + run), ASKED[kind])
        except CalibrationError as error:
            refused += 1
            lines.append(f"{text}  refused: {error}")
            continue
        errors = errors_kev(found, detector, MAIN_LINES[kind])
        used = found.residuals["used"].sum()
        lines.append(
            f"{text} {found.energy.order:5d} {used:5d} {found.energy.chi2 / max(found.energy.ndf, 1):7.2f}"
            f"  {np.abs(errors).max():.4f}"
        )
        wrong += bool((np.abs(errors) > 0.01 * np.array(MAIN_LINES[kind])).any())
        largest.append(np.abs(errors).max() if kind == "HPGe" else np.abs(errors / np.array(MAIN_LINES[kind])).max())
        pulls += (found.residuals.filter("used")["residual_sigma"]).to_list()
    sources = " + ".join(ASKED[kind])
    checks = [
        Check(f"part of {runs} runs of {sources} that were calibrated", 1 - (refused + wrong) / runs, 0.99),
        Check("runs that were calibrated wrongly", wrong, high=0),
    ]
    if kind == "HPGe":
        checks.append(Check("largest error at any main line of any run (keV)", float(np.max(largest)), high=0.1))
        scatter = len(pulls) ** -0.5  # 1.4 standard deviations of a width
        width = float(np.std(pulls))
        checks.append(
            Check("width of the residuals in units of their uncertainties", width, 0.8 - scatter, 1.2 + scatter)
        )
    else:
        checks.append(Check("largest relative error at any line of any run", float(np.max(largest)), high=0.005))
    return Outcome(f"{kind}: {runs} simulated runs of {sources} with {hits:,} hits", lines, checks)
