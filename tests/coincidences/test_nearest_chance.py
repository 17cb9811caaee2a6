"""How many nearest stops chance makes: against uncorrelated runs, known true coincidences, and a count of time."""

import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.analysis.accumulators import StopCover
from gammapolars.coincidences import PairRule
from tests.commandline import gammapolars
from tests.hits import BAD, frame, in_batches

Times = npt.NDArray[np.int64]

DURATION_PS = 2 * 10**11
WINDOW_PS = 1_000_000


def at_random(rng: np.random.Generator, rate_cps: float, dead_ps: int = 0) -> Times:
    """Times of hits at random, behind a dead time that later hits do not prolong."""
    waits = rng.exponential(1e12 / rate_cps, round(1.2 * rate_cps * DURATION_PS / 1e12) + 100)
    times = np.cumsum(waits + dead_ps).astype(np.int64)
    return np.asarray(times[times < DURATION_PS], np.int64)


def run_of(starts: Times, stops: Times) -> pl.DataFrame:
    channel = np.repeat([0, 1], [len(starts), len(stops)])
    return (
        pl.DataFrame({"channel": channel, "timestamp_ps": np.concatenate([starts, stops])})
        .sort("timestamp_ps")
        .select(
            board=pl.lit(0, pl.UInt16),
            channel=pl.col("channel").cast(pl.UInt16),
            timestamp_ps=pl.col("timestamp_ps"),
            adc=pl.lit(100, pl.UInt16),
            flags=pl.lit(0, pl.UInt32),
        )
    )


def told(folder: Path, hits: pl.DataFrame, window: str) -> tuple[int, float]:
    """Pairs, and those by chance, as the command tells them."""
    gp.save(hits.lazy(), folder / "run.parquet", overwrite=True)
    ends = ["--start", "0/0", "--stop", "0/1", "--window", window, "--nearest", "--json", "--overwrite"]
    done = gammapolars("coincidences", folder / "run.parquet", "-o", folder / "pairs.parquet", *ends)
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    (row,) = summary["pairs_by_detectors"]
    assert row["chance_pairs_expected"] == summary["chance_pairs_expected"]
    return summary["pairs"], summary["chance_pairs_expected"]


@pytest.mark.parametrize("window", ["0ns:1us", "-500ns:500ns", "-2us:-1us"])
@pytest.mark.parametrize(
    "covered", [pytest.param(0.05, marks=pytest.mark.slow), 1.0, pytest.param(2.0, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("dead_ps", [0, 400_000, 3_000_000])
def test_uncorrelated_stops_are_as_many_as_chance_expects(
    tmp_path: Path, window: str, covered: float, dead_ps: int
) -> None:
    """Stops at random, with a dead time shorter than the window, and with one longer: then no window holds two."""
    rng = np.random.default_rng(round(100 * covered) + dead_ps)
    starts, stops = at_random(rng, 50_000), at_random(rng, covered * 1e12 / WINDOW_PS, dead_ps)

    pairs, chance = told(tmp_path, run_of(starts, stops), window)

    n, p = len(starts), pairs / len(starts)
    assert abs(pairs - chance) < 4.5 * math.sqrt(n * p / (1 - p))  # of the starts that found none, too
    if dead_ps == 0:
        assert abs(pairs - n * -math.expm1(-covered)) < 4.5 * math.sqrt(n * p * (1 - p))
    if dead_ps > WINDOW_PS:
        plain = gp.chance_pairs(n, len(stops), WINDOW_PS, DURATION_PS / 1e12)
        assert abs(pairs - plain) < 4.5 * math.sqrt(n * p * (1 - p))


@pytest.mark.parametrize("true_part", [0.1, 0.6])
def test_true_coincidences_take_starts_away_from_chance(tmp_path: Path, true_part: float) -> None:
    pulls = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        starts, others = at_random(rng, 50_000), at_random(rng, 700_000)
        true = rng.random(len(starts)) < true_part
        stops = np.concatenate([starts[true] + rng.integers(1000, 9000, true.sum()), others])

        pairs, chance = told(tmp_path, run_of(starts, stops), "0ns:1us")

        p = 1 - chance / (chance + len(starts) - pairs)
        pulls.append((pairs - chance - true.sum()) / math.sqrt((~true).sum() * (1 - p) / p))
    assert abs(np.mean(pulls)) < 4 / math.sqrt(3)
    assert np.abs(pulls).max() < 4


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 1), st.sampled_from([0, 0, BAD & -BAD])), max_size=30),
    st.integers(0, 40),
    st.integers(-30, 30),
    st.integers(1, 9),
)
def test_covered_time_is_counted_moment_by_moment(
    rows: list[tuple[int, int, int]], width: int, low: int, size: int
) -> None:
    hits = frame([(time, channel, 0, 0, flags) for time, channel, flags in sorted(rows)])
    cover = StopCover(PairRule((low, low + width), start=(0, 0), stop=(0, 1)))
    for batch in in_batches(hits, size):
        cover.add_hits(batch)

    stops = [time for time, channel, flags in rows if channel == 1 and not flags]
    covered = {moment for stop in stops for moment in range(stop - low - width, stop - low)}
    assert cover.part(1, 1e-9) == pytest.approx(len(covered) / 1000)
