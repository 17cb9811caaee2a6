"""Sums, differences and quotients of spectra: counts, variances, common bins, and pulls from simulated truth."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import TableError, UsageError
from tests.drawing import examples

Rows = dict[tuple[int, int], int]

BINS = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 30)), st.integers(0, 100), max_size=30)


def spectra(rows: Rows, width: float = 2.0, axis: str = "energy_kev") -> pl.DataFrame:
    """Counts by (channel, bin) of board 0."""
    columns = {
        "board": [0] * len(rows),
        "channel": [channel for channel, _ in rows],
        axis: [(place + 0.5) * width if axis == "energy_kev" else place for _, place in rows],
        "counts": list(rows.values()),
        "variance": list(rows.values()),
    }
    dtypes = {"board": pl.UInt16, "channel": pl.UInt16, axis: pl.Float64, "counts": pl.Float64, "variance": pl.Float64}
    return pl.DataFrame(columns, dtypes)


def as_dict(table: pl.DataFrame, width: float = 2.0) -> dict[tuple[int, int], tuple[float, float]]:
    rows = table.select("channel", "energy_kev", "counts", "variance").iter_rows()
    return {(channel, round(energy / width - 0.5)): (counts, variance) for channel, energy, counts, variance in rows}


@examples(60)
@given(BINS, BINS, st.floats(0, 3), st.floats(0, 1))
def test_a_difference_bin_by_bin(a: Rows, b: Rows, scale: float, unc: float) -> None:
    found = as_dict(gp.subtract(spectra(a), spectra(b), scale=scale, scale_unc=unc, width=2.0).collect())

    expected = {}
    for key in a.keys() | b.keys():
        n, m = a.get(key, 0), b.get(key, 0)
        expected[key] = (n - scale * m, n + scale**2 * m + m**2 * unc**2)
    assert found.keys() == expected.keys()
    for key, values in found.items():
        assert values == pytest.approx(expected[key])


@examples(60)
@given(BINS, BINS, BINS)
def test_a_sum_of_runs_and_of_detectors(a: Rows, b: Rows, c: Rows) -> None:
    tables = [spectra(rows) for rows in (a, b, c)]

    by_detector = as_dict(gp.add_spectra(*tables, width=2.0).collect())
    in_all = gp.add_spectra(*tables, by=(), width=2.0).collect()

    expected = {key: float(sum(rows.get(key, 0) for rows in (a, b, c))) for key in a.keys() | b.keys() | c.keys()}
    assert by_detector == {key: (value, value) for key, value in expected.items()}
    assert in_all.columns == ["energy_kev", "counts", "variance"]
    places = {place for _, place in expected}
    for energy, counts in in_all.select("energy_kev", "counts").iter_rows():
        place = round(energy / 2 - 0.5)
        assert counts == sum(value for (_, at), value in expected.items() if at == place)
        places.remove(place)
    assert not places


@pytest.mark.slow
def test_a_spectrum_less_its_background_has_pulls_of_width_1() -> None:
    random = np.random.default_rng(3)
    trials, bins, scale, unc = 200, 50, 0.5, 0.05
    signal, below = np.linspace(0, 40, bins), 20.0
    axis = {"trial": np.repeat(np.arange(trials), bins), "energy_kev": np.tile(np.arange(bins) + 0.5, trials)}

    def recorded(mean: npt.NDArray[np.float64]) -> pl.DataFrame:
        counts = random.poisson(np.tile(mean, (trials, 1))).ravel().astype(float)
        return pl.DataFrame({**axis, "counts": counts}).with_columns(variance=pl.col("counts"))

    measured = random.normal(scale, unc, trials)
    foreground, background = recorded(signal + below), recorded(np.full(bins, below / scale))
    parts = [
        gp.subtract(foreground.filter(trial=t), background.filter(trial=t), scale=measured[t], scale_unc=unc)
        for t in range(trials)
    ]
    found = pl.concat(pl.collect_all(parts))

    pulls = ((found["counts"] - np.tile(signal, trials)) / found["variance"].sqrt()).to_numpy()
    assert found["counts"].min() < 0, "negative counts are kept"  # type: ignore[operator]
    assert abs(pulls.mean()) < 0.1
    assert pulls.std() == pytest.approx(1, abs=0.07)


def test_one_background_is_taken_from_each_slice() -> None:
    slices = pl.concat([spectra({(0, 1): 10 * k, (1, 1): 5}).with_columns(time_slice=k) for k in (1, 2)])

    found = gp.subtract(slices, spectra({(0, 1): 4, (0, 7): 1}), scale=0.5, width=2.0).collect()

    rows = found.select("time_slice", "channel", "energy_kev", "counts").sort(pl.all()).rows()
    assert rows == [(1, 0, 3, 8), (1, 0, 15, -0.5), (1, 1, 3, 5), (2, 0, 3, 18), (2, 0, 15, -0.5), (2, 1, 3, 5)]
    with pytest.raises(TableError, match="'time_slice' that the spectrum does not have"):
        gp.subtract(spectra({}), slices)


def test_each_detector_has_its_own_scale_and_live_time() -> None:
    table = spectra({(0, 1): 10, (1, 1): 10})

    less = gp.subtract(table, table, scale={(0, 0): 0.0, (0, 1): 0.5}, width=2.0).collect()
    rates = gp.per_second(table, {(0, 0): 10.0, (0, 1): 100.0}, 5.0).collect()

    assert less["counts"].to_list() == [10, 5]
    assert rates["counts"].to_list() == [1, 0.1]
    assert rates["variance"].to_list() == pytest.approx([0.1 + 0.25, 0.001 + 0.005**2])
    with pytest.raises(TableError, match="no number for board 0 channel 1"):
        gp.per_second(table, {(0, 0): 10.0}).collect()


def test_counts_divided_by_an_efficiency() -> None:
    table = spectra({(0, 1): 10, (0, 50): 20})
    expression = pl.col("energy_kev") / 1000

    of_expression = gp.divide_by_efficiency(table, expression, efficiency_unc=0.1 * expression).collect()
    of_function = gp.divide_by_efficiency(table, lambda e: (e / 1000, e / 10_000)).collect()
    exact = gp.divide_by_efficiency(table, lambda e: e / 1000).collect()

    assert_frame_equal(of_expression, of_function)
    quotients = np.array([10 / 0.003, 20 / 0.101])
    np.testing.assert_allclose(exact["counts"], quotients)
    np.testing.assert_allclose(exact["variance"], quotients**2 / [10, 20])
    np.testing.assert_allclose(of_function["variance"], quotients**2 * (1 / np.array([10, 20]) + 0.01))
    for wrong in (pl.lit(0.0), pl.lit(float("nan")), pl.lit(None, pl.Float64), pl.col("energy_kev") - 3):
        with pytest.raises(TableError, match=r"the efficiency at 3.0 keV is"):
            gp.divide_by_efficiency(table, wrong).collect()


def test_spectra_stay_lazy_and_keep_their_keys_and_schema() -> None:
    table = spectra({(0, 1): 10, (0, 2): 3}).lazy().with_columns(name=pl.lit("left"))

    for made in (
        gp.rebin(table, bin_kev=4),
        gp.subtract(table, table),
        gp.add_spectra(table, table),
        gp.per_second(table, 1.0),
        gp.divide_by_efficiency(table, pl.lit(1.0)),
    ):
        assert isinstance(made, pl.LazyFrame)
        assert set(made.collect_schema()) == {"board", "channel", "name", "energy_kev", "counts", "variance"}
        assert made.collect().schema == made.collect_schema()
        assert made.collect()["name"].unique().to_list() == ["left"]


def test_bins_that_floats_set_apart_are_the_same() -> None:
    a = spectra({(0, 1): 10, (0, 2): 3}, 0.1)
    b = a.with_columns(pl.col("energy_kev") * (1 + 3e-16) + 1e-12)

    assert gp.add_spectra(a, b).collect()["counts"].to_list() == [20, 6]


MIXED = pl.concat([spectra({(0, 1): 2}), spectra({(1, 1): 3}, axis="adc")], how="diagonal")


def test_detectors_in_energy_and_in_adc_stand_side_by_side() -> None:
    twice = gp.add_spectra(MIXED, MIXED, width=2.0).collect()

    assert twice.select("channel", "energy_kev", "adc", "counts").sort("channel").rows() == [
        (0, 3.0, None, 4.0),
        (1, None, 1.0, 6.0),
    ]


DIFFERENT: dict[str, tuple[pl.DataFrame, pl.DataFrame, str]] = {
    "width": (spectra({(0, 1): 2, (0, 2): 1}), spectra({(0, 1): 2, (0, 2): 1}, 1.0), "different bins.*widths: 1 and 2"),
    "place": (
        spectra({(0, 1): 2, (0, 2): 1}),
        spectra({(0, 1): 2, (0, 2): 1}).with_columns(pl.col("energy_kev") + 0.5),
        "different bins",
    ),
    "axis": (spectra({(0, 1): 2}), spectra({(0, 1): 2}, axis="adc"), "bins in adc and others in energy"),
    "calibration": (
        spectra({(0, 5): 2}, axis="adc").with_columns(energy_kev=pl.lit(5.0)),
        spectra({(0, 5): 2}, axis="adc").with_columns(energy_kev=pl.lit(7.0)),
        "ADC channel 5 corresponds to both 5 keV and 7 keV",
    ),
}


@pytest.mark.parametrize("combine", [gp.add_spectra, gp.subtract])
@pytest.mark.parametrize("case", DIFFERENT)
def test_different_bins_are_refused(case: str, combine: Callable[..., pl.LazyFrame]) -> None:
    a, b, said = DIFFERENT[case]

    with pytest.raises(TableError, match=said):
        combine(a, b).collect()


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_factors_are_finite_and_not_negative(value: float) -> None:
    table = spectra({(0, 1): 2})

    calls: tuple[Callable[[], pl.LazyFrame], ...] = (
        lambda: gp.subtract(table, table, scale=value),
        lambda: gp.subtract(table, table, scale_unc={(0, 0): value}),
        lambda: gp.per_second(table, value),
        lambda: gp.per_second(table, 1.0, value),
    )
    for call in calls:
        with pytest.raises(UsageError, match="and finite, not"):
            call()
    with pytest.raises(UsageError, match="live_time_s must be above 0"):
        gp.per_second(table, 0.0)
    with pytest.raises(TableError, match="no column 'run'"):
        gp.add_spectra(table, by=["run"])
    with pytest.raises(TableError, match="no column 'energy_kev'"):
        gp.divide_by_efficiency(spectra({(0, 1): 1}, axis="adc"), pl.lit(1.0))
