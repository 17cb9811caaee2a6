"""Energies at the lines of Eu-152 by the example of README: drawn many times, in units of the uncertainties they claim.

The expected spectrum of each detector is that of the deposits of a much longer run, folded with the detector's own
resolution and calibration, so that it scatters much less than the spectra that are drawn from it.
"""

import functools
import tempfile
from collections.abc import Callable, Iterable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from scipy.special import ndtr

from gammapolars.core.errors import CalibrationError
from gammapolars.core.flags import FLAGS
from gammapolars.detectors import Detector, load_detectors
from gammapolars.simulate import (
    DEFAULT_DETECTORS,
    SimulatedDetector,
    around_source,
    parse_sources,
    simulate,
    write_run,
)
from tests.commandline import gammapolars
from tests.validation.calibrations import MAIN_LINES, calibrated, spectrum_table
from tests.validation.outcomes import Check, Floats, Outcome

SOURCES = ("Eu-152=20kBq",)
HITS = 400_000
"""What README's example simulates."""

STRONG = np.array(MAIN_LINES["HPGe"])

STEP_KEV = 0.02
"""Deposits are counted in steps of this, shared out between two of them so that no line moves."""

Job = TypeVar("Job")
Result = TypeVar("Result")

DETECTORS = around_source(DEFAULT_DETECTORS)


def deposits(hits: int, seed: int = 77) -> Floats:
    """How often a hit leaves each energy, in steps of `STEP_KEV`; hits that pile up have none."""
    counts = np.zeros(round(4000 / STEP_KEV))
    for chunk in simulate(parse_sources(SOURCES), DETECTORS, seed=seed, hits=hits):
        alone = (chunk.hits["flags"].to_numpy() & FLAGS["pile_up"]) == 0
        place = chunk.truth["deposit_kev"].to_numpy()[alone] / STEP_KEV
        low = np.minimum(np.floor(place).astype(np.intp), len(counts) - 2)
        share = np.clip(place - low, 0, 1)
        counts += np.bincount(low, 1 - share, len(counts)) + np.bincount(low + 1, share, len(counts))
    return counts / hits


def expected_counts(of_hits: Floats, detector: SimulatedDetector, hits: int) -> Floats:
    """Expected counts by adc of a number of hits in one detector."""
    edges = detector.energy_of(np.arange(2**detector.adc_bits + 1) - 0.5)
    counts = np.zeros(len(edges) - 1)
    place = np.flatnonzero(of_hits)
    energy = place.astype(np.float64) * STEP_KEV
    sigma = detector.sigma_kev(energy)
    first = np.maximum(np.searchsorted(edges, energy - 6 * sigma) - 1, 0)
    most = int((np.searchsorted(edges, energy + 6 * sigma) - first).max()) + 2
    bins = np.minimum(first[:, None] + np.arange(most), len(edges) - 1)
    below = ndtr((edges[bins] - energy[:, None]) / sigma[:, None])
    parts = np.diff(below, axis=1) * (of_hits[place] * hits)[:, None]
    np.add.at(counts, np.minimum(bins[:, :-1], len(counts) - 1), parts)
    return counts


def pulls(energy: Sequence[float], covariance: Sequence[Sequence[float]], adc: Floats) -> Floats:
    """(Energy - true energy) / uncertainty of a calibration at the strong lines' positions."""
    powers = adc[:, None] ** np.arange(len(energy))
    unc = np.sqrt(np.einsum("ij,jk,ik->i", powers, np.array(covariance), powers))
    return np.asarray((powers @ np.array(energy) - STRONG) / unc, np.float64)


