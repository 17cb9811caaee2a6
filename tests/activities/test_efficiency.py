"""Efficiencies: matched peaks, points, and fits against simulated truth."""

import math
import os
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import gammapolars as gp
from gammapolars.activities.points import match_peaks, unmatched_lines
from gammapolars.core.errors import TableError, UsageError
from gammapolars.detectors import Detector
from gammapolars.figures.efficiency import curve_energies, efficiency
from tests.drawing import repetitions
from tests.plots import built
from tests.sources import BA_133, LINES, a_source, expected_counts, line_table, peak_table, true_efficiency

LIVE_S = 300.0
FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
EU = LINES["Eu-152"]
STARTED = date(2020, 1, 1)


def eu_peaks(
    activity_bq: float = 37_000.0, *, live_s: float = LIVE_S, rng: np.random.Generator | None = None
) -> pl.DataFrame:
    counts = expected_counts(EU, activity_bq * live_s)
    return peak_table(EU, counts, 0.3 * counts + 20, rng)


def points(peaks: pl.DataFrame | None = None, source: gp.CalibrationSource | None = None) -> pl.DataFrame:
    return gp.efficiency_points(
        eu_peaks() if peaks is None else peaks, EU, source or a_source(), live_time_s=LIVE_S, started=STARTED
    )


# Matching


def test_points_are_area_by_decays_and_photons() -> None:
    found = points()

    assert found["energy_kev"].to_list() == EU["energy_kev"].to_list()
    assert found["efficiency"].to_numpy() == pytest.approx(true_efficiency(EU["energy_kev"].to_numpy()), rel=1e-5)
    first = found.row(0, named=True)
    assert first["efficiency_unc_activity"] / first["efficiency"] == pytest.approx(500 / 37_000)
    assert first["efficiency_unc_intensity"] / first["efficiency"] == pytest.approx(0.13 / 28.41)
    assert first["efficiency_unc_area"] / first["efficiency"] == pytest.approx(first["area_unc"] / first["area"])
    parts = [first[f"efficiency_unc_{part}"] for part in ("area", "intensity", "activity")]
    assert first["efficiency_unc"] == pytest.approx(math.hypot(*parts))


def test_a_source_decays_until_and_while_it_is_counted() -> None:
    source = gp.CalibrationSource("Na-24", 1e6, 1e3, datetime(2020, 1, 1), half_life_s=54_000.0)
    lines = line_table("Na-24", [(1368.6, 100.0, 0.1)])
    peaks = peak_table(lines, np.array([1000.0]), 0.0)

    found = gp.efficiency_points(
        peaks, lines, source, live_time_s=27_000.0, real_time_s=54_000.0, started=datetime(2020, 1, 1, 15)
    )

    mean = 1e6 * 0.5 * 0.5 / math.log(2)
    assert found["efficiency"][0] == pytest.approx(1000 / (mean * 27_000))


def test_lines_that_one_peak_holds_count_together() -> None:
    lines = line_table("X-1", [(500.0, 10.0, 0.3), (501.0, 30.0, 0.4), (600.0, 5.0, 0.1)])
    peaks = pl.DataFrame({"centroid_kev": [500.7, 600.1], "fwhm_kev": 2.0, "area": [400.0, 50.0], "area_unc": 20.0})

    found = match_peaks(peaks, lines)

    assert found["intensity"].to_list() == [40.0, 5.0]
    assert found["energy_kev"].to_list() == pytest.approx([500.75, 600.0])
    assert found["intensity_unc"].to_list() == pytest.approx([0.5, 0.1])
    assert found["lines"].to_list() == [2, 1]


def test_lines_with_peaks_of_their_own_stay_apart() -> None:
    lines = line_table("X-1", [(500.0, 10.0, 0.3), (501.5, 30.0, 0.4)])
    peaks = pl.DataFrame({"centroid_kev": [500.1, 501.4], "fwhm_kev": 2.0, "area": [100.0, 300.0], "area_unc": 20.0})

    assert match_peaks(peaks, lines)["intensity"].to_list() == [10.0, 30.0]


