"""Activities: decay, budgets, limits and means of lines against closed forms and simulated truth."""

import builtins
import math
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import gammapolars as gp
from gammapolars.activities.decay import (
    Measurement,
    _looked_up,
    decay_factor,
    decay_unc,
    half_life,
    half_life_of,
    seconds_between,
)
from gammapolars.activities.limits import upper_limit
from gammapolars.core.errors import TableError, UsageError
from tests.drawing import repetitions
from tests.sources import HALF_LIFE_S, LINES, TRUE_CURVE, a_source, expected_counts, peak_table, true_efficiency

DAY = 86_400.0
YEAR = 365.2422


# Decay


@pytest.mark.parametrize("half_lives", [-2.0, 0.0, 0.5, 1.0, 10.0])
def test_half_remains_after_each_half_life(half_lives: float) -> None:
    assert decay_factor(1000.0, 1000.0 * half_lives) == pytest.approx(0.5**half_lives)


@pytest.mark.parametrize("counting", [1e-9, 1.0, 100.0, 1000.0, 20_000.0])
def test_decay_while_counting_is_the_mean_of_the_decay_curve(counting: float) -> None:
    times = (np.arange(200_000) + 0.5) / 200_000 * counting
    mean = float(np.mean(0.5 ** ((300.0 + times) / 1000.0)))

    assert decay_factor(1000.0, 300.0, counting) == pytest.approx(mean, rel=1e-8)


@pytest.mark.parametrize(("elapsed", "counting"), [(500.0, 0.0), (-500.0, 0.0), (0.0, 1e-5), (200.0, 3000.0)])
def test_the_uncertainty_of_decay_is_its_derivative(elapsed: float, counting: float) -> None:
    step = 0.01
    slope = (
        math.log(decay_factor(1000 + step, elapsed, counting)) - math.log(decay_factor(1000 - step, elapsed, counting))
    ) / (2 * step)

    assert decay_unc(Measurement(1000.0, 7.0), elapsed, counting) == pytest.approx(abs(slope) * 7.0, rel=1e-3, abs=1e-9)


def test_a_source_is_weaker_later_and_its_uncertainty_has_the_half_life_in_it() -> None:
    source = gp.CalibrationSource("Co-57", 1000.0, 10.0, date(2020, 1, 1), half_life_s=100 * DAY, half_life_s_unc=DAY)

    value, unc = gp.activity_at(source, date(2020, 7, 19))  # 200 days

    assert value == pytest.approx(250.0)
    assert unc / value == pytest.approx(math.hypot(0.01, math.log(2) * 2 * 0.01))


def test_a_date_alone_is_its_noon() -> None:
    assert seconds_between(date(2020, 1, 1), datetime(2020, 1, 2)) == 12 * 3600
    assert seconds_between(date(2020, 1, 1), date(2020, 1, 3)) == 2 * DAY


def test_time_zones_count_where_both_are_known() -> None:
    east = timezone(timedelta(hours=2))

    assert seconds_between(datetime(2020, 1, 1, 12, tzinfo=UTC), datetime(2020, 1, 1, 14, tzinfo=east)) == 0
    assert seconds_between(datetime(2020, 1, 1, 12), datetime(2020, 1, 1, 14, tzinfo=east)) == 2 * 3600


def test_half_lives_are_looked_up() -> None:
    assert half_life_of("Ra-226") / (365.2422 * DAY) == pytest.approx(1600, abs=5)  # the head of its chain
    assert half_life_of("Sr-90") / (365.2422 * DAY) == pytest.approx(28.91)  # without gamma rays
    assert half_life_of("137cs") == half_life_of("Cs-137")
    pytest.importorskip("radioactivedecay")
    assert half_life_of("Be-10") / (365.25 * DAY) == pytest.approx(1.51e6, rel=0.1)
    with pytest.raises(UsageError, match="the half-life of 'Xx-300' is not known: give half_life_s"):
        half_life_of("Xx-300")
    with pytest.raises(UsageError, match="Pb-208 is stable"):
        half_life_of("Pb-208")


