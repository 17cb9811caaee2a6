"""Triples of detectors that fire by chance, two and all at a time: net of chance, the true ones must be left."""

import math
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import gammapolars as gp
from tests.validation.outcomes import Check, Outcome, pull_checks

WINDOW, RANDOM = "250ns", ("500ns:2us",)

LONG_S, SPREAD_PS = 0.25, 20_000
SINGLES_HZ, PAIRS_HZ, TRIPLES_HZ = 1.5e5, 6e3, 2e3


def run_of(seed: int, *, pairs_hz: float = 0, triples_hz: float = 0, step_ps: int = 1) -> tuple[pl.LazyFrame, int]:
    """Hits of three detectors that fire by chance, two at a time, and all at a time; and how often all did."""
    random = np.random.default_rng(seed)
    end = int(LONG_S * 1e12)
    times = [random.integers(0, end, random.poisson(SINGLES_HZ * LONG_S)) for _ in range(3)]
    channels, true = [0, 1, 2], random.poisson(triples_hz * LONG_S)
    together = [(two, random.poisson(pairs_hz * LONG_S)) for two in combinations(range(3), 2)]
    for detectors, count in [*together, ((0, 1, 2), true)]:
        at = random.integers(0, end, count)
        for channel in detectors:
            times.append(at + np.clip(random.normal(0, SPREAD_PS, count), -90_000, 90_000).astype(np.int64))
            channels.append(channel)
    energies = [np.full(len(part), 100 * channel + 50.0) for part, channel in zip(times, channels, strict=True)]
    table = pl.DataFrame(
        {
            "board": np.zeros(sum(map(len, times)), np.uint16),
            "channel": np.repeat(channels, list(map(len, times))).astype(np.uint16),
            "timestamp_ps": np.concatenate(times) // step_ps * step_ps,
            "adc": np.zeros(sum(map(len, times)), np.uint16),
            "flags": np.zeros(sum(map(len, times)), np.uint32),
            "energy_kev": np.concatenate(energies),
        }
    )
    return table.sort("timestamp_ps").lazy(), true


KINDS: dict[str, dict[str, Any]] = {
    "hits by chance": {},
    "true pairs": {"pairs_hz": PAIRS_HZ},
    "true triples": {"pairs_hz": PAIRS_HZ, "triples_hz": TRIPLES_HZ},
    "a clock of 100 ns": {"pairs_hz": PAIRS_HZ, "step_ps": 100_000},
}


def pulls(made: dict[str, Any], seeds: Iterable[int]) -> tuple[npt.NDArray[np.float64], float]:
    """(net - true) / σ of some runs, and how many prompt triples chance made for each of its standard deviations."""
    found, subtracted, variances = [], 0.0, 0.0
    for seed in seeds:
        hits, true = run_of(seed, **made)
        table = gp.triples(hits, WINDOW, random=RANDOM).select("region", "weight").collect()
        weight = table["weight"].to_numpy()
        variance = float((weight**2).sum()) - true  # the true ones are known here, and do not scatter
        found.append((float(weight.sum()) - true) / math.sqrt(variance))
        subtracted += table.filter(pl.col("region") == "prompt").height - true
        variances += variance
    return np.array(found), subtracted / math.sqrt(variances)


def triples(runs: int = 1000, seed: int = 1) -> Outcome:
    """Net triples less the true ones, in units of their uncertainties, of several kinds of runs."""
    lines, checks = [], []
    for name, made in KINDS.items():
        found, subtracted = pulls(made, range(seed * 10_000, seed * 10_000 + runs))
        together = float(found.sum() / math.sqrt(runs))
        lines.append(f"{name}: chance makes {subtracted / math.sqrt(runs):.1f} σ of a run, pulls {found.mean():+.3f}")
        checks += pull_checks(f"net triples, {name}", found)
        checks.append(Check(f"net triples of all runs together, {name}, in standard deviations", together, -3.5, 3.5))
    return Outcome(
        f"Triples: {runs} runs each of {LONG_S:g} s, |dt| ≤ {WINDOW}, random windows {RANDOM[0]}", lines, checks
    )