def test_what_is_no_good_peak_of_the_source_is_left_out() -> None:
    lines = line_table("Na-22", [(300.0, 50.0, 0.1), (400.0, 0.5, 0.1), (510.99895, 179.9, 0.2), (700.0, 50.0, 0.1)])
    peaks = pl.DataFrame(
        {
            "centroid_kev": [300.9, 400.0, 511.0, 700.0],
            "fwhm_kev": 1.5,  # 300.9 lies 0.6 FWHM away
            "area": 100.0,
            "area_unc": 10.0,
            "status": ["ok", "ok", "ok", "no minimum"],
        }
    )

    assert match_peaks(peaks, lines).is_empty()
    assert match_peaks(peaks, lines, within_fwhm=0.7)["energy_kev"].to_list() == [300.0]
    assert match_peaks(peaks, lines, least_intensity=0.1)["energy_kev"].to_list() == [400.0]


def test_strong_lines_without_a_peak_are_told() -> None:
    lines = line_table("X-1", [(e, i, 0.1) for e, i in ((200.0, 9.0), (500.0, 50.0), (501.0, 20.0), (700.0, 40.0))])
    peaks = pl.DataFrame(
        {"centroid_kev": [150.0, 500.3, 701.5, 900.0], "fwhm_kev": 2.0, "area": 100.0, "area_unc": 10.0}
    )

    found = match_peaks(peaks, lines)

    assert found["centroid_kev"].to_list() == [500.3]
    assert unmatched_lines(found, peaks, lines) == [200.0, 700.0]
    assert unmatched_lines(found, peaks.filter(pl.col("centroid_kev") < 600), lines) == [200.0]


def test_peaks_of_several_detectors_are_refused() -> None:
    peaks = eu_peaks()
    other = peaks.with_columns(channel=pl.lit(4, pl.UInt16))

    with pytest.raises(UsageError, match="several detectors"):
        points(pl.concat([peaks, other]))


def test_peaks_in_adc_are_refused() -> None:
    with pytest.raises(TableError, match="no column 'centroid_kev': fit a spectrum that is calibrated"):
        points(eu_peaks().rename({"centroid_kev": "centroid_adc"}))


@pytest.mark.parametrize(("live", "real"), [(0.0, None), (math.nan, None), (10.0, 9.0), (10.0, math.inf)])
def test_times_that_cannot_be_are_refused(live: float, real: float | None) -> None:
    with pytest.raises(UsageError, match="time"):
        gp.efficiency_points(eu_peaks(), EU, a_source(), live_time_s=live, real_time_s=real, started=STARTED)


# The fit


def test_the_true_curve_is_found_where_nothing_scatters() -> None:
    fit = gp.fit_efficiency(points(), order=3)

    assert fit.chi2 == pytest.approx(0, abs=1e-6)
    assert fit.ndf == 13 - 4
    assert fit.energy_range_kev == (121.7817, 1408.013)
    energies = np.array([150.0, 661.657, 1332.5])
    assert fit.values(energies) == pytest.approx(true_efficiency(energies), rel=1e-4)
    value, unc = fit.at(661.657)
    assert value == pytest.approx(float(true_efficiency(np.array([661.657]))[0]), rel=1e-4)
    assert unc / value > 500 / 37_000  # what the activity leaves open, no number of lines closes
    assert unc / value < 1.5 * 500 / 37_000
    assert fit.points["residual_sigma"].abs().max() < 0.01  # type: ignore[operator]


def test_the_fit_is_that_of_generalised_least_squares() -> None:
    """Against the normal equations with the covariance written out."""
    rng = np.random.default_rng(5)
    found = points(eu_peaks(rng=rng))

    fit = gp.fit_efficiency(found.drop("area"), order=2)

    eps = found["efficiency"].to_numpy()
    design = np.vander(np.log(found["energy_kev"].to_numpy() / 1000), 3, increasing=True)
    own = np.diag(found["efficiency_unc_area"].to_numpy() ** 2 / eps**2)
    line = np.diag((found["intensity_unc"] / found["intensity"]).to_numpy() ** 2)
    weight = np.linalg.inv(own + line + (500 / 37_000) ** 2)
    simple = np.linalg.solve(design.T @ weight @ design, design.T @ weight @ np.log(eps))
    # The logarithms and the relative residuals differ by half the square of the residuals.
    assert np.array(fit.coefficients) == pytest.approx(simple, abs=0.01)
    assert np.array(fit.covariance) == pytest.approx(np.linalg.inv(design.T @ weight @ design), rel=0.1)


def test_two_sources_share_no_error_and_one_source_shares_it_with_itself() -> None:
    one = points()
    same = pl.concat([one, one])
    other = pl.concat([one, one.with_columns(source=pl.lit("another"), nuclide=pl.lit("another"))])

    of_one, of_same, of_other = (gp.fit_efficiency(table, order=1).at(700.0) for table in (one, same, other))

    relative = [found.unc / found.value for found in (of_one, of_same, of_other)]
    assert relative[2] == pytest.approx(relative[0] / math.sqrt(2), rel=1e-3)
    assert 500 / 37_000 < relative[1] < relative[0]