@pytest.mark.parametrize(
    ("nuclide", "days", "unc"),
    [
        ("Co-60", 1925.28, 0.14), ("Cs-137", 30.05 * YEAR, 0.08 * YEAR), ("Eu-152", 13.522 * YEAR, 0.016 * YEAR),
        ("Ba-133", 10.540 * YEAR, 0.006 * YEAR), ("Am-241", 432.6 * YEAR, 0.6 * YEAR), ("Co-57", 271.74, 0.06),
        ("Na-22", 2.6018 * YEAR, 0.0022 * YEAR), ("Y-88", 106.627, 0.021), ("I-131", 8.0233, 0.0019),
        ("Tc-99m", 6.0072 / 24, 0.0009 / 24), ("Te-121m", 164.2, 0.8), ("K-40", 1.248e9 * YEAR, 3e6 * YEAR),
        ("Sn-117m", 13.939, 0.024), ("Ba-135m", 28.11 / 24, 0.02 / 24), ("Rh-102", 207.0, 1.5),
        ("Ru-97", 2.837, 0.0014),
    ],
)  # fmt: skip
def test_half_lives_are_those_of_the_evaluations(nuclide: str, days: float, unc: float) -> None:
    assert half_life(nuclide) == pytest.approx((days * DAY, unc * DAY))


def test_without_the_extra_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refusing(name: str, *rest: object) -> object:
        if name == "radioactivedecay":
            raise ImportError
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refusing)
    _looked_up.cache_clear()

    assert half_life_of("Cs-137") / (365.2422 * DAY) == pytest.approx(30.05)
    with pytest.raises(UsageError, match=r"install gammapolars\[nuclear\], or give half_life_s"):
        half_life_of("Be-10")


def test_what_has_long_decayed_is_refused() -> None:
    source = gp.CalibrationSource("F-18", 1e6, 1e3, date(2000, 1, 1), half_life_s=6586.0)

    with pytest.raises(UsageError, match="half-lives lie between the dates"):
        gp.activity_at(source, date(2024, 1, 1))


# One line


def test_an_activity_is_area_by_efficiency_photons_and_time() -> None:
    found = gp.activity(
        5000.0,
        100.0,
        intensity=85.0,
        intensity_unc=0.2,
        efficiency=0.01,
        efficiency_unc=0.0003,
        live_time_s=1000.0,
    )

    assert found.activity_bq == pytest.approx(5000 / (0.85 * 0.01 * 1000))
    assert found.counting_bq_unc / found.activity_bq == pytest.approx(0.02)
    assert found.intensity_bq_unc / found.activity_bq == pytest.approx(0.2 / 85)
    assert found.efficiency_bq_unc / found.activity_bq == pytest.approx(0.03)
    assert found.decay_bq_unc == 0
    assert found.activity_bq_unc / found.activity_bq == pytest.approx(math.hypot(0.02, 0.2 / 85, 0.03))
    assert found.detected
    assert found.upper_limit_bq is None
    assert found.at is None
    assert found.critical_bq == pytest.approx(1.645 * math.sqrt(100**2 - 5000) / 8.5, rel=1e-3)


def test_an_activity_is_told_for_another_date() -> None:
    found = gp.activity(
        5000.0,
        100.0,
        intensity=85.0,
        efficiency=0.01,
        live_time_s=1000.0,
        half_life_s=10 * DAY,
        half_life_s_unc=0.1 * DAY,
        started=date(2024, 5, 21),
        at=date(2024, 5, 1),
    )

    mean = 5000 / 8.5
    assert found.activity_bq == pytest.approx(mean * 4, rel=1e-3)
    assert found.decay_bq_unc / found.activity_bq == pytest.approx(math.log(2) * 2 * 0.01, rel=1e-3)
    assert found.detectable_bq > 4 * 2.71 / 8.5
    assert found.at == date(2024, 5, 1)