@functools.cache
def _expected(path: str, place: int) -> Floats:
    return expected_counts(np.load(path), DETECTORS[place], HITS // len(DETECTORS))


def drawn_pulls(job: tuple[str, int]) -> tuple[int, Floats | None, int]:
    """Those of a spectrum drawn from the expected one, its detector, and the order; None: it was not calibrated."""
    path, seed = job
    place = seed % len(DETECTORS)
    counts = np.random.default_rng(seed).poisson(_expected(path, place)).astype(np.float64)
    try:
        found = calibrated(spectrum_table(counts), ["Eu-152"])
    except CalibrationError:
        return place, None, 0
    fit = found.energy
    return place, pulls(fit.coefficients, fit.covariance, DETECTORS[place].adc_of(STRONG)), fit.order


def run_pulls(seed: int) -> list[tuple[int, Floats | None, int]]:
    """Those of the detectors of a whole run that `calibrate --track` corrects, each at its mean gain factor."""
    with tempfile.TemporaryDirectory() as name:
        run, toml = Path(name) / "eu152.root", Path(name) / "detectors.toml"
        write_run(run, simulate(parse_sources(SOURCES), DETECTORS, seed=seed, hits=HITS))
        done = gammapolars("calibrate", run, "--source", "Eu-152", "--track", "1408.013", "-o", toml)
        if done.code:
            return [(place, None, 0) for place in range(len(DETECTORS))]
        found, table = load_detectors(toml), pl.read_parquet(toml.with_suffix(".drift.parquet"))
    return [(place, *_of_detector(one, found.at(*_key(one)), table)) for place, one in enumerate(DETECTORS)]


def _key(detector: SimulatedDetector) -> tuple[int, int]:
    return detector.board, detector.channel


def _of_detector(true: SimulatedDetector, found: Detector, table: pl.DataFrame) -> tuple[Floats | None, int]:
    if found.energy is None or found.energy_covariance is None:
        return None, 0
    own = table.filter(board=true.board, channel=true.channel).sort("timestamp_ps")
    time, factors = own["timestamp_ps"].to_numpy().astype(np.float64), own["gain_factor"].to_numpy()
    factor = float(np.trapezoid(factors, time) / np.ptp(time))
    adc = true.adc_of(STRONG) * factor
    return pulls(found.energy, found.energy_covariance, adc), len(found.energy) - 1


def _outcome(title: str, results: Iterable[tuple[int, Floats | None, int]]) -> Outcome:
    """Means and widths of the pulls at each line, of all detectors and of each."""
    lines, checks, refused = [f"{'':>8} {'N':>5} {'orders':>14}" + "".join(f"{kev:>14.1f}" for kev in STRONG)], [], 0
    by_detector: dict[int, list[Floats]] = {}
    orders: dict[int, list[int]] = {}
    for place, values, order in results:
        if values is None:
            refused += 1
            continue
        by_detector.setdefault(place, []).append(values)
        orders.setdefault(place, []).append(order)
    groups = {DETECTORS[place].name: np.array(values) for place, values in sorted(by_detector.items())}
    chosen = {DETECTORS[place].name: np.bincount(values, minlength=4)[1:] for place, values in orders.items()}
    groups["all"] = np.concatenate(list(groups.values()))
    chosen["all"] = np.sum(list(chosen.values()), axis=0)
    for name, values in groups.items():
        mean, width, many = values.mean(0), values.std(0, ddof=1), len(values) ** -0.5
        shown = "".join(f"{one:>+8.2f} {other:5.2f}" for one, other in zip(mean, width, strict=True))
        lines.append(f"{name:>8} {len(values):5d} {'/'.join(map(str, chosen[name])):>14}{shown}")
        worst = float(mean[np.abs(mean).argmax()])
        checks += [
            Check(f"mean pull at any line, {name}", worst, -0.1 - 3 * many, 0.1 + 3 * many),
            Check(f"least width of the pulls at any line, {name}", float(width.min()), 0.9 - 2 * many),
            Check(f"largest width of the pulls at any line, {name}", float(width.max()), high=1.15 + 2 * many),
        ]
    return Outcome(title, lines, [*checks, Check("spectra that were not calibrated", refused, high=0)])


def line_energies(spectra: int = 2000, long_run: int = 200_000_000, processes: int = 2) -> Outcome:
    """Spectra drawn from the expected spectra of the run's four detectors, each in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "deposits.npy")
        np.save(path, deposits(long_run))
        results = _in_processes(drawn_pulls, [(path, seed) for seed in range(spectra)], processes)
    return _outcome(f"Energies at strong lines, {spectra} drawn spectra of README's Eu-152 run", results)


def tracked_line_energies(runs: int = 200, processes: int = 2) -> Outcome:
    """Whole runs, simulated hit by hit, with `--track 1408.013`."""
    results = _in_processes(run_pulls, range(1, runs + 1), processes)
    every = [one for run in results for one in run]
    return _outcome(f"Energies at strong lines, {runs} of README's Eu-152 runs with --track 1408.013", every)


def _in_processes(task: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> list[Result]:
    """All results in order; `spawn`, since polars does not survive a fork."""
    if processes == 1:
        return [task(job) for job in jobs]
    with get_context("spawn").Pool(processes) as pool:
        return pool.map(task, list(jobs), chunksize=2)
