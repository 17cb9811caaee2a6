"""Widths of spectra whose peaks are mostly doublets: the detector's, not that of the blends."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.core.errors import UsageError, WidthWarning
from gammapolars.peaks.doublets import one_or_two
from gammapolars.peaks.likelihood import Knowledge, Prior, RegionFit, fit_region
from gammapolars.peaks.model import Model
from gammapolars.peaks.widths import Width, WidthModel, is_decided, width_model
from tests.validation.simulated_peaks import EU_152, drawn, expected_counts

HPGE = (0.8, 0.0018)


def fwhm_at(energy_kev: float) -> float:
    return float(np.sqrt(HPGE[0] + HPGE[1] * energy_kev))


@pytest.mark.parametrize("partner", [1.0, 0.3])
def test_doublets_do_not_widen_the_model(partner: float) -> None:
    """Every line of Eu-152 has a partner 1.2 keV above it, where peaks are 1 to 1.8 keV wide."""
    lines = {**EU_152, **{energy + 1.2: partner * area for energy, area in EU_152.items()}}
    spectrum = drawn(
        expected_counts({energy: 4 * area for energy, area in lines.items()}, HPGE), np.random.default_rng(2)
    )

    found = gp.find_peaks(spectrum)

    for energy in (344.28, 778.90, 964.08, 1408.01):
        (peak,) = found.filter((pl.col("centroid_kev") - energy - 0.5).abs() < 1.5)["fwhm_kev"].unique()[:1]
        assert peak == pytest.approx(fwhm_at(energy), rel=0.05)


def two_peaks(distance: float, areas: Sequence[float], tail: float = 0.0) -> RegionFit:
    """The fit of one peak to two, or to one with a tail, of FWHM 4, and what it becomes."""
    model = Model(0, 40, np.full(len(areas), 4 / 2.3548))
    places = [20.0, 20 + distance][: len(areas)]
    expected = model.expected(np.array([*areas, *places, 1.0, tail, 1.5, 0.0, 50.0, 50.0]))
    counts = np.random.default_rng(3).poisson(expected).astype(float)
    single = fit_region(counts, counts, Model(0, 40, np.array([2.0])), np.array([20.5]), Knowledge(Prior(1.0, 0.5)))
    return one_or_two(counts, counts, single)


def test_two_lines_are_told_from_a_wide_one() -> None:
    fit = two_peaks(3.0, [20_000.0, 10_000.0])

    assert len(fit.areas) == 2
    assert fit.shape()[0] * fit.model.sigmas[0] * 2.3548 == pytest.approx(4, rel=0.02)


def test_one_line_is_no_doublet_with_and_without_a_tail() -> None:
    assert len(two_peaks(0.0, [30_000.0]).areas) == 1
    assert len(two_peaks(0.0, [30_000.0], tail=0.3).areas) == 1


def test_few_narrow_widths_outweigh_many_wide_ones() -> None:
    true = WidthModel(4.0, 0.003, 0.0)
    places = np.linspace(300, 6000, 14)
    widths = [Width(x, 1.25 * float(true.at(x)), 0.03, 30.0) for x in places]
    widths += [Width(x, float(true.at(x)), 0.03, 60.0, resolved=True) for x in places[::3]]

    found = width_model(widths)

    assert found is not None
    np.testing.assert_allclose(found.at(places), true.at(places), rtol=0.03)
    assert is_decided(widths, found)


def test_two_branches_with_as_many_peaks_leave_the_width_undecided() -> None:
    places = np.linspace(300, 6000, 8)
    widths = [Width(x, (4.0, 6.0)[number % 2], 0.1, 30.0) for number, x in enumerate(places)]

    found = width_model(widths)

    assert found is not None
    assert not is_decided(widths, found)


def undecided() -> pl.DataFrame:
    """Lines of which every second one is half as wide again, which nothing explains."""
    expected = np.full(4096, 20.0)
    for number, place in enumerate(range(300, 3900, 300)):
        sigma = (1.9, 2.9)[number % 2]
        expected += 300 / sigma * np.exp(-0.5 * ((np.arange(4096) - place) / sigma) ** 2)
    counts = np.random.default_rng(1).poisson(expected).astype(float)
    return pl.DataFrame({"adc": np.arange(4096.0), "counts": counts, "variance": counts})


def test_an_undecided_width_is_warned_of_and_a_given_one_is_not() -> None:
    spectrum = undecided()

    with pytest.warns(WidthWarning, match="the peaks do not have a common width: .* may be that of doublets"):
        gp.fit_peaks(spectrum)
    with pytest.raises(UsageError, match="FWHM² is not positive anywhere"):
        gp.fit_peaks(spectrum.with_columns(energy_kev="adc"), fwhm=(-1.0,))