def test_what_is_not_detected_gets_an_upper_limit() -> None:
    found = gp.activity(-10.0, 20.0, intensity=50.0, efficiency=0.02, live_time_s=100.0, background=200.0)

    assert not found.detected
    assert found.activity_bq == -10.0
    assert found.critical_bq == pytest.approx(1.645 * 20, rel=1e-3)
    assert found.detectable_bq == pytest.approx(2.71 + 3.29 * 20, rel=1e-3)
    assert found.upper_limit_bq == pytest.approx(upper_limit(-10.0, 20.0))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"intensity": 0.0}, "intensity must be more than 0"),
        ({"efficiency": math.nan}, "efficiency must be more than 0"),
        ({"live_time_s": -1.0}, "live time must be more than 0"),
        ({"at": date(2024, 1, 1)}, "needs half_life_s"),
        ({"at": date(2024, 1, 1), "half_life_s": 10.0}, "give started"),
    ],
)
def test_values_that_cannot_be_are_refused(changed: dict[str, object], said: str) -> None:
    given = {"intensity": 85.0, "efficiency": 0.01, "live_time_s": 10.0} | changed

    with pytest.raises(UsageError, match=said):
        gp.activity(100.0, 10.0, **given)  # type: ignore[arg-type]


# Limits


def test_currie_limits_are_those_of_the_paper() -> None:
    critical, detection = gp.currie_limits(100.0)

    assert critical == pytest.approx(2.326 * 10, rel=1e-3)
    assert detection == pytest.approx(2.71 + 4.65 * 10, rel=1e-3)
    assert gp.currie_limits(100.0, 0.0).critical == pytest.approx(1.645 * 10, rel=1e-3)
    assert gp.currie_limits(100.0, channels=10, side_channels=10) == gp.currie_limits(100.0)
    assert gp.currie_limits(100.0, channels=10, side_channels=40).critical == pytest.approx(
        1.645 * math.sqrt(125), rel=1e-3
    )
    assert gp.currie_limits(0.0).critical == 0
    assert gp.currie_limits(0.0).detection == pytest.approx(2.706, rel=1e-3)


@pytest.mark.parametrize(("background", "ratio"), [(100.0, 1.0), (1000.0, 1.0), (400.0, 0.25), (30.0, 0.1)])
def test_background_is_taken_for_a_line_in_five_per_cent_and_lines_at_the_limit_are_found(
    background: float, ratio: float
) -> None:
    """With the threshold of the true background, and with that of the sides as they come, which is a little worse."""
    rng = np.random.default_rng(int(background))
    number = 40_000
    true = gp.currie_limits(background, channels=ratio, side_channels=1)
    sides = rng.poisson(background / ratio, number) * ratio
    shown = np.array([gp.currie_limits(b, channels=ratio, side_channels=1).critical for b in sides])
    nothing = rng.poisson(background, number) - sides
    at_limit = rng.poisson(background + true.detection, number) - sides

    assert np.mean(nothing > true.critical) == pytest.approx(0.05, abs=0.006)
    assert np.mean(at_limit > true.critical) == pytest.approx(0.95, abs=0.006)
    assert np.mean(nothing > shown) == pytest.approx(0.05, abs=0.012)
    assert np.mean(at_limit > shown) == pytest.approx(0.95, abs=0.012)


def test_the_minimum_detectable_activity_has_the_counts_of_the_limit() -> None:
    limits = gp.currie_limits(100.0)

    found = gp.minimum_detectable_activity(limits, intensity=85.0, efficiency=0.01, live_time_s=1000.0)

    assert found == pytest.approx(limits.detection / 8.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"background": -1.0},
        {"background": math.nan},
        {"background": 1.0, "background_unc": math.inf},
        {"background": 1.0, "channels": 3},
        {"background": 1.0, "channels": 3, "side_channels": 0},
        {"background": 1.0, "background_unc": 1.0, "channels": 3, "side_channels": 3},
        {"background": 1.0, "confidence": 1.0},
    ],
)
def test_limits_of_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        gp.currie_limits(**wrong)


@pytest.mark.parametrize("value", [3.0, 0.5, 0.0, -1.0, -4.0])
def test_an_upper_limit_is_the_quantile_of_what_cannot_be_negative(value: float) -> None:
    grid = np.linspace(0, 30, 300_001)
    density = np.exp(-0.5 * (grid - value) ** 2)
    total = np.cumsum(density) / density.sum()

    assert upper_limit(value, 1.0) == pytest.approx(float(grid[np.searchsorted(total, 0.95)]), rel=1e-2)


def test_an_upper_limit_is_positive_however_low_the_value() -> None:
    assert 0 < upper_limit(-60.0, 1.0) < 0.1
    assert upper_limit(10.0, 1.0) == pytest.approx(11.645, rel=1e-3)