def test_the_order_that_describes_the_points_is_chosen() -> None:
    chosen = []
    for seed in range(20):
        peaks = eu_peaks(live_s=3000.0, rng=np.random.default_rng(seed))
        found = gp.efficiency_points(peaks, EU, a_source(), live_time_s=3000.0, started=STARTED)
        fit = gp.fit_efficiency(found)
        chosen.append(len(fit.coefficients) - 1)
        best = min(fit.tried, key=lambda trial: trial.bic)
        assert best.order == chosen[-1]
        assert best.chi2 == fit.chi2

    assert chosen.count(3) > 12
    assert min(chosen) == 3


def pulls(order: int | None, number: int, seed: int, energies: list[float]) -> NDArray[np.float64]:
    """(fit - truth) / uncertainty with counts, intensities and certified activities that scatter; two sources."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        tables = []
        for nuclide in ("Eu-152", "Ba-133"):
            lines = LINES[nuclide]
            emitted = lines.with_columns(
                pl.Series("intensity", rng.normal(lines["intensity"].to_numpy(), lines["intensity_unc"].to_numpy()))
            )
            counts = expected_counts(emitted, rng.normal(37_000, 500) * LIVE_S)
            peaks = peak_table(lines, counts, 0.3 * counts + 20, rng)
            tables.append(gp.efficiency_points(peaks, lines, a_source(nuclide), live_time_s=LIVE_S, started=STARTED))
        fit = gp.fit_efficiency(pl.concat(tables), order=order)
        band = fit.band(energies)
        truth = true_efficiency(np.array(energies))
        found.append((band["efficiency"].to_numpy() - truth) / band["efficiency_unc"].to_numpy())
    return np.array(found)


@pytest.mark.slow
def test_pulls_of_the_efficiency() -> None:
    most = repetitions(1500)
    found = pulls(3, most, 11, [81.0, 121.8, 300.0, 661.7, 1173.2, 1408.0])

    assert np.abs(found.mean(axis=0)).max() < 0.1 + 1 / math.sqrt(most)
    assert (np.abs(found.std(axis=0) - 1) < 0.1 + 1 / math.sqrt(2 * most)).all()


def test_an_activity_error_that_is_ignored_would_be_seen_in_the_pulls() -> None:
    """That the test above can fail: without the certificate's error, the band is far too narrow."""
    source = a_source()
    rng = np.random.default_rng(3)
    found = []
    for _ in range(40):
        table = points(eu_peaks(rng.normal(37_000, 500), rng=rng), source).with_columns(
            efficiency_unc_activity=pl.lit(0.0)
        )
        value, unc = gp.fit_efficiency(table, order=3).at(661.7)
        found.append((value - float(true_efficiency(np.array([661.7]))[0])) / unc)

    assert np.std(found) > 1.5


def test_what_is_outside_of_the_lines_is_marked_as_extrapolated() -> None:
    fit = gp.fit_efficiency(points(), order=2)

    assert fit.band([100.0, 121.7817, 1000.0, 1408.013, 1500.0])["extrapolated"].to_list() == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert fit.band([]).is_empty()


def test_a_curve_goes_into_a_detector_and_comes_back() -> None:
    fit = gp.fit_efficiency(points())

    curve = gp.EfficiencyCurve.of(fit.into(Detector(0, 3, "left")))

    assert curve.at(500.0) == fit.at(500.0)
    assert curve.energy_range_kev == fit.energy_range_kev
    with pytest.raises(UsageError, match="efficiency of detector 'left' is not known"):
        gp.EfficiencyCurve.of(Detector(0, 3, "left"))


def test_a_curve_without_covariance_has_no_uncertainty() -> None:
    value, unc = gp.EfficiencyCurve((-5.0, -1.0)).at(1000.0)

    assert value == pytest.approx(math.exp(-5))
    assert unc == 0
    with pytest.raises(UsageError, match="above 0 keV"):
        gp.EfficiencyCurve((-5.0, -1.0)).at(0.0)


def test_a_fit_that_does_not_describe_the_points_warns() -> None:
    wrong = eu_peaks().with_columns(
        area=pl.when(pl.col("centroid_kev") > 1400).then(pl.col("area") * 1.3).otherwise("area")
    )

    warned = gp.fit_efficiency(points(wrong), order=3).warnings

    assert any("check the residuals" in warning for warning in warned)
    assert not any("check the residuals" in warning for warning in gp.fit_efficiency(points(), order=3).warnings)


