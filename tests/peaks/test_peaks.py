"""Peaks found and fitted in spectra, as users call it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.signal import find_peaks

import gammapolars as gp
from gammapolars.core.errors import TableError, UsageError
from gammapolars.peaks.search import is_edge, local_maxima, maxima, significance_at_width, significances
from tests.drawing import examples, repetitions
from tests.validation.outcomes import Outcome
from tests.validation.simulated_peaks import EU_152, doublets, drawn, expected_counts, pulls

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")

HPGE = (0.8, 0.0018)


@pytest.fixture(scope="module")
def eu152() -> pl.DataFrame:
    return drawn(expected_counts(EU_152, HPGE), np.random.default_rng(1))


@pytest.fixture(scope="module")
def fitted(eu152: pl.DataFrame) -> pl.DataFrame:
    return gp.fit_peaks(eu152)


def near(peaks: pl.DataFrame, energy_kev: float, within_kev: float = 1.0) -> dict[str, Any]:
    (row,) = peaks.filter((pl.col("centroid_kev") - energy_kev).abs() < within_kev).iter_rows(named=True)
    return row


def test_the_lines_of_a_source_are_found(eu152: pl.DataFrame) -> None:
    found = gp.find_peaks(eu152)

    assert found.columns == ["centroid_kev", "fwhm_kev", "centroid_adc", "fwhm_adc", "significance"]
    assert found["centroid_kev"].is_sorted()
    clear = {energy for energy, area in EU_152.items() if area > 1000 and energy != 1089.74}
    for energy in clear:
        peak = near(found, energy)
        assert peak["fwhm_kev"] == pytest.approx(np.sqrt(HPGE[0] + HPGE[1] * energy), rel=0.1)
    assert found.filter(pl.col("significance") < 4).is_empty()
    assert found.height <= len(EU_152) + 1


def test_areas_and_centroids_are_right_within_their_uncertainties(fitted: pl.DataFrame) -> None:
    found = fitted

    for energy, area in EU_152.items():
        peak = near(found, energy)
        assert abs(peak["area"] - area) < 4 * peak["area_unc"]
        assert abs(peak["centroid_kev"] - energy) < 4 * peak["centroid_kev_unc"]
        assert peak["centroid_adc"] == pytest.approx((peak["centroid_kev"] - 2) / 0.4)
        assert peak["status"] == "ok"
    strongest = near(found, 121.78)
    assert strongest["area_unc"] < 1.5 * np.sqrt(30_000 + 2 * strongest["background"])
    # 1085.8 and 1089.7 keV are fitted together.
    assert near(found, 1085.84)["region"] == near(found, 1089.74)["region"]


def test_a_table_of_peaks_is_what_the_schema_says(fitted: pl.DataFrame) -> None:
    schema = gp.require(fitted.lazy(), gp.PEAKS)

    of_kinds = {"kind", "reason", "nuclide", "line_kev"}  # which `peak_kinds` adds
    assert set(schema) == {*gp.PEAKS.columns, *gp.PEAKS.optional} - {"run", "board", "channel"} - of_kinds


def test_bins_in_any_order_and_those_left_out_change_nothing(eu152: pl.DataFrame, fitted: pl.DataFrame) -> None:
    sparse = eu152.filter(pl.col("counts") > 0).sample(fraction=1, shuffle=True, seed=2)

    assert_frame_equal(gp.fit_peaks(sparse.lazy()), fitted)


def test_energies_alone_and_channels_alone_will_do(eu152: pl.DataFrame, fitted: pl.DataFrame) -> None:
    in_kev = gp.fit_peaks(eu152.drop("adc"))
    in_adc = gp.fit_peaks(eu152.drop("energy_kev"))

    assert_frame_equal(in_kev, fitted.select(in_kev.columns), rel_tol=1e-5)
    assert_frame_equal(in_adc, fitted.select(in_adc.columns), rel_tol=1e-5)


def test_each_detector_has_its_own_peaks(eu152: pl.DataFrame, fitted: pl.DataFrame) -> None:
    other = drawn(expected_counts({661.66: 9000.0}, HPGE), np.random.default_rng(3))
    keys = {"board": pl.UInt16, "channel": pl.UInt16}
    table = pl.concat(
        [
            spectrum.with_columns(board=pl.lit(0, keys["board"]), channel=pl.lit(channel, keys["channel"]))
            for channel, spectrum in ((3, other), (1, eu152))
        ]
    )

    found = gp.fit_peaks(table)

    assert found["channel"].to_list() == sorted(found["channel"].to_list())
    assert_frame_equal(found.filter(channel=1).select(fitted.columns), fitted)
    assert near(found.filter(channel=3), 661.66)["area"] == pytest.approx(9000, rel=0.05)
    # Regions are numbered throughout.
    assert found.group_by("region").agg(pl.col("channel").n_unique())["channel"].max() == 1


def test_peaks_that_are_given_are_fitted_and_no_others(eu152: pl.DataFrame) -> None:
    given_peaks = pl.DataFrame({"centroid_kev": [344.5, 779.1, 5000.0]})

    found = gp.fit_peaks(eu152, given_peaks)

    assert found["centroid_kev"].round(0).to_list() == [344, 779]
    assert found["area"][0] == pytest.approx(22_000, rel=0.03)
    with pytest.raises(TableError, match="neither centroid_kev nor centroid_adc"):
        gp.fit_peaks(eu152, given_peaks.rename({"centroid_kev": "energy"}))


def test_a_width_that_is_known_is_taken(eu152: pl.DataFrame) -> None:
    found = gp.find_peaks(eu152, fwhm=HPGE)

    for energy in (121.78, 1408.01):
        assert near(found, energy)["fwhm_kev"] == pytest.approx(np.sqrt(HPGE[0] + HPGE[1] * energy), rel=1e-3)
    with pytest.raises(TableError, match="a FWHM in keV needs a spectrum with energy_kev"):
        gp.find_peaks(eu152.drop("energy_kev"), fwhm=HPGE)


def test_annihilation_radiation_is_one_wide_peak() -> None:
    rng = np.random.default_rng(4)
    expected = expected_counts({**EU_152, 661.66: 8000.0}, HPGE)
    wide = expected_counts({511.0: 6000.0}, (6.8, 0.0)) - expected_counts({}, HPGE)

    found = gp.fit_peaks(drawn(expected + wide, rng))

    peak = near(found, 511, within_kev=4)
    assert peak["area"] == pytest.approx(6000, abs=4 * peak["area_unc"])
    assert peak["fwhm_kev"] == pytest.approx(np.sqrt(6.8), rel=0.08)


def test_a_spectrum_without_peaks_has_none(fitted: pl.DataFrame) -> None:
    rng = np.random.default_rng(5)
    for level in (0.0, 0.3, 100.0):
        flat = drawn(np.full(2000, level), rng)
        assert gp.fit_peaks(flat).height <= 1
        assert gp.find_peaks(flat).height <= 1
    nothing = gp.fit_peaks(drawn(np.full(2000, 0.0), rng))
    assert nothing.is_empty()
    assert nothing.schema == fitted.schema


def test_an_empty_table_and_one_bin() -> None:
    empty = pl.DataFrame(schema={"adc": pl.Float64, "counts": pl.Float64, "variance": pl.Float64})
    one = pl.DataFrame({"adc": [5.0], "counts": [9.0]})

    assert gp.fit_peaks(empty).is_empty()
    assert gp.find_peaks(one).is_empty()


@pytest.mark.parametrize(
    "frame", [pl.DataFrame({"adc": [1.0]}), pl.DataFrame({"counts": [1.0]}), pl.DataFrame({"x": [1], "counts": [2.0]})]
)
def test_what_is_no_spectrum_is_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(TableError, match="is not a table of spectra"):
        gp.find_peaks(frame)


def test_bins_without_a_place_are_refused() -> None:
    with pytest.raises(TableError, match="bins without adc or energy_kev"):
        gp.fit_peaks(pl.DataFrame({"adc": [1.0, None], "counts": [1.0, 2.0]}))


@pytest.mark.parametrize("least", [0.0, -1.0, float("nan"), float("inf")])
def test_a_significance_that_cannot_be_is_refused(eu152: pl.DataFrame, least: float) -> None:
    with pytest.raises(UsageError, match="a significance must be a positive number"):
        gp.find_peaks(eu152, least_significance=least)


@given(level=st.floats(20, 1e4), slope=st.floats(-0.4, 0.4), width=st.floats(2, 30))
def test_the_filter_is_blind_to_a_sloping_background(level: float, slope: float, width: float) -> None:
    counts = level * (1 + slope * np.linspace(-1, 1, 400))

    assert np.abs(significances(counts, counts, width)).max() < 1e-3


@examples(20)
@given(area=st.floats(500, 1e5), place=st.floats(150, 250), width=st.floats(3, 20))
def test_the_filter_answers_most_at_the_peak(area: float, place: float, width: float) -> None:
    x = np.arange(400)
    counts = 100 + area * np.exp(-0.5 * ((x - place) * 2.3548 / width) ** 2) * 2.3548 / width / 2.5066
    widths = np.full(400, width)

    found = significance_at_width(counts, counts, widths)

    assert abs(int(found.argmax()) - place) <= 1
    assert maxima(found, widths, 5.0).tolist() == [int(found.argmax())]


def test_noise_alone_is_seldom_significant() -> None:
    rng = np.random.default_rng(6)
    widths = np.full(20_000, 5.0)
    found = significance_at_width(noise := rng.poisson(50.0, 20_000).astype(float), noise, widths)

    inner = found[50:-50]
    assert inner.mean() == pytest.approx(0, abs=0.05)
    assert inner.std() == pytest.approx(1, abs=0.05)


def test_where_a_spectrum_begins_is_no_peak_and_a_peak_beside_another_is_one() -> None:
    x = np.arange(300)
    threshold = np.where(x < 100, 0.0, 3000 * np.exp(-(x - 100) / 80))
    two = sum(5000 * np.exp(-0.5 * ((x - place) / 8) ** 2) for place in (120, 170))

    assert is_edge(threshold, 103.0, 8.0)
    assert not is_edge(np.asarray(two), 120.0, 18.0)
    assert not is_edge(np.asarray(two), 170.0, 18.0)


def test_a_netted_spectrum_with_negative_bins_is_fitted() -> None:
    rng = np.random.default_rng(7)
    gross = drawn(expected_counts(EU_152, HPGE), rng)
    background = drawn(expected_counts({}, HPGE), rng)
    net = gross.with_columns(
        counts=gross["counts"] - background["counts"], variance=gross["counts"] + background["counts"]
    )
    assert net["counts"].min() < 0  # type: ignore[operator]

    found = gp.fit_peaks(net)

    for energy in (344.28, 778.90, 1408.01):
        peak = near(found, energy)
        assert abs(peak["area"] - EU_152[energy]) < 4 * peak["area_unc"]


def kept(outcome: Outcome) -> None:
    assert [str(check) for check in outcome.checks if not check.kept] == [], str(outcome)


@pytest.mark.slow
def test_pulls_over_many_spectra() -> None:
    kept(pulls(repetitions(60)))


@pytest.mark.slow
def test_doublets_closer_than_their_width() -> None:
    kept(doublets(repetitions(25)))


@pytest.mark.slow
@recorded
def test_the_intercomparison_of_1995() -> None:
    from tests.validation.intercomparison import intercomparison

    kept(intercomparison())


@recorded
@pytest.mark.slow
def test_becquerel_fits_the_same() -> None:
    pytest.importorskip("becquerel", reason="becquerel is not installed (extra crosscheck)")
    from tests.validation.other_fitter import other_fitter

    kept(other_fitter())


@pytest.mark.slow
@recorded
def test_peaks_of_sodium_iodide() -> None:
    """511 and 1275 keV, both detectors: nothing clearer is there."""
    hits = gp.scan(Path(FOLDER) / "na22-two-nai" / "SDataR_na22_two_nai.root")
    counted = hits.group_by("board", "channel", adc=pl.col("adc").cast(pl.Float64)).agg(
        counts=pl.len().cast(pl.Float64)
    )

    found = gp.fit_peaks(counted.with_columns(variance="counts"))

    for channel, position in ((4, 692), (5, 540)):
        peaks = found.filter(channel=channel).sort("significance", descending=True)
        strongest, second = peaks.row(0, named=True), peaks.row(1, named=True)
        assert strongest["centroid_adc"] == pytest.approx(position, rel=0.02)
        assert 0.07 < strongest["fwhm_adc"] / strongest["centroid_adc"] < 0.10
        assert second["centroid_adc"] / strongest["centroid_adc"] == pytest.approx(1274.5 / 511, rel=0.04)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 3))
def test_maxima_are_those_of_scipy(drawn: list[int], least: int) -> None:
    values = np.array(drawn, float)

    assert local_maxima(values, least).tolist() == find_peaks(values, height=least)[0].tolist()