# Counts at a line


def flat_spectrum(rng: np.random.Generator, line: float = 0.0, per_bin: float = 20.0) -> pl.DataFrame:
    energy = np.arange(400) * 0.5 + 500.25
    sigma = 2.0 / 2.3548
    shape = np.exp(-0.5 * ((energy - 600) / sigma) ** 2) * 0.5 / (sigma * math.sqrt(2 * math.pi))
    counts = rng.poisson(per_bin * (1 + (energy - 600) / 500) + line * shape).astype(np.float64)
    return pl.DataFrame({"energy_kev": energy, "counts": counts, "variance": counts}).filter(pl.col("counts") > 0)


@pytest.mark.parametrize(("line", "per_bin"), [(0.0, 20.0), (300.0, 20.0), (300.0, 0.5)])
def test_counts_at_a_line_have_no_bias(line: float, per_bin: float) -> None:
    rng = np.random.default_rng(8)
    found = [gp.line_counts(flat_spectrum(rng, line, per_bin), 600.0, 2.0) for _ in range(250)]

    pulls = np.array([(one.area - line) / one.area_unc for one in found])
    assert abs(pulls.mean()) < 0.15 + 0.1 * (per_bin < 1)
    assert 0.88 < pulls.std() < 1.12
    assert np.mean([one.background for one in found]) == pytest.approx(per_bin * 10, rel=0.05)


def test_a_line_outside_of_the_spectrum_is_refused() -> None:
    spectrum = flat_spectrum(np.random.default_rng(1))

    with pytest.raises(UsageError, match=r"does not cover 494\.5 to 505\.5 keV"):
        gp.line_counts(spectrum, 500.0, 2.0)
    with pytest.raises(UsageError, match="too wide"):
        gp.line_counts(spectrum, 600.0, 0.1)
    with pytest.raises(TableError, match="no column 'energy_kev'"):
        gp.line_counts(spectrum.rename({"energy_kev": "adc"}), 600.0, 2.0)


# A nuclide

EU = LINES["Eu-152"]
CURVE_COVARIANCE = tuple(map(tuple, np.diag([4e-4, 1e-4, 2.5e-5, 9e-6]).tolist()))
CURVE = gp.EfficiencyCurve(TRUE_CURVE, CURVE_COVARIANCE, (50.0, 1450.0))
LIVE_S = 1000.0


def eu_peaks(activity_bq: float, rng: np.random.Generator | None = None, lines: pl.DataFrame = EU) -> pl.DataFrame:
    return peak_table(lines, expected_counts(lines, activity_bq * LIVE_S), 100.0, rng)


def test_a_nuclide_has_the_activity_of_its_lines() -> None:
    found = gp.activity_of("Eu-152", eu_peaks(1000.0), EU, CURVE, live_time_s=LIVE_S)

    assert found.activity_bq == pytest.approx(1000.0)
    assert found.chi2 == pytest.approx(0.0, abs=1e-6)
    assert found.ndf == 12
    assert found.lines["weight"].sum() == pytest.approx(1.0)
    assert found.lines["activity_bq"].to_numpy() == pytest.approx(np.full(13, 1000.0))
    assert found.activity_bq_unc == pytest.approx(
        math.hypot(found.counting_bq_unc, found.intensity_bq_unc, found.efficiency_bq_unc)
    )
    assert found.detected
    assert found.at is None


def test_one_line_of_a_nuclide_is_the_activity_of_a_line() -> None:
    lines = LINES["Cs-137"]
    peaks = eu_peaks(10.0, lines=lines)
    value, unc = CURVE.at(661.657)

    found = gp.activity_of("Cs-137", peaks, lines, CURVE, live_time_s=LIVE_S)
    alone = gp.activity(
        peaks["area"][0],
        peaks["area_unc"][0],
        intensity=84.99,
        intensity_unc=0.20,
        efficiency=value,
        efficiency_unc=unc,
        live_time_s=LIVE_S,
    )

    for name, expected in vars(alone).items():
        assert vars(found)[name] == pytest.approx(expected), name


