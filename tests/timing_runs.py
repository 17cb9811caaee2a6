"""Simulated runs for tests of timing: detectors around Co-60, with known offsets and walk."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gammapolars import simulate
from gammapolars.detectors import Detector, Detectors

OFFSETS = (0, 1_234, -777, 250_000)
LABR_WALK = ((60_000.0, 200_000.0), (80_000.0,), (30_000.0, 500_000.0), (50_000.0, 100_000.0))


def described(kind: str, offsets: Sequence[int], walks: Sequence[tuple[float, ...] | None] | None = None) -> Detectors:
    """Detectors on channels 0, 1, … with these offsets (ps) and walks."""
    walks = walks or [None] * len(offsets)
    return Detectors(
        tuple(
            Detector(0, channel, f"{kind}-{channel}", kind=kind, time_offset_ps=offset, time_walk_ps=walk)
            for channel, (offset, walk) in enumerate(zip(offsets, walks, strict=True))
        )
    )


def simulated(path: Path, detectors: Detectors, *, hits: int, seed: int = 1, source: str = "", **changes: Any) -> Path:
    """A Parquet file of hits; without a source of background alone."""
    changes = {"solid_angle": 0.15, "background_cps": 50.0} | changes
    around = simulate.around_source(detectors, **changes)
    sources = simulate.parse_sources([source]) if source else ()
    chunks = simulate.simulate(sources, around, seed=seed, hits=hits)
    pl.concat([chunk.hits for chunk in chunks]).write_parquet(path)
    return path


Drift = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""How much too much a clock has counted after so many seconds, ps."""


def steady(ppm: float) -> Drift:
    """A clock that is fast by a constant rate."""
    return lambda seconds: ppm * 1e6 * seconds


def swinging(ppm: float, amplitude_ppm: float, period_s: float) -> Drift:
    """A clock whose rate swings about a mean."""
    turn = 2 * math.pi / period_s
    return lambda seconds: ppm * 1e6 * seconds + amplitude_ppm * 1e6 / turn * (1 - np.cos(turn * seconds))


def two_clocks(
    drift: Mapping[int, Drift],
    *,
    seconds: float = 100.0,
    true_cps: float = 30.0,
    chance_cps: float = 0.0,
    sigma_ps: float = 5000.0,
    step_ps: int = 1,
    offset_ps: float = 0.0,
    boards: int = 2,
    channels: int = 1,
    start_s: float = 0.0,
    seed: int = 1,
) -> pl.DataFrame:
    """Hits of boards whose clocks drift: coincidences of any two of them, and hits by chance, at adc 1000.

    Args:
        drift: of the boards whose clocks are not right.
        seconds: how long.
        true_cps: coincidences a second.
        chance_cps: further hits of each board a second.
        sigma_ps: of the time differences.
        step_ps: of the clocks.
        offset_ps: how much later the other boards are than board 0.
        boards: how many.
        channels: of each board; which one a hit is of is up to chance.
        start_s: when the run begins.
        seed: of the random numbers.
    """
    rng = np.random.default_rng(seed)
    coincidences = rng.poisson(true_cps * seconds)
    times = start_s + seconds * rng.random(coincidences)
    ends = rng.permuted(np.tile(np.arange(boards), (coincidences, 1)), axis=1)[:, :2]
    jitter = rng.normal(0.0, sigma_ps / math.sqrt(2), ends.shape)
    alone = [rng.poisson(chance_cps * seconds) for _ in range(boards)]
    board = np.concatenate([ends.ravel(), np.repeat(np.arange(boards), alone)])
    true_s = np.concatenate([np.repeat(times, 2), start_s + seconds * rng.random(sum(alone))])
    ps = true_s * 1e12 + np.concatenate([jitter.ravel(), np.zeros(sum(alone))]) + np.where(board > 0, offset_ps, 0.0)
    for number, of_board in drift.items():
        own = board == number
        ps[own] += of_board(true_s[own])
    columns = {
        "board": board.astype(np.uint16),
        "channel": rng.integers(0, channels, len(board)).astype(np.uint16),
        "timestamp_ps": (ps // step_ps).astype(np.int64) * step_ps,
        "adc": np.full(len(board), 1000, np.uint16),
        "flags": np.zeros(len(board), np.uint32),
    }
    return pl.DataFrame(columns).sort("timestamp_ps")
