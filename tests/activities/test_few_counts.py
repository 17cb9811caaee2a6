"""Decisions and limits at few counts, alone and next to other peaks, against exact probabilities."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import poisson

import gammapolars as gp
from gammapolars.activities.few_counts import critical_counts, detectable_counts, upper_limit_counts
from gammapolars.activities.limits import currie_limits
from gammapolars.core.errors import UsageError
from tests.drawing import daily
from tests.sources import LINES, TRUE_CURVE
from tests.validation.limits import alone, limits

FWHM_KEV = 2.0
CURVE = gp.EfficiencyCurve(TRUE_CURVE, tuple(map(tuple, np.diag([4e-4, 1e-4, 2.5e-5, 9e-6]).tolist())), (50.0, 1450.0))


def false_part(background: float, ratio: float) -> float:
    """How often background alone is taken for a line, by all counts of region and sides that there can be."""
    most = [int(mean + 10 * math.sqrt(mean) + 15) for mean in (background, background / ratio)]
    region, sides = (np.arange(number) for number in most)
    critical = np.array([critical_counts(float(side), ratio) for side in sides])
    detected = region[:, None] - ratio * sides > critical
    return float(poisson.pmf(region, background) @ detected @ poisson.pmf(sides, background / ratio))


@pytest.mark.parametrize("ratio", [0.7, 1.0, 13 / 12])
def test_background_is_taken_for_a_line_in_five_per_cent_at_most(ratio: float) -> None:
    found = [false_part(background, ratio) for background in (0.5, 2.0, 5.0, 8.0, 15.0, 30.0, 100.0)]

    assert max(found) <= 0.0505
    assert min(found[-2:]) > 0.044


def test_many_counts_have_the_limits_of_currie() -> None:
    exact = critical_counts(40_000.0, 1.0)
    currie = currie_limits(40_000.0)

    assert exact == pytest.approx(currie.critical, rel=0.01)
    assert detectable_counts(currie.critical, 80_000.0) == pytest.approx(currie.detection, rel=1e-6)


@pytest.mark.parametrize(("net", "expected"), [(0.0, 2.996), (1.0, 4.744), (3.0, 7.754)])
def test_upper_limits_without_background_are_those_of_poisson(net: float, expected: float) -> None:
    """Of n counts: the mean of which n or fewer are left with 5 %."""
    tiny = upper_limit_counts(net, 0.0, 1e-9)

    assert tiny == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
def test_limits_cover_at_few_counts_and_lines_are_found_where_they_should_be() -> None:
    rng = np.random.default_rng(5)

    assert alone(1.0, 4.0, 2000, rng)[1] > 0.935
    assert alone(30.0, detectable_counts(critical_counts(138.0, 13 / 12), 311.0), 2000, rng)[0] == pytest.approx(
        0.95, abs=0.02
    )


def spectrum(peaks: dict[float, float], per_kev: float, seed: int) -> pl.DataFrame:
    """Normal peaks of FWHM 2 keV on a flat background."""
    energy = np.arange(2000) * 0.5 + 0.25
    sigma = FWHM_KEV / 2.3548
    expected = np.full(2000, 0.5 * per_kev)
    for at, area in peaks.items():
        expected += area * np.exp(-0.5 * ((energy - at) / sigma) ** 2) * 0.5 / (sigma * math.sqrt(2 * math.pi))
    counts = np.random.default_rng(seed).poisson(expected).astype(np.float64)
    return pl.DataFrame({"energy_kev": energy, "counts": counts, "variance": counts})


def peak_at(energy_kev: float, area: float) -> pl.DataFrame:
    columns = {"centroid_kev": energy_kev, "fwhm_kev": FWHM_KEV, "area": area, "area_unc": math.sqrt(area)}
    return pl.DataFrame([columns | {"status": "ok"}])


@pytest.mark.parametrize("distance", daily(2, [-3.0, 5.0, -5.0, 3.0]))
def test_a_line_next_to_another_peak_has_a_limit(distance: float) -> None:
    other = 661.657 + distance
    found = [
        gp.activity_of(
            "Cs-137",
            peak_at(other, 2000.0),
            LINES["Cs-137"],
            CURVE,
            live_time_s=1000.0,
            spectrum=spectrum({other: 2000.0}, 20.0, seed),
            fwhm=(4.0,),
        )
        for seed in range(60)
    ]

    assert sum(one.detected for one in found) <= 7
    values = np.array([one.activity_bq / one.counting_bq_unc for one in found])
    assert abs(values.mean()) < 0.5
    assert values.std() == pytest.approx(1, abs=0.3)
    assert all(one.upper_limit_bq is not None and one.upper_limit_bq > 0 for one in found if not one.detected)


def test_the_area_of_a_line_next_to_another_peak_has_no_bias() -> None:
    found = [
        gp.line_counts(spectrum({600.0: 300.0, 603.0: 2000.0}, 20.0, seed), 600.0, FWHM_KEV, [(603.02, 2.02)])
        for seed in range(80)
    ]

    pulls = np.array([(one.area - 300) / one.area_unc for one in found])
    assert abs(pulls.mean()) < 0.45
    assert pulls.std() == pytest.approx(1, abs=0.3)


def test_nothing_can_be_said_of_a_line_where_another_peak_is() -> None:
    with pytest.raises(UsageError, match=r"another peak is at the position of a line at 600 keV"):
        gp.line_counts(spectrum({600.0: 2000.0}, 20.0, 1), 600.0, FWHM_KEV, [(600.1, 2.0)])


@pytest.mark.slow
def test_decisions_and_limits_at_all_levels() -> None:
    outcome = limits(draws=5_000, draws_next=200)

    assert [str(check) for check in outcome.checks if not check.kept] == [], str(outcome)
