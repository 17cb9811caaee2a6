"""The shape of a peak, the expected counts of a region, and their derivatives, against numerical ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from gammapolars.core.constants import FWHM_PER_SIGMA
from gammapolars.peaks.model import SHAPE, Model
from gammapolars.peaks.shape import form_of, integral
from tests.drawing import daily

TAILS = st.floats(0.0, 0.9)
SLOPES = st.floats(0.3, 10.0)


def density(z: float, tail: float, slope: float) -> float:
    """The shape as it is defined: a Gaussian, and one folded with an exponential to the left."""
    if tail == 0:
        return float(norm.pdf(z))
    folded = quad(lambda shift: norm.pdf(z + shift) * np.exp(-shift / slope) / slope, 0, 60 * slope, limit=200)[0]
    return float((1 - tail) * norm.pdf(z) + tail * folded)


@given(tail=TAILS, slope=SLOPES)
def test_the_integral_runs_from_0_to_1(tail: float, slope: float) -> None:
    found = integral(np.linspace(-400, 40, 2001), tail, slope).value

    assert found[0] == pytest.approx(0, abs=1e-12)
    assert found[-1] == pytest.approx(1, abs=1e-12)
    assert (np.diff(found) >= -1e-13).all()


@pytest.mark.parametrize(("tail", "slope"), daily(1, [(0.6, 0.5), (0.0, 1.0), (0.1, 1.5), (0.9, 6.0)]))
def test_bins_hold_the_integral_of_the_density(tail: float, slope: float) -> None:
    edges = np.array([-7.0, -1.0, 0.2, 4.0])

    found = np.diff(integral(edges, tail, slope).value)

    expected = [quad(density, low, high, args=(tail, slope))[0] for low, high in pairwise(edges)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@given(tail=TAILS, slope=SLOPES, z=st.floats(-30, 30))
def test_derivatives_of_the_integral(tail: float, slope: float, z: float) -> None:
    step = 1e-6
    at = np.array([z])
    found = integral(at, tail, slope)

    def numerical(after: np.ndarray, before: np.ndarray) -> float:
        return float((after - before)[0] / (2 * step))

    by_z = numerical(integral(at + step, tail, slope).value, integral(at - step, tail, slope).value)
    by_tail = numerical(integral(at, tail + step, slope).value, integral(at, tail - step, slope).value)
    by_slope = numerical(integral(at, tail, slope + step).value, integral(at, tail, slope - step).value)
    assert found.by_z[0] == pytest.approx(by_z, abs=1e-7)
    assert found.by_tail[0] == pytest.approx(by_tail, abs=1e-7)
    assert found.by_slope[0] == pytest.approx(by_slope, abs=1e-7)


@given(tail=st.floats(0, 0.9), slope=st.floats(0.3, 5))
def test_the_top_and_width_of_a_shape(tail: float, slope: float) -> None:
    found = form_of(tail, slope)

    fine = np.linspace(-8, 3, 220_001)
    heights = integral(fine, tail, slope).by_z
    above = fine[heights >= heights.max() / 2]
    assert found.top == pytest.approx(fine[heights.argmax()], abs=2e-4)
    assert found.fwhm == pytest.approx(above[-1] - above[0], abs=1e-3)


def test_a_gaussian_has_its_top_in_the_middle() -> None:
    assert form_of(0.0, 1.5) == pytest.approx((0.0, FWHM_PER_SIGMA), abs=1e-4)


@given(
    areas=st.lists(st.floats(1, 1e5), min_size=1, max_size=3),
    shape=st.tuples(st.floats(0.5, 2), st.floats(0, 0.5), st.floats(0.5, 3), st.floats(0, 0.01)),
    background=st.lists(st.floats(0, 1e3), min_size=2, max_size=3),
)
def test_slopes_of_the_model(
    areas: list[float], shape: tuple[float, float, float, float], background: list[float]
) -> None:
    model = Model(50, 40, np.linspace(1.5, 2.5, len(areas)), len(background) - 1)
    parameters = np.array([*areas, *np.linspace(62.3, 77.7, len(areas)), *shape, *background])

    slopes = model.slopes(parameters)

    for number, name in enumerate(model.names):
        step = 1e-6 * max(1.0, abs(parameters[number]))
        change = np.zeros(len(parameters))
        change[number] = step
        numerical = (model.expected(parameters + change) - model.expected(parameters - change)) / (2 * step)
        np.testing.assert_allclose(
            slopes[number], numerical, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(numerical).max()), err_msg=name
        )


def test_a_region_holds_its_peaks_and_background() -> None:
    model = Model(100, 80, np.array([2.0, 2.2]), 1)
    parameters = np.array([1000.0, 500.0, 130.0, 141.0, 1.0, 0.05, 1.5, 0.0, 30.0, 10.0])

    expected = model.expected(parameters)

    assert model.names[-6:] == [*SHAPE, "background_0", "background_1"]
    assert model.background(parameters).sum() == pytest.approx(80 * 20)
    assert expected.sum() == pytest.approx(1000 + 500 + 80 * 20, rel=1e-5)


def test_a_step_lifts_what_lies_below_a_peak() -> None:
    model = Model(0, 60, np.array([2.0]), 1)
    parameters = np.array([10_000.0, 30.0, 1.0, 0.0, 1.5, 0.002, 5.0, 5.0])

    expected = model.expected(parameters)

    assert expected[5] == pytest.approx(5 + 20)
    assert expected[-5] == pytest.approx(5)


@given(coefficients=st.lists(st.floats(0, 1e4), min_size=3, max_size=3))
def test_a_background_without_negative_coefficients_is_nowhere_negative(coefficients: list[float]) -> None:
    model = Model(0, 30, np.empty(0), 2)

    assert (model.background(np.array([1.0, 0.0, 1.5, 0.0, *coefficients])) >= 0).all()
