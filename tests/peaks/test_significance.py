"""Tests of "no peak", against exact probabilities and noise; areas at few counts."""

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr, ndtri

import gammapolars as gp
from gammapolars.peaks.likelihood import Knowledge, Prior, fit_region
from gammapolars.peaks.model import Model
from gammapolars.peaks.profile import area_interval
from gammapolars.peaks.significance import filter_tail, global_p_value, resolution_elements, significance_of
from tests.validation.false_peaks import FWHM, false_peaks, noise
from tests.validation.simulated_peaks import drawn

KERNEL = np.exp(-0.5 * (np.arange(-9, 10) / 2.12) ** 2)
KERNEL -= KERNEL.mean()


def exact_tail(response: float, counts: int) -> float:
    """The probability of a response of at least this from counts that fall anywhere, by folding its distribution."""
    step = 1e-3
    places = np.round((KERNEL - KERNEL.min()) / step).astype(int)
    one = np.bincount(places) / len(KERNEL)
    length = counts * len(one) + 1
    every = np.fft.irfft(np.fft.rfft(one, length) ** counts, length)
    return float(every[round((response - counts * KERNEL.min()) / step) :].sum())


@pytest.mark.parametrize(("counts", "part"), [(4, 0.75), (6, 0.7), (10, 0.6), (40, 0.35), (200, 0.12)])
def test_the_filter_has_the_exact_tail(counts: int, part: float) -> None:
    response = part * counts * KERNEL.max()

    found = filter_tail(KERNEL).significance(np.array([response]), np.array([float(counts)]))[0]

    exact = exact_tail(response, counts)
    assert 1e-8 < exact < 3e-3
    assert ndtr(-found) == pytest.approx(exact, rel=0.3)


def test_a_few_counts_in_one_bin_are_no_more_than_they_can_be() -> None:
    counts = np.arange(1.0, 8.0)

    found = filter_tail(KERNEL).significance(counts * KERNEL.max(), counts)

    assert (np.diff(found) > 0).all()
    # One bin out of 19, n times.
    assert (found <= -ndtri(19.0**-counts) + 0.3).all()


def test_noise_of_few_counts_has_no_more_false_peaks_than_any() -> None:
    outcome = false_peaks(elements=10_000, levels=(0.3, 1.0))

    assert [str(check) for check in outcome.checks[::2] if not check.kept] == [], str(outcome)


def test_nine_counts_above_nothing_are_a_peak() -> None:
    spectrum = noise(0.01, np.random.default_rng(3), 2000)
    lone = np.zeros(2000)
    lone[995:1006] = [0, 0, 0, 1, 2, 3, 2, 1, 0, 0, 0]
    spectrum = spectrum.with_columns(counts=pl.col("counts") + lone, variance=pl.col("counts") + lone)

    (peak,) = gp.fit_peaks(spectrum, fwhm=(FWHM**2,)).to_dicts()

    assert peak["centroid_kev"] == pytest.approx(1100, abs=1)
    assert peak["significance"] > 4
    assert peak["area"] / peak["area_unc"] == pytest.approx(3, abs=0.2)
    # Where -2 ln L of 9 counts without background is higher by 1.
    assert peak["area_unc_low"] == pytest.approx(2.68, abs=0.1)
    assert peak["area_unc_high"] == pytest.approx(3.34, abs=0.1)
    assert peak["p_value"] < 0.02


def test_many_counts_have_one_uncertainty() -> None:
    model = Model(0, 40, np.array([2.0]))
    expected = model.expected(np.array([400.0, 20.0, 1.0, 0.0, 1.5, 0.0, 5.0, 5.0]))
    fit = fit_region(expected, expected, model, np.array([20.0]), Knowledge(Prior(1.0)))

    low, high = area_interval(fit, 0)

    assert low == high == pytest.approx(np.sqrt(fit.covariance[0, 0]))


def test_the_significance_is_the_root_of_the_likelihood_ratio() -> None:
    """With a background that is known from many bins, that of n counts where b are expected: 2 (n ln n/b - n + b)."""
    model = Model(0, 4001, np.array([0.05]))
    expected = model.expected(np.array([100.0, 2000.0, 1.0, 0.0, 1.5, 0.0, 50.0, 50.0]))
    fit = fit_region(expected, expected, model, np.array([2000.0]), Knowledge(Prior(1.0)))

    assert significance_of(fit)[0] == pytest.approx(np.sqrt(2 * (150 * np.log(3) - 100)), rel=0.02)


def test_weights_do_not_change_the_significance() -> None:
    rng = np.random.default_rng(4)
    spectrum = drawn(np.full(800, 30.0) + 60 * np.exp(-0.5 * ((np.arange(800) - 400) / 2.1) ** 2), rng)
    weighted = spectrum.with_columns(counts=3 * pl.col("counts"), variance=9 * pl.col("counts"))

    one, other = (gp.fit_peaks(table, fwhm=(4.0,)) for table in (spectrum, weighted))

    assert other["area"][0] == pytest.approx(3 * one["area"][0], rel=1e-2)
    assert other["significance"][0] == pytest.approx(one["significance"][0], rel=1e-2)


@pytest.mark.slow
def test_the_probability_in_a_whole_spectrum() -> None:
    """As often as the noise of a filter exceeds a height, in simulated spectra of 200 resolution elements."""
    assert resolution_elements(np.full(1000, 5.0)) == pytest.approx(200)
    assert global_p_value(4.0, 1000.0) == pytest.approx(0.085, abs=0.002)
    assert global_p_value(4.0, 0.0) == pytest.approx(float(ndtr(-4.0)), rel=1e-3)
    assert global_p_value(-3.0, 1000.0) == pytest.approx(1)
    rng = np.random.default_rng(5)
    highest = [
        gp.find_peaks(noise(50.0, rng, 1000), fwhm=(FWHM**2,), least_significance=2.0)["significance"].max()
        for _ in range(300)
    ]

    part = np.mean(np.array(highest, np.float64) > 3.0)

    assert part == pytest.approx(global_p_value(3.0, 200.0), abs=4 * np.sqrt(part * (1 - part) / 300) + 0.1)