def test_an_error_that_lines_share_does_not_average_away() -> None:
    shared = gp.EfficiencyCurve(TRUE_CURVE, ((4e-4, 0, 0, 0), *(((0.0,) * 4,) * 3)), (50.0, 1450.0))

    found = gp.activity_of("Eu-152", eu_peaks(1e6), EU, shared, live_time_s=LIVE_S)

    assert found.efficiency_bq_unc / found.activity_bq == pytest.approx(0.02)


def test_an_activity_is_corrected_to_a_date() -> None:
    found = gp.activity_of(
        "Eu-152",
        eu_peaks(1000.0),
        EU,
        CURVE,
        live_time_s=LIVE_S,
        started=date(2024, 5, 1),
        at=date(2014, 5, 1),
        half_life_s=HALF_LIFE_S,
    )

    years = (date(2024, 5, 1) - date(2014, 5, 1)).days * DAY
    assert found.activity_bq == pytest.approx(1000.0 * 2 ** (years / HALF_LIFE_S), rel=1e-5)
    assert found.at == date(2014, 5, 1)


def test_efficiency_and_activity_undo_each_other() -> None:
    """The activity of the source itself, by its own efficiency, is what its certificate says, uncertainty included."""
    source = a_source()
    counts = expected_counts(EU, 37_000 * LIVE_S)
    peaks = peak_table(EU, counts, 0.3 * counts, np.random.default_rng(4))
    points = gp.efficiency_points(peaks, EU, source, live_time_s=LIVE_S, started=date(2020, 1, 1))

    found = gp.activity_of("Eu-152", peaks, EU, gp.fit_efficiency(points, order=3), live_time_s=LIVE_S)

    assert found.activity_bq == pytest.approx(37_000, rel=1e-3)
    assert found.efficiency_bq_unc == pytest.approx(500, rel=0.1)


