"""Simulated runs for tests of timing: detectors around Co-60, with known offsets and walk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