def test_coincidence_summing_is_warned_of_where_it_can_matter() -> None:
    near = gp.fit_efficiency(points(), order=3)
    far = points().with_columns(pl.col("^efficiency.*$") / 100)
    cs = LINES["Cs-137"]
    counts = expected_counts(cs, 1e7)
    single = gp.efficiency_points(peak_table(cs, counts, 0.0), cs, a_source("Cs-137"), live_time_s=1.0, started=STARTED)

    assert any("'Eu-152' emits several photons" in warning for warning in near.warnings)
    assert gp.fit_efficiency(far, order=3).warnings == ()
    assert gp.fit_efficiency(single, order=0).warnings == ()


def test_points_without_a_certain_area_are_left_out() -> None:
    table = points().with_columns(
        efficiency_unc_area=pl.when(pl.col("energy_kev") < 200)
        .then(pl.col("efficiency") * 0.5)
        .otherwise("efficiency_unc_area")
    )

    fit = gp.fit_efficiency(table, order=3)

    assert fit.points.height == 12
    assert any(warning.startswith("left out: 1 point with an area uncertainty") for warning in fit.warnings)


@pytest.mark.parametrize(
    ("rows", "order", "said"),
    [
        (2, None, "lines at 3 or more energies, but only 2"),
        (2, 2, "3 or more energies"),
        (13, 7, "0 to 6"),
        (13, -1, "0 to 6"),
    ],
)
def test_too_few_points_are_refused(rows: int, order: int | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        gp.fit_efficiency(points().head(rows), order=order)


def test_another_table_is_refused() -> None:
    with pytest.raises(TableError, match="not a table of efficiency points"):
        gp.fit_efficiency(eu_peaks())


@pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA is not set")
def test_recorded_europium_near_the_detector_sums_in_coincidence_and_is_warned_of() -> None:
    """At 7 cm, 867 keV is always followed by two photons of which 122 and 245 keV are likely to be seen."""
    recorded = gp.read_spectrum(Path(FOLDER) / "eu152-hpge" / "eu_calib_7cm.Spe")
    spectrum, started = recorded.table, recorded.measurement.started
    assert started is not None
    assert recorded.measurement.live_time_s is not None
    rows = []
    for energy in EU["energy_kev"]:
        shifted = energy * 1.0007 + 0.05  # the calibration in the file is that far off
        fwhm = 1.0 + 0.85 * energy / 1000
        counts = gp.line_counts(spectrum, shifted, fwhm)
        rows.append({"centroid_kev": energy, "fwhm_kev": fwhm, "area": counts.area, "area_unc": counts.area_unc})
    # The regions at the sides of 1085.8 keV hold the line at 1089.7 keV.
    peaks = pl.DataFrame(rows).filter((pl.col("centroid_kev") - 1085.837).abs() > 1)
    source = a_source()

    fit = gp.fit_efficiency(
        gp.efficiency_points(peaks, EU, source, live_time_s=recorded.measurement.live_time_s, started=started), order=3
    )

    assert fit.points.height == 12
    assert fit.points["residual_percent"].abs().max() < 6  # type: ignore[operator]
    assert fit.points.filter(pl.col("energy_kev") == 867.38)["residual_percent"][0] < -2
    assert any("check the residuals" in warning for warning in fit.warnings)
    assert any("emits several photons" in warning for warning in fit.warnings)


@pytest.mark.figures
@pytest.mark.filterwarnings("error")
def test_the_figure_can_be_drawn() -> None:
    ba = LINES["Ba-133"]
    more = gp.efficiency_points(
        peak_table(ba, expected_counts(ba, 37_000 * LIVE_S), 30.0),
        ba,
        gp.CalibrationSource("Ba-133", 37_000, 500, STARTED, "a $ource", half_life_s=3.3e8),
        live_time_s=LIVE_S,
        started=STARTED,
    )
    fit = gp.fit_efficiency(pl.concat([points(), more]))
    energies = curve_energies(fit.points)

    assert len(BA_133) + 13 == fit.points.height
    assert energies[0] == pytest.approx(80.9979)
    assert energies[-1] == pytest.approx(1408.013)
    for plot in (
        efficiency(fit),
        efficiency(fit.points, fit.band(energies)),
        efficiency(fit.points.clear(), fit.band([])),
    ):
        assert built(plot).startswith(b"\x89PNG")