def activity_pulls(activity_bq: float, number: int, seed: int) -> NDArray[np.float64]:
    """(found - true) / uncertainty, with counts, intensities and the efficiency curve that scatter."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        curve = gp.EfficiencyCurve(
            tuple(rng.multivariate_normal(TRUE_CURVE, np.array(CURVE_COVARIANCE)).tolist()),
            CURVE_COVARIANCE,
            (50.0, 1450.0),
        )
        emitted = EU.with_columns(
            pl.Series("intensity", rng.normal(EU["intensity"].to_numpy(), EU["intensity_unc"].to_numpy()))
        )
        peaks = peak_table(EU, expected_counts(emitted, activity_bq * LIVE_S), 100.0, rng)
        one = gp.activity_of("Eu-152", peaks, EU, curve, live_time_s=LIVE_S)
        found.append(((one.activity_bq - activity_bq) / one.activity_bq_unc, one.chi2))
    return np.array(found)


def test_pulls_of_the_activity() -> None:
    found = activity_pulls(1000.0, 100, 21)

    assert abs(found[:, 0].mean()) < 0.1 + 2 / math.sqrt(100)
    assert found[:, 0].std() == pytest.approx(1, abs=0.1 + 2 / math.sqrt(200))
    assert found[:, 1].mean() == pytest.approx(12, abs=1)


@pytest.mark.slow
def test_pulls_of_the_activity_over_many_measurements() -> None:
    most = repetitions(2000)
    for activity_bq, seed in ((1e4, 22), (1000.0, 23)):
        found = activity_pulls(activity_bq, most, seed)

        assert abs(found[:, 0].mean()) < 0.1 + 1 / math.sqrt(most)
        assert found[:, 0].std() == pytest.approx(1, abs=0.1 + 1 / math.sqrt(2 * most))


def cs_spectrum(rng: np.random.Generator, activity_bq: float) -> pl.DataFrame:
    """A Cs-137 line of FWHM 2 keV on a flat background."""
    energy = np.arange(2000) * 0.5 + 0.25
    sigma = 2.0 / 2.3548
    counts = float(expected_counts(LINES["Cs-137"], activity_bq * LIVE_S)[0])
    shape = np.exp(-0.5 * ((energy - 661.657) / sigma) ** 2) * 0.5 / (sigma * math.sqrt(2 * math.pi))
    drawn = rng.poisson(10 + counts * shape).astype(np.float64)
    return pl.DataFrame({"energy_kev": energy, "counts": drawn, "variance": drawn})


def limit_of_caesium(spectrum: pl.DataFrame) -> gp.NuclideActivity:
    lines = LINES["Cs-137"]
    return gp.activity_of(
        "Cs-137", eu_peaks(1.0).clear(), lines, CURVE, live_time_s=LIVE_S, spectrum=spectrum, fwhm=(4.0,)
    )


@pytest.fixture(scope="module")
def nothing() -> list[gp.NuclideActivity]:
    """What is found in 150 spectra of background."""
    rng = np.random.default_rng(31)
    return [limit_of_caesium(cs_spectrum(rng, 0.0)) for _ in range(150)]


@pytest.mark.slow
def test_a_nuclide_without_a_peak_has_an_upper_limit_and_five_per_cent_false_detections(
    nothing: list[gp.NuclideActivity],
) -> None:
    assert np.mean([one.detected for one in nothing]) == pytest.approx(0.05, abs=0.035)
    assert all(one.upper_limit_bq is not None and one.upper_limit_bq > 0 for one in nothing if not one.detected)
    limits = [one.detectable_bq for one in nothing]
    assert np.std(limits) < 0.2 * np.mean(limits)


@pytest.mark.slow
def test_the_detectable_activity_is_detected_nineteen_times_of_twenty(nothing: list[gp.NuclideActivity]) -> None:
    rng = np.random.default_rng(32)
    limit = float(np.mean([one.detectable_bq for one in nothing]))

    found = [limit_of_caesium(cs_spectrum(rng, limit)).detected for _ in range(100)]

    assert np.mean(found) == pytest.approx(0.95, abs=0.045)


@pytest.mark.slow
def test_upper_limits_cover_the_truth(nothing: list[gp.NuclideActivity]) -> None:
    rng = np.random.default_rng(33)
    true = 0.4 * float(np.mean([one.detectable_bq for one in nothing]))
    found = [limit_of_caesium(cs_spectrum(rng, true)) for _ in range(100)]

    limits = [one.upper_limit_bq for one in found if one.upper_limit_bq is not None]
    assert len(limits) > 20
    assert np.mean([limit > true for limit in limits]) > 0.85  # 95 % of all, fewer of those that were not detected


def test_without_a_spectrum_nothing_can_be_told_of_a_nuclide_without_a_peak() -> None:
    with pytest.raises(UsageError, match="no line of Cs-137 has a peak: an upper limit needs the spectrum"):
        gp.activity_of("Cs-137", eu_peaks(1.0), LINES["Cs-137"], CURVE, live_time_s=LIVE_S)


def test_extrapolation_is_told() -> None:
    curve = gp.EfficiencyCurve(TRUE_CURVE, CURVE_COVARIANCE, (200.0, 1300.0))

    found = gp.activity_of("Eu-152", eu_peaks(1000.0), EU, curve, live_time_s=LIVE_S)

    assert "extrapolated to 121.8, 1408.0 keV" in found.warnings[0]
    assert found.lines.filter("extrapolated").height == 2


def test_strong_lines_without_a_peak_are_told() -> None:
    peaks = eu_peaks(1000.0).filter((pl.col("centroid_kev") - 778.9).abs() > 1)

    found = gp.activity_of("Eu-152", peaks, EU, CURVE, live_time_s=LIVE_S)

    assert "strong lines at 778.9 keV have no usable peak" in found.warnings[0]


def test_peaks_that_were_not_expected_change_nothing() -> None:
    peaks = eu_peaks(1000.0)
    other = peaks.head(1).with_columns(centroid_kev=pl.lit(700.0))

    with_other = gp.activity_of("Eu-152", pl.concat([peaks, other]), EU, CURVE, live_time_s=LIVE_S)

    assert with_other.activity_bq == gp.activity_of("Eu-152", peaks, EU, CURVE, live_time_s=LIVE_S).activity_bq
    assert float(true_efficiency(np.array([700.0]))[0]) > 0


def test_counting_for_longer_than_anything_lives_has_an_uncertainty() -> None:
    """d ln f / d ln T½ is 1, where all decays while it is counted: f = T½ / (t_c ln 2)."""
    assert decay_unc(Measurement(1000.0, 7.0), 0.0, 1e300) == pytest.approx(0.007)
    assert decay_factor(1000.0, 0.0, 1e300) == pytest.approx(1000.0 / (1e300 * math.log(2)))
