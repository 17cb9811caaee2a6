"""The curvature of the cost of fits, against differences of its slopes."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gammapolars.core.types import Floats
from gammapolars.peaks.figure_of_merit import _Gaussians
from gammapolars.peaks.likelihood import Cost, Knowledge, Prior
from gammapolars.peaks.minimum import Point, minimum
from gammapolars.peaks.model import Model

FREE = Knowledge(*(Prior(0.0, None) for _ in Knowledge()))


def check_curvature(at: Callable[[Floats], Point], values: Floats, steps: Floats) -> None:
    """The information and the rest are half of the differences of the slopes, in units of the parameters' steps."""
    point = at(values)
    found = 2 * (point.information + point.rest()) * np.outer(steps, steps)

    moved = [at(values + change).slopes - at(values - change).slopes for change in 1e-4 * np.diag(steps)]
    np.testing.assert_allclose(found, np.array(moved) * steps / 2e-4, rtol=2e-4, atol=2e-6 * np.abs(found).max())


@given(
    areas=st.lists(st.floats(1e2, 1e5), min_size=1, max_size=3),
    shape=st.tuples(st.floats(0.5, 2), st.floats(0.01, 0.5), st.floats(0.5, 3), st.floats(1e-4, 0.01)),
    further=st.tuples(*(st.floats(low, high) for low, high in ((0.01, 0.3), (0.7, 4), (0.01, 0.3), (3, 15), (0.6, 3)))),
    broad=st.sampled_from([None, 0]),
    is_poisson=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_curvature_of_a_region(
    areas: list[float],
    shape: tuple[float, ...],
    further: tuple[float, ...],
    broad: int | None,
    is_poisson: bool,
    seed: int,
) -> None:
    model = Model(50, 40, np.linspace(1.5, 2.5, len(areas)), has_further=True, broad=broad)
    values = np.array([*areas, *np.linspace(62.3, 77.7, len(areas)), *shape, 90.0, 40.0, *further])
    # Counts that no peak describes, as those of a Compton edge.
    counts = np.random.default_rng(seed).poisson(np.where(np.arange(40) < 20, 900, 100)).astype(np.float64)
    counts[:1] -= 0 if is_poisson else 5000
    cost = Cost(model, counts, np.full(40, 300.0), FREE, values)
    assert cost.is_poisson == is_poisson

    steps = np.abs(values)
    steps[len(areas) : 2 * len(areas)] = 1.0
    check_curvature(cost.at, values, steps)


@given(areas=st.lists(st.floats(1e2, 1e5), min_size=1, max_size=2), sigma=st.floats(0.8, 5), seed=st.integers(0, 99))
def test_the_curvature_of_a_pulse_shape_distribution(areas: list[float], sigma: float, seed: int) -> None:
    peaks = [(area, 15.2 + 9 * number, sigma) for number, area in enumerate(areas)]
    counts = np.random.default_rng(seed).poisson(50.0, 40).astype(np.float64)
    values = np.array([*np.ravel(peaks), 20.0])

    steps = values.copy()
    steps[1:-1:3] = sigma
    check_curvature(_Gaussians(np.arange(41.0), counts).at, values, steps)


def test_a_fit_to_an_edge_takes_few_evaluations() -> None:
    counts = np.where(np.arange(60) < 33, 3000.0, 1500.0) + 500 * np.exp(-0.5 * ((np.arange(60) - 28) / 4) ** 2)
    model = Model(0, 60, np.array([5.0]))
    start = np.array([5000.0, 29.0, 1.0, 0.0, 1.5, 0.0, 2500.0, 1500.0])
    cost = Cost(model, counts, counts, Knowledge(), start)
    evaluations = []

    class Counted:
        bins = cost.bins

        def at(self, values: Floats) -> Point:
            evaluations.append(values)
            return cost.at(values)

    low, high = np.array([-np.inf, 20.0, 0.3, 0.0, 0.0]), np.array([np.inf, 40.0, 4.0, np.inf, np.inf])
    found = minimum(Counted(), cost.start, low, high)

    assert found.is_minimum
    assert len(evaluations) <= 20
    there = cost.at(found.parameters)
    np.testing.assert_allclose(there.slopes / np.sqrt(np.diag(there.information)), 0.0, atol=1e-3)
