"""Pairs found in simulated runs are those that the simulation knows of."""

import functools
import math

import polars as pl
import pytest

import gammapolars as gp
from gammapolars import simulate
from gammapolars.detectors import Detector
from gammapolars.simulate.response import SimulatedDetector
from gammapolars.simulate.sources import Source

WINDOW_PS = 250_000


@functools.cache
def run_with_truth(seed: int, nuclide: str, activity_bq: float, hits: int) -> pl.DataFrame:
    """A run's hits beside the decays that made them."""
    detectors = [
        SimulatedDetector.from_detector(
            Detector(0, channel, f"HPGe-{channel}", (0.1, 0.11), kind="HPGe"),
            solid_angle=0.1,
            background_cps=1.0,
            trigger_ps=0,  # no hit is the sum of two decays
        )
        for channel in range(4)
    ]
    chunks = list(simulate.simulate([Source(nuclide, activity_bq)], detectors, seed=seed, hits=hits))
    return pl.concat(pl.concat([chunk.hits, chunk.truth.select("hit", "decay")], how="horizontal") for chunk in chunks)


@pytest.mark.parametrize("nuclide", ["Co-60", "Na-22"])
def test_pairs_are_those_of_the_same_decay_where_decays_do_not_overlap(nuclide: str) -> None:
    run = run_with_truth(3, nuclide, 20.0, 20_000)
    # Decays so rare that no two of them come within the window; those that do are left out with all that is near.
    time, decay = pl.col("timestamp_ps"), pl.col("decay")
    crowded = (time.diff() < 4 * WINDOW_PS) & ((decay != decay.shift(1)) | (decay == 0))
    near = run.with_columns(group=(time.diff() >= 4 * WINDOW_PS).fill_null(value=False).cum_sum(), crowded=crowded)
    alone = near.filter(~pl.col("crowded").any().over("group"))
    assert alone.height > 0.99 * run.height

    found = gp.pairs(alone.lazy().select(*gp.HITS.columns, "hit", "decay"), WINDOW_PS, reject="none").collect()

    same = alone.filter(decay > 0).select("hit", "decay")
    true = same.join(same, on="decay", suffix="_other").filter(pl.col("hit") < pl.col("hit_other"))
    assert true.height > 500
    ends = found.select(low=pl.min_horizontal("hit_a", "hit_b"), high=pl.max_horizontal("hit_a", "hit_b"))
    assert set(ends.rows()) == set(true.select("hit", "hit_other").rows())
    assert (found["decay_a"] == found["decay_b"]).all()


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 8), marks=pytest.mark.slow)])
@pytest.mark.parametrize("random", ["600ns:2900ns", "auto"])
def test_net_pairs_are_the_true_ones_where_decays_overlap(random: str, seeds: range) -> None:
    """Random windows lie within the dead time of a true hit, and end before pile-up does: as the prompt window."""
    pulls = []
    for seed in seeds:
        hits = run_with_truth(seed, "Co-60", 200_000.0, 200_000).lazy().select(*gp.HITS.columns, "decay")

        found = gp.pairs(hits, WINDOW_PS, random=random).collect()

        same = (pl.col("decay_a") == pl.col("decay_b")) & (pl.col("decay_a") > 0)
        prompt = pl.col("region") == "prompt"
        true = found.filter(same & prompt).height
        assert found.filter(same & ~prompt).is_empty()
        assert found.filter(prompt).height > 1.1 * true
        chance_unc = float((found.filter(~prompt | ~same)["weight"] ** 2).sum()) ** 0.5
        pulls.append((float(found["weight"].sum()) - true) / chance_unc)
    assert abs(sum(pulls)) / math.sqrt(len(seeds)) < 4
