"""The fit of one region, and which bins and peaks make one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.peaks.likelihood import Knowledge, Prior, fit_region
from gammapolars.peaks.model import Model
from gammapolars.peaks.regions import MOST_PEAKS, regions
from gammapolars.peaks.results import fitted_peaks
from gammapolars.peaks.significance import significance_of
from gammapolars.peaks.widths import Width, WidthModel, width_model

MODEL = Model(100, 40, np.array([1.9]), 1)
TRUE = np.array([2000.0, 118.3, 1.0, 0.0, 1.5, 0.0, 50.0, 40.0])


def test_expected_counts_give_their_own_parameters_back() -> None:
    expected = MODEL.expected(TRUE)

    fit = fit_region(expected, expected, MODEL, np.array([117.5]), Knowledge())

    assert fit.valid
    assert fit.chi2 == pytest.approx(0, abs=1e-2)
    np.testing.assert_allclose(fit.parameters, TRUE, rtol=1e-3)


def test_pulls_of_area_and_position() -> None:
    rng = np.random.default_rng(3)
    expected = MODEL.expected(TRUE)
    pulls = []
    for _ in range(300):
        counts = rng.poisson(expected).astype(float)
        fit = fit_region(counts, counts, MODEL, np.array([118.0]), Knowledge())
        pulls.append((fit.parameters[:2] - TRUE[:2]) / np.sqrt(np.diag(fit.covariance)[:2]))

    # 300 pulls: their mean is known to 0.06, their width to 0.04.
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.2
    assert np.abs(np.std(pulls, axis=0) - 1).max() < 0.15


def test_few_counts_are_fitted_without_bias() -> None:
    rng = np.random.default_rng(4)
    few = TRUE.copy()
    few[[0, 6, 7]] = 25.0, 0.2, 0.1
    areas = []
    for _ in range(300):
        counts = rng.poisson(MODEL.expected(few)).astype(float)
        areas.append(fit_region(counts, counts, MODEL, np.array([118.0]), Knowledge(Prior(1.0, 0.05))).parameters[0])

    assert np.mean(areas) == pytest.approx(25.0, abs=4 * np.std(areas) / np.sqrt(300))


def test_variances_larger_than_counts_widen_the_uncertainties() -> None:
    expected = MODEL.expected(TRUE)
    plain = fit_region(expected, expected, MODEL, np.array([118.0]), Knowledge())

    weighted = fit_region(3 * expected, 9 * expected, MODEL, np.array([118.0]), Knowledge())

    assert weighted.parameters[0] == pytest.approx(3 * plain.parameters[0], rel=1e-3)
    assert weighted.covariance[0, 0] == pytest.approx(9 * plain.covariance[0, 0], rel=1e-2)
    assert weighted.covariance[1, 1] == pytest.approx(plain.covariance[1, 1], rel=1e-2)


def test_counts_below_0_are_fitted_by_their_variances() -> None:
    rng = np.random.default_rng(5)
    flat = 200.0
    peak = MODEL.expected(np.array([*TRUE[:6], 0.0, 0.0]))
    pulls = []
    for _ in range(200):
        signal, background = rng.poisson(peak + flat), rng.poisson(flat, 40)
        net, variance = (signal - background).astype(float), (signal + background).astype(float)
        assert (net < 0).any()
        fit = fit_region(net, variance, MODEL, np.array([118.0]), Knowledge(Prior(1.0, 0.05)))
        pulls.append((fit.parameters[0] - 2000) / np.sqrt(fit.covariance[0, 0]))

    assert abs(np.mean(pulls)) < 0.4
    assert np.std(pulls) == pytest.approx(1, abs=0.2)


def test_what_is_known_of_the_shape_holds_weak_peaks() -> None:
    rng = np.random.default_rng(6)
    weak = TRUE.copy()
    weak[0] = 60.0
    areas: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(60):
        counts = rng.poisson(MODEL.expected(weak)).astype(float)
        for held, knowledge in ((False, Knowledge()), (True, Knowledge(Prior(1.0, 0.03)))):
            fit = fit_region(counts, counts, MODEL, np.array([118.0]), knowledge)
            areas[held].append(fit.parameters[0])
            assert not held or abs(fit.shape()[0] - 1) < 0.06

    assert np.std(areas[True]) < 0.9 * np.std(areas[False])


@pytest.mark.slow
def test_the_significance_of_an_area_is_what_the_background_would_scatter_by() -> None:
    """Of fits of nothing but background, the significance is a standard normal number."""
    rng = np.random.default_rng(7)
    empty = MODEL.expected(np.array([0.0, *TRUE[1:]]))
    found = []
    for _ in range(300):
        counts = rng.poisson(empty).astype(float)
        shape = np.array([1.0, 0.0, 1.5, 0.0])
        parts = MODEL.parts(np.array([118.3]), shape)
        weights = parts / empty
        linear = np.linalg.solve(weights @ parts.T, weights @ counts)
        fit = fit_region(counts, counts, MODEL, np.array([118.3]), Knowledge(Prior(1.0)))
        parameters = np.concatenate([linear[:1], [118.3], shape, linear[1:]])
        found.append(significance_of(type(fit)(MODEL, parameters, fit.covariance, 0.0, 0.0, 1, valid=True))[0])

    assert np.mean(found) == pytest.approx(0, abs=0.25)
    assert np.std(found) == pytest.approx(1, abs=0.15)


def test_counts_below_a_peak() -> None:
    expected = MODEL.expected(TRUE)
    fit = fit_region(expected, expected, MODEL, np.array([118.0]), Knowledge())

    (peak,) = fitted_peaks(fit, 7)

    level = 50 - 10 * (118.3 - 99.5) / 40
    assert peak.background == pytest.approx(2 * peak.fwhm * level, rel=0.01)
    assert 0 < peak.background_unc < 0.1 * peak.background
    assert (peak.status, peak.region) == ("ok", 7)


def test_a_peak_of_another_shape_is_called_a_poor_fit() -> None:
    triangle = 50 + 2000 * np.maximum(0, 1 - np.abs(np.arange(100, 140) - 118.3) / 9)

    (peak,) = fitted_peaks(fit_region(triangle, triangle, MODEL, np.array([118.0]), Knowledge()), 0)

    assert peak.status == "poor fit"


@given(
    positions=st.lists(st.floats(5, 4090), min_size=1, max_size=60, unique_by=round).map(sorted),
    width=st.floats(1.5, 60),
)
def test_each_peak_has_one_region_with_bins_around_it(positions: list[float], width: float) -> None:
    model = WidthModel(width**2, 0.001 * width, 0.0)

    found = regions(np.array(positions), model, 4096)

    assert [place for region in found for place in region.positions.tolist()] == positions
    for region in found:
        assert 0 <= region.low < region.high <= 4096
        assert len(region.positions) <= MOST_PEAKS
        assert region.room[0] <= region.low + 1
        assert region.low <= region.positions[0] + 0.5
        assert region.positions[-1] - 0.5 <= region.high
    for region, following in pairwise(found):
        gap = following.positions[0] - region.positions[-1]
        close = gap <= 3 * max(model.at(following.positions[0]), model.at(region.positions[-1]))
        assert not close or len(region.positions) + len(following.positions) > MOST_PEAKS


def test_widths_of_annihilation_and_humps_do_not_bend_the_model() -> None:
    true = WidthModel(3.6, 0.003, 3e-7)
    rng = np.random.default_rng(8)
    clear = [
        Width(x, float(true.at(x)) * (1 + 0.01 * rng.normal()), 0.01 * float(true.at(x)), 50.0)
        for x in np.linspace(300, 6000, 12)
    ]
    odd = [Width(1280.0, 6.6, 0.05, 240.0), Width(465.0, 44.0, 1.0, 70.0), Width(2370.0, 97.0, 9.0, 9.0)]

    found = width_model([*odd, *clear])

    assert found is not None
    np.testing.assert_allclose(found.at(np.linspace(300, 6000, 9)), true.at(np.linspace(300, 6000, 9)), rtol=0.02)


def test_one_width_makes_a_model_and_none_makes_none() -> None:
    alone = width_model([Width(700.0, 50.0, 0.5, 100.0)])

    assert alone is not None
    assert alone.at(700.0) == pytest.approx(50.0)
    assert 25 < alone.at(175.0) < 50 < alone.at(1400.0) < 75
    assert width_model([]) is None
