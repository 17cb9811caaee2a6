"""Strong lines, rows of them, and lines wider than others: one peak, one row, with the right area."""

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr

import gammapolars as gp
from gammapolars.peaks.shape import tail_integral
from tests.drawing import repetitions
from tests.validation.simulated_peaks import GAIN_KEV, OFFSET_KEV, drawn, expected_counts
from tests.validation.strong_lines import drawn_lines, found_in, strong_lines

HPGE = (0.8, 0.0018)


def with_tails(lines: dict[float, float], low: float, high: float, step: float = 1e-4) -> np.ndarray:
    """Expected counts of lines with tails: parts of the area, with slopes of 1.5 σ below and 1.8 σ above."""
    edges = OFFSET_KEV + GAIN_KEV * (np.arange(4097) - 0.5)
    expected = expected_counts({}, HPGE)
    for energy, area in lines.items():
        z = (edges - energy) / (np.sqrt(HPGE[0] + HPGE[1] * energy) / 2.3548)
        integral = ndtr(z) + low * tail_integral(z, 1.5) - high * tail_integral(-z, 1.8)
        expected += area * (np.diff(integral) + step * (1 - 0.5 * (ndtr(z[1:]) + ndtr(z[:-1]))))
    return expected


@pytest.mark.slow
def test_a_long_row_of_strong_peaks_has_each_of_them_once() -> None:
    """A row too long to be fitted at once was cut, and each part took peaks of the other for its own."""
    rng = np.random.default_rng(0)
    energies = [*(400 + np.cumsum(rng.uniform(2.5, 4.5, 12))), 900.0, 1200.0, 1400.0]
    areas = [*(10 ** rng.uniform(4.5, 6.5, 12)), 2e5, 2e5, 2e5]

    found = gp.fit_peaks(drawn(expected_counts(dict(zip(energies, areas, strict=True)), HPGE), rng))

    row = found.filter(pl.col("centroid_kev") < 450)
    np.testing.assert_allclose(row["centroid_kev"], energies[:12], atol=0.1)
    np.testing.assert_allclose(row["area"], areas[:12], rtol=0.05)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (0.1, 0.0), (0.08, 0.015)])
def test_strong_lines_are_one_peak_each_within_a_third_of_a_percent(low: float, high: float) -> None:
    lines = {350.0: 1e6, 700.0: 3e6, 1000.0: 1e5, 1330.0: 1e7}

    found = gp.fit_peaks(drawn(with_tails(lines, low, high), np.random.default_rng(3)))

    assert found["centroid_kev"].round(0).to_list() == pytest.approx(list(lines), abs=1)
    assert found["status"].to_list() == ["ok"] * 4
    strong = found.filter(pl.col("area") > 5e5)
    np.testing.assert_allclose(strong["area"], [1e6, 3e6, 1e7], rtol=0.003)


def test_a_bad_fit_has_large_uncertainties() -> None:
    """Of a shape that no detector has, which no model fits."""
    edges = (np.arange(4097) - 0.5 - 1500) / 3
    triangle = 1e6 * np.diff(np.clip(0.5 + edges / 6 * (2 - np.abs(edges) / 3), 0, 1))
    flat = expected_counts({}, HPGE)

    found = gp.fit_peaks(drawn(flat + np.abs(triangle), np.random.default_rng(5)), fwhm=(9.0, 0.0))

    peak = found.sort("area").row(-1, named=True)
    assert peak["status"] == "poor fit"
    assert peak["area_unc"] > 3 * np.sqrt(peak["area"])


@pytest.mark.parametrize("fwhm", [None, pytest.param(HPGE, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("broad_kev", "area"), [(2.2, 1e5), (2.8, 3e3), (2.8, 1e5), (3.5, 1e4)])
def test_annihilation_radiation_is_one_peak_of_its_own_width(
    fwhm: tuple[float, float] | None, broad_kev: float, area: float
) -> None:
    others = expected_counts({121.78: 30_000, 344.28: 22_000, 778.9: 8_000, 1112.1: 7_000, 1408.0: 9_500}, HPGE)
    wide = expected_counts({511.0: area}, (broad_kev**2, 0.0)) - expected_counts({}, HPGE)

    found = gp.fit_peaks(drawn(others + wide, np.random.default_rng(int(area))), fwhm=fwhm)

    peak = found.filter((pl.col("centroid_kev") - 511).abs() < 5)
    assert peak.height == 1
    assert peak["area"][0] == pytest.approx(area, abs=4 * peak["area_unc"][0])
    assert peak["fwhm_kev"][0] == pytest.approx(broad_kev, abs=4 * peak["fwhm_kev_unc"][0] + 0.02)


@pytest.mark.slow
def test_lines_of_all_kinds_are_found_once() -> None:
    outcome = strong_lines(repetitions(60))

    assert [str(check) for check in outcome.checks if not check.kept] == [], str(outcome)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [("both tails", 61), ("both tails", 295), ("crowded", 128)])
def test_chance_does_not_split_a_lone_line(kind: str, seed: int) -> None:
    """The rarest of 2,000 spectra: a fluctuation of 4 σ beside a line of 7,500 counts, and tails that nobody knows."""
    found = found_in(drawn_lines(kind, seed), width=bool(seed % 2))

    assert found.twice == 0
