"""Spectra in other bins: counts by overlap, variances that are right for sums over ranges."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.core.errors import TableError, UsageError
from gammapolars.core.schema import SPECTRUM, require
from tests.drawing import examples


def spectrum(counts: dict[float, float], width: float = 1.0, **keys: int) -> pl.DataFrame:
    """Bins by number."""
    numbers = np.array(list(counts), dtype=np.float64)
    table = pl.DataFrame({"energy_kev": (numbers + 0.5) * width, "counts": list(counts.values())})
    table = table.cast(pl.Float64).with_columns(variance=2 * pl.col("counts"))
    return table.with_columns(pl.lit(value, pl.Int64).alias(name) for name, value in keys.items())


BINS = st.dictionaries(st.integers(-20, 60), st.integers(-5, 100), max_size=25)
EDGES = st.lists(st.floats(-40, 80), min_size=2, max_size=9, unique_by=lambda edge: round(edge, 3)).map(sorted)


@examples(100)
@given(BINS, BINS, st.sampled_from([0.25, 1.0, 3.0]), st.sampled_from([0.3, 0.5, 1.0, 2.0, 4.7]) | EDGES)
def test_counts_and_variances_are_shared_out_by_overlap(
    first: dict[float, float], second: dict[float, float], width: float, new: float | list[float]
) -> None:
    table = pl.concat([spectrum(first, width, run=1), spectrum(second, width, run=2)])
    edges = new if isinstance(new, list) else (np.arange(-400, 800) * new).tolist()
    how: dict[str, Any] = {"edges_kev": new} if isinstance(new, list) else {"bin_kev": new}

    found = gp.rebin(table, **how, width=width).collect()

    require(found.lazy(), SPECTRUM)
    for run, counts in ((1, first), (2, second)):
        expected = {}
        for low, high in pairwise(edges):
            overlaps = {n: min(high, (n + 1) * width) - max(low, n * width) for n in counts}
            expected[(low + high) / 2] = sum(counts[n] * part / width for n, part in overlaps.items() if part > 0)
        of_run = found.filter(run=run)
        centres = np.array(list(expected))
        for centre, count, variance in of_run.select("energy_kev", "counts", "variance").iter_rows():
            place = centres[np.abs(centres - centre).argmin()]
            assert centre == pytest.approx(place, abs=1e-9)
            assert count == pytest.approx(expected.pop(place), abs=1e-4)
            assert variance == pytest.approx(2 * count, abs=1e-9)
        assert all(abs(rest) < 1e-4 for rest in expected.values())


@pytest.mark.parametrize(("width", "new"), [(0.1, 0.3), (0.1, 0.7), (1.0, 4.0), (0.25, 0.5), (1 / 3, 1.0)])
def test_whole_multiples_are_exact(width: float, new: float) -> None:
    energies = np.random.default_rng(1).uniform(0, 2000, 20_000)
    hits = pl.LazyFrame({"energy_kev": energies})

    found = gp.rebin(gp.spectrum(hits, bin_kev=width, by=()), bin_kev=new).collect()

    assert (found["counts"] == found["counts"].round()).all()
    assert found["counts"].sum() == 20_000
    expected = np.histogram(np.floor(energies / width) + 0.5, np.arange(0, 2000 / width + 50, round(new / width)))[0]
    np.testing.assert_array_equal(found["counts"].to_numpy(), expected[expected > 0])


@pytest.mark.parametrize("new", [0.37, 0.7, 1.3, 2.6])
def test_a_sum_over_a_range_has_the_variance_of_its_counts(new: float) -> None:
    """Pulls of sums over 12 keV of Poisson bins of 1 keV about the truth."""
    random = np.random.default_rng(5)
    truth = 50 + 30 * np.sin(np.arange(60) / 5)
    trials = 1500
    table = pl.DataFrame(
        {
            "trial": np.repeat(np.arange(trials), 60),
            "energy_kev": np.tile(np.arange(60) + 0.5, trials),
            "counts": random.poisson(truth, (trials, 60)).ravel().astype(float),
        }
    ).with_columns(variance=pl.col("counts"))

    found = gp.rebin(table, bin_kev=new).filter(pl.col("energy_kev").is_between(20, 32)).collect()

    sums = found.group_by("trial").agg(
        pl.col("counts", "variance").sum(), pl.col("energy_kev").min().alias("low"), pl.len()
    )
    low = sums["low"][0] - new / 2
    high = low + sums["len"][0] * new
    part = np.clip(np.minimum(high, np.arange(1, 61)) - np.maximum(low, np.arange(60)), 0, 1)
    pulls = (sums["counts"] - (part * truth).sum()).to_numpy() / np.sqrt(sums["variance"].to_numpy())
    exact = np.sqrt((part**2 * truth).sum() / (part * truth).sum())  # the cut bins at both ends fluctuate less
    assert 0.95 < exact <= 1
    assert abs(pulls.mean()) < 0.1
    assert pulls.std() == pytest.approx(exact, abs=0.06)


def test_squared_shares_would_make_the_variance_of_a_sum_too_small() -> None:
    """What the choice of variances is about: half bins have a quarter of the variance each, and their sum not half."""
    found = gp.rebin(spectrum({0: 100.0, 1: 100.0}), bin_kev=0.5).collect()

    assert found["counts"].to_list() == [50.0] * 4
    assert found["variance"].sum() == 400  # 200 in each bin, as before


def test_channels_have_the_widths_of_their_energies() -> None:
    adc = np.delete(np.arange(100, 4000, dtype=float), [5, 17, 18, 19, 1000])
    energy = 3.0 + 0.4 * adc + 2e-5 * adc**2
    counts = np.full(len(adc), 100.0)
    table = pl.DataFrame({"run": 1, "adc": adc, "energy_kev": energy, "counts": counts, "variance": counts})

    found = gp.rebin(table, bin_kev=2.0).collect()

    assert found.columns == ["run", "energy_kev", "counts", "variance"]
    assert found["counts"].sum() == pytest.approx(counts.sum())
    whole = found.filter(pl.col("energy_kev") > 600)[:-1]
    where = (whole["energy_kev"] - 3.0) / 1.0
    slope = np.sqrt(0.4**2 + 4 * 2e-5 * where.to_numpy())  # dE/d(adc) at an energy
    inside = np.abs(whole["counts"].to_numpy() - 200 / slope) < 0.01
    assert inside.mean() > 0.99  # all but those around the channel that is missing


def test_bins_of_adc_and_back() -> None:
    hits = pl.DataFrame({"adc": np.random.default_rng(1).integers(0, 4096, 30_000).astype(np.uint16)}).lazy()
    single, fours = gp.spectrum(hits, bin_adc=1, by=()), gp.spectrum(hits, bin_adc=4, by=())

    assert gp.rebin(single, bin_adc=4).collect().equals(fours.collect())
    assert gp.rebin(single, bin_adc=12).collect().equals(gp.rebin(fours, bin_adc=12).collect())
    assert gp.rebin(fours, edges_adc=[-0.5, 63.5, 4095.5]).collect()["counts"].to_list() == [
        hits.filter(pl.col("adc") < 64).collect().height,
        hits.filter(pl.col("adc") >= 64).collect().height,
    ]


def test_bins_of_different_widths_keep_them_and_can_be_rebinned() -> None:
    uneven = gp.rebin(spectrum(dict.fromkeys(range(10), 6.0)), edges_kev=[1, 2, 4, 8])

    assert uneven.collect().select("energy_kev", "counts", "width_kev").rows() == [
        (1.5, 6, 1),
        (3.0, 12, 2),
        (6.0, 24, 4),
    ]
    assert gp.rebin(uneven, bin_kev=1.0).collect()["counts"].to_list() == [6.0] * 7


def test_sparse_bins_tell_their_width_by_their_place() -> None:
    sparse = spectrum({3: 5.0, 5: 5.0, 9: 1.0})  # every distance is even, but the centres are not those of 2 keV bins

    assert gp.rebin(sparse, bin_kev=0.5).collect()["counts"].to_list() == [2.5, 2.5, 2.5, 2.5, 0.5, 0.5]


def test_what_cannot_be_rebinned_is_refused() -> None:
    one = spectrum({3: 5.0})
    uneven = pl.DataFrame({"energy_kev": [1.0, 2.0, 2.9, 4.234567], "counts": [1.0] * 4, "variance": [1.0] * 4})

    several: tuple[dict[str, Any], ...] = ({}, {"bin_kev": 1.0, "bin_adc": 2})
    for how in several:
        with pytest.raises(UsageError, match="give the new bins with one of"):
            gp.rebin(one, **how)
    for width in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="wider than 0"):
            gp.rebin(one, bin_kev=width)
    for edges in ([1.0], [1.0, 1.0], [2.0, 1.0], [0.0, np.inf]):
        with pytest.raises(UsageError, match="in ascending order"):
            gp.rebin(one, edges_kev=edges)
    with pytest.raises(TableError, match="no column 'adc'"):
        gp.rebin(one, bin_adc=2)
    with pytest.raises(TableError, match="no column 'counts'"):
        gp.rebin(one.drop("counts"), bin_kev=2)
    with pytest.raises(TableError, match="a single bin does not give its width"):
        gp.rebin(one, bin_kev=2).collect()
    with pytest.raises(TableError, match="do not have the same width"):
        gp.rebin(uneven, bin_kev=2).collect()
    with pytest.raises(UsageError, match="too narrow"):
        gp.rebin(one, bin_kev=1e-9, width=1.0).collect()
    with pytest.raises(TableError, match="1 bins have no energy_kev"):
        gp.rebin(one.with_columns(energy_kev=pl.lit(None, pl.Float64)), bin_kev=2).collect()


def test_nothing_stays_nothing() -> None:
    assert gp.rebin(spectrum({}, run=1), bin_kev=2).collect().is_empty()
