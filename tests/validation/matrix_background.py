"""The background of matrices in two dimensions: its pulls where it factorises, and its bias where cascades do not."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

import gammapolars as gp
from gammapolars import simulate
from gammapolars.detectors import Detector
from gammapolars.gates import Gate
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Source
from tests.matrices import BINS, drawn, model
from tests.validation.outcomes import Check, Outcome, pull_checks

Floats = npt.NDArray[np.float64]

HALF_KEV = 5.0
"""Gates reach so far to either side of a line, and its background as far again beyond."""


FEW = 20
"""Of fewer true coincidences there are no normal pulls."""


class Cascade(NamedTuple):
    """Two lines of a nuclide, in coincidence with each other or not."""

    nuclide: str
    first_kev: float
    second_kev: float


CASCADES = (
    Cascade("Co-60", 1173.228, 1332.492),
    Cascade("Co-60", 1332.492, 1332.492),
    Cascade("Eu-152", 344.279, 778.904),
    Cascade("Eu-152", 121.782, 1408.013),
    Cascade("Eu-152", 344.279, 1408.013),
)


def matrix_background(runs: int = 150, cascade_runs: int = 60, hits: int = 60_000) -> Outcome:
    """Pulls on matrices that factorise, and of cascades with the bias of both estimates of the background."""
    lines, checks, widths = [], [], list[tuple[float, float]]()
    for symmetric in (True, False):
        kind = "a symmetric matrix" if symmetric else "a matrix of two sides"
        of_sums, of_bins = _factorised(runs, symmetric=symmetric)
        checks += pull_checks(f"sums over {kind} whose background factorises", of_sums)
        checks += pull_checks(f"bins of gated spectra of {kind}", of_bins)
    for nuclide in dict.fromkeys(one.nuclide for one in CASCADES):
        found = np.array([list(_of_run(nuclide, hits, seed)) for seed in range(cascade_runs)])
        for cascade, of_runs in zip(_cascades(nuclide), found.swapaxes(0, 1), strict=True):
            more, bias, of_cascade = _judged(cascade, of_runs)
            lines.append(more)
            checks.append(bias)
            widths += of_cascade
    for what, of_method in zip(("the projections", "four gates"), zip(*widths, strict=True), strict=True):
        width = float(np.sqrt(np.mean(np.square(of_method))))
        checks.append(Check(f"width about their own means of the lines, by {what}", width, 0.85, 1.15))
    return Outcome(
        f"Background of matrices in two dimensions: {runs} matrices of each kind that factorise, "
        f"{cascade_runs} simulated runs of {hits:,} hits of each nuclide",
        lines,
        checks,
    )


def _factorised(runs: int, *, symmetric: bool) -> tuple[list[float], list[float]]:
    """Pulls of sums over rectangles, and of the bins of gated spectra that have enough counts to have normal pulls."""
    rng, (mean, lines, true) = np.random.default_rng(7), model()
    gates = [*(Gate(line - 5, line + 5) for line in lines), Gate(50, 80), Gate(1, BINS - 1)]
    centres = np.arange(BINS) + 0.5
    inside = np.array([(centres > gate.low) & (centres < gate.high) for gate in gates], np.float64)
    stored = true * (1 - 0.5 * np.eye(BINS)) if symmetric else true
    of_sums, of_bins = [], []
    for _ in range(runs):
        net = gp.NetMatrix(drawn(rng, mean, symmetric=symmetric), width=1)
        for i, j in zip(*np.triu_indices(len(gates)), strict=True):
            found = net.sum(gates[i], gates[j])
            of_sums.append((found.counts - inside[i] @ stored @ inside[j]) / found.unc)
        spectrum = net.project(gates[0])
        places = np.rint(spectrum["energy_kev"].to_numpy() - 0.5).astype(int)
        expected, often = (inside[0] @ stored)[places], (inside[0] @ mean)[places] > 50
        pulls = (spectrum["counts"].to_numpy() - expected) / spectrum["variance"].sqrt().to_numpy()
        of_bins += pulls[often].tolist()
    return of_sums, of_bins


def _cascades(nuclide: str) -> list[Cascade]:
    return [one for one in CASCADES if one.nuclide == nuclide]


def _of_run(nuclide: str, hits: int, seed: int) -> Iterator[tuple[float, ...]]:
    """For each two lines of a nuclide: true coincidences, and both estimates with their uncertainties."""
    detectors = [Detector(0, channel, f"HPGe-{channel}", (0.1, 0.11), kind="HPGe") for channel in range(4)]
    simulated = [
        SimulatedDetector.from_detector(one, solid_angle=0.15, background_cps=0.0, angle_deg=90.0 * one.channel)
        for one in detectors
    ]
    chunks = list(simulate.simulate([Source(nuclide, 1_000.0)], simulated, seed=seed, hits=hits))
    table = pl.concat([chunk.hits for chunk in chunks]).with_row_index("hit")
    known = gp.Detectors(tuple(detectors))
    pairs = gp.pairs(table.drop("hit").lazy().pipe(gp.calibrate, known, dither=True), window="250ns").collect()
    matrix = pairs.lazy().pipe(gp.matrix, bin_kev=1.0).collect()
    truth = pl.concat([chunk.truth for chunk in chunks])
    net = gp.NetMatrix(matrix, width=1.0)
    for _, first, second in _cascades(nuclide):
        x, y = (_gate(line) for line in (first, second))
        of_net, of_four = net.sum(Gate(x.low, x.high), Gate(y.low, y.high)), gp.coincidence_peak(matrix, x, y, width=1)
        yield _true(truth, first, second), of_net.counts, of_net.unc, of_four.net, of_four.net_unc


def _gate(line: float) -> Gate:
    middle = round(line)
    low, high = middle - HALF_KEV, middle + HALF_KEV
    return Gate(low, high, ((low - HALF_KEV, low), (high, high + HALF_KEV)))


def _true(truth: pl.DataFrame, first: float, second: float) -> int:
    """Decays of which one detector saw all of the first line and another all of the second.

    Two photons that add up to a line in one detector, as 444 and 964 keV do to 1408 keV, make the same peak.
    """
    is_full = pl.col("full_energy") | (pl.col("deposits") > 1)
    of_lines = [
        truth.filter((pl.col("deposit_kev") - line).abs() < 0.5, is_full).select("decay", "hit")
        for line in (first, second)
    ]
    return of_lines[0].join(of_lines[1], on="decay").filter(pl.col("hit") != pl.col("hit_right")).height


def _judged(cascade: Cascade, found: Floats) -> tuple[str, Check, list[tuple[float, float]]]:
    """What both estimates make of two lines: their bias, and, of enough coincidences, the width about their means."""
    true, by_net, net_unc, by_four, four_unc = found.T
    biases, widths = [], []
    for counts, unc in ((by_net, net_unc), (by_four, four_unc)):
        excess = counts - true
        biases.append((excess.mean(), max(excess.std(ddof=1), 0.1) / np.sqrt(len(true))))
        widths.append(float(((counts - counts.mean()) / np.maximum(unc, 0.1)).std(ddof=1)))
    name = f"{cascade.nuclide} {cascade.first_kev:.0f}–{cascade.second_kev:.0f}"
    line = f"{name:<20} {true.mean():8.1f} true" + "".join(
        f"; {what} {bias:+8.1f} ± {unc:4.1f} of them, pull width {width:.2f}"
        for what, (bias, unc), width in zip(("projections", "four gates"), biases, widths, strict=True)
    )
    bias = float(biases[1][0] / biases[1][1])
    check = Check(f"bias of the four gates, {name}, in standard deviations of {len(true)} runs", bias, -4.0, 4.0)
    return line, check, [(widths[0], widths[1])] if true.mean() > FEW else []
