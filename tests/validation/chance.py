"""Runs without a single true coincidence: what is left when chance has been subtracted must be nothing."""

import numpy as np
import polars as pl

import gammapolars as gp
from gammapolars import simulate
from gammapolars.detectors import Detector
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Source
from tests.validation.outcomes import Check, Outcome, pull_checks

WINDOW, RANDOM = "200ns", ("1us:3us",)

BIN_KEV = 220.0
"""Bins of the matrix, wide enough that those of the continuum hold some tens of pairs."""

LEAST_PAIRS = 50
"""Bins that are expected to hold fewer prompt pairs have no normal pulls."""


def uncorrelated_hits(seed: int, hits: int, *, rate_bq: float = 1.5e6) -> pl.LazyFrame:
    """Calibrated hits of Cs-137 and background in three HPGe detectors on a clock of 10 ns: one photon a decay."""
    energy = (0.1, 0.11)
    detectors = [Detector(0, channel, f"HPGe-{channel}", energy, kind="HPGe") for channel in range(3)]
    simulated = [SimulatedDetector.from_detector(one, background_cps=5_000.0) for one in detectors]
    chunks = simulate.simulate([Source("Cs-137", rate_bq)], simulated, seed=seed, hits=hits)
    table = pl.concat([chunk.hits for chunk in chunks])
    return table.lazy().pipe(gp.calibrate, gp.Detectors(tuple(detectors)))


def chance(runs: int = 500, hits: int = 100_000, seed: int = 1) -> Outcome:
    """Net pairs, and net counts in each bin of their matrix, in units of their uncertainties."""
    totals: list[tuple[int, float, float]] = []
    matrices: list[pl.DataFrame] = []
    for number in range(runs):
        pairs = uncorrelated_hits(seed * 10_000 + number, hits).pipe(gp.pairs, WINDOW, random=RANDOM).collect()
        weight = pairs["weight"]
        totals.append(
            (pairs.filter(pl.col("region") == "prompt").height, float(weight.sum()), float((weight**2).sum()))
        )
        matrices.append(pairs.lazy().pipe(gp.matrix, bin_kev=BIN_KEV).collect())
    prompt, net, variance = np.array(totals).T
    bins = _filled_bins(pl.concat(matrices), runs)
    # All runs together show small effects that single ones hide.
    summed = bins.group_by("energy_kev_x", "energy_kev_y").agg(pl.col("counts", "variance").sum())
    largest = float(np.abs(summed["counts"] / summed["variance"].sqrt()).max())
    together = float(net.sum() / np.sqrt(variance.sum()))
    least = float(bins["counts"].to_numpy().min())
    return Outcome(
        f"Chance: {runs} runs of {hits:,} hits without true coincidences",
        [
            f"{prompt.sum():,.0f} pairs within {WINDOW}, net {net.sum():,.0f} ± {np.sqrt(variance.sum()):,.0f}; "
            f"{summed.height} bins of ({BIN_KEV:g} keV)² with more than {LEAST_PAIRS} pairs a run",
        ],
        [
            *pull_checks("net pairs", net / np.sqrt(variance)),
            *pull_checks("net counts of matrix bins", bins["counts"] / bins["variance"].sqrt()),
            Check("net pairs of all runs together, in standard deviations", together, -3.5, 3.5),
            Check("largest net counts of a bin in all runs together, in standard deviations", largest, high=4.0),
            Check("least net counts of a bin in a run, which are not clipped", least, high=-1.0),
        ],
    )


def _filled_bins(matrices: pl.DataFrame, runs: int) -> pl.DataFrame:
    """The bins of all matrices that hold enough pairs on average, one half of the symmetric matrix.

    They are chosen by the mean of all runs: chosen by each run's own counts, they would be biased.
    """
    axes = ["energy_kev_x", "energy_kev_y"]
    often = matrices.group_by(axes).agg(mean=pl.col("variance").sum() / runs).filter(pl.col("mean") > LEAST_PAIRS)
    return matrices.join(often, on=axes, how="semi").filter(pl.col("energy_kev_x") < pl.col("energy_kev_y"))
