"""The figure of merit of pulse shapes, compared with simulated truth."""

import numpy as np
import polars as pl
import pytest

import gammapolars as gp

EDGES = np.arange(-40, 241) * 0.005
GAMMAS, NEUTRONS, REST = (5000, 0.15, 0.02), (800, 0.28, 0.03), 100
FOM = (0.28 - 0.15) / (2 * np.sqrt(2 * np.log(2)) * (0.02 + 0.03))
TRUTH = {
    "fom": FOM,
    **{"psd_1": 0.15, "fwhm_1": 0.04709640, "counts_1": 5000.0},
    **{"psd_2": 0.28, "fwhm_2": 0.07064460, "counts_2": 800.0},
}


def distribution(rng: np.random.Generator, *peaks: tuple[int, float, float]) -> pl.DataFrame:
    """Filled bins of Gaussians, each with its counts, place and σ, and of some counts everywhere."""
    hits = [rng.normal(place, sigma, rng.poisson(counts)) for counts, place, sigma in peaks]
    counts, _ = np.histogram(np.concatenate([*hits, rng.uniform(-0.2, 1.2, rng.poisson(REST))]), EDGES)
    return pl.DataFrame({"psd": (EDGES[1:] + EDGES[:-1]) / 2, "counts": counts}).filter(pl.col("counts") > 0)


def test_it_scatters_about_the_truth_as_much_as_it_says() -> None:
    rng = np.random.default_rng(3)
    drawn = [distribution(rng, GAMMAS, NEUTRONS).with_columns(channel=pl.lit(n, pl.UInt16)) for n in range(40)]

    found = gp.figure_of_merit(pl.concat(drawn))

    assert found["channel"].to_list() == list(range(40))
    assert set(found["status"]) == {"ok"}
    for name, value in TRUTH.items():
        pulls = ((found[name] - value) / found[f"{name}_unc"]).to_numpy()
        assert abs(pulls.mean()) < 3.5 / np.sqrt(40), name
        assert 0.65 < pulls.std() < 1.4, name
    assert found["chi2_ndf"].mean() == pytest.approx(1, abs=0.35)


def test_a_range_leaves_the_rest_out() -> None:
    rng = np.random.default_rng(4)
    shapes = distribution(rng, GAMMAS, NEUTRONS, (20_000, 0.9, 0.1))

    (row,) = gp.figure_of_merit(shapes, between=(0.0, 0.5)).rows(named=True)
    assert abs(row["fom"] - FOM) < 4 * row["fom_unc"] < 0.2
    with pytest.raises(gp.UsageError, match="must rise"):
        gp.figure_of_merit(shapes, between=(0.5, 0.0))


def test_where_there_is_no_second_peak_there_is_no_number() -> None:
    rng = np.random.default_rng(5)
    few = pl.DataFrame({"psd": [0.1025], "counts": [7]})

    (row,) = gp.figure_of_merit(distribution(rng, GAMMAS)).rows(named=True)
    assert (row["fom"], row["status"]) == (None, "no second peak")
    assert gp.figure_of_merit(few)["status"].to_list() == ["too few bins with counts"]
    assert gp.figure_of_merit(few.clear()).height == 1
    near = distribution(rng, GAMMAS, (50_000, 0.16, 0.05))
    assert gp.figure_of_merit(near)["status"].to_list() == ["the peaks are not resolved"]


def test_tables_of_something_else_are_refused() -> None:
    with pytest.raises(gp.TableError, match="no column 'psd'"):
        gp.figure_of_merit(pl.DataFrame({"energy_kev": [1.0], "counts": [1]}))
    with pytest.raises(gp.TableError, match="equally wide"):
        gp.figure_of_merit(pl.DataFrame({"psd": [0.1, 0.2, 0.35], "counts": [1, 1, 1]}))
    with pytest.raises(gp.TableError, match="not below 0"):
        gp.figure_of_merit(pl.DataFrame({"psd": [0.1, 0.2], "counts": [1, -1]}))
