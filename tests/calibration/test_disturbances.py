"""Weak lines next to sums and Compton edges of strong ones: left out, and no others."""

import itertools

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.calibration.energy.disturbances import disturbances
from gammapolars.simulate import NUCLIDES, cascades
from tests.validation.line_energies import line_energies, tracked_line_energies
from tests.validation.outcomes import Outcome

KEV_PER_ADC = 0.1


def table(nuclide: str, counts: float, *, least: float = 0.2) -> pl.DataFrame:
    """The lines of a nuclide as an HPGe detector sees them that counts this much of the strongest."""
    lines = gp.lines(nuclide).filter(pl.col("intensity") > least)
    energy, intensity = lines["energy_kev"].to_numpy(), lines["intensity"].to_numpy()
    area = intensity * (energy / 300) ** -1.0
    area *= counts / area.max()
    fwhm = np.sqrt(0.55 + 0.00216 * energy) / KEV_PER_ADC
    return lines.select("nuclide", "energy_kev", "intensity").with_columns(
        run=pl.lit(1),
        adc=pl.Series(energy / KEV_PER_ADC),
        adc_unc=pl.Series(fwhm / 2.35 / np.sqrt(area) * (1 + 30 / np.sqrt(area))),
        fwhm_adc=pl.Series(fwhm),
        area=pl.Series(area),
    )


@pytest.mark.parametrize("counts", [16_000.0, 1e6, 1e8])
def test_the_weak_lines_of_europium_near_sums_are_left_out(counts: float) -> None:
    lines = table("Eu-152", counts)

    causes = dict(zip(lines["energy_kev"].round(1).to_list(), disturbances(lines), strict=True))

    assert causes[1528.1] == "near the sum 1408.0 + 121.8"
    assert causes[367.8] == "near the sum 244.7 + 121.8"
    if counts > 20_000:  # else their own uncertainty is larger than the shift
        assert causes[564.0] == "near the sum 444.0 + 121.8"
        assert causes[586.3] == "near the Compton edge of 778.9"
    strong = (121.8, 244.7, 344.3, 411.1, 778.9, 867.4, 1085.8, 1112.1, 1212.9, 1299.1, 1408.0)
    assert [causes[one] for one in strong if causes[one]] == []
    # 810.5 = 688.7 + 121.8 to 2 eV: a sum that moves nothing. 1112.1 and 344.3 are never of the same decay.
    assert [causes[one] for one in (810.5, 1457.6) if causes[one]] == []


@pytest.mark.parametrize("nuclide", sorted(NUCLIDES))
def test_no_strong_line_is_left_out(nuclide: str) -> None:
    lines = table(nuclide, 1e5)

    causes = disturbances(lines)

    assert not any(cause for cause, area in zip(causes, lines["area"], strict=True) if area > 0.2 * 1e5)


def test_every_sum_that_is_named_is_one_of_the_decay() -> None:
    pairs = {
        tuple(sorted(two))
        for cascade in cascades(NUCLIDES["Eu-152"])
        for two in itertools.combinations(cascade.energies_kev, 2)
    }
    lines = table("Eu-152", 1e7)
    sums = [cause.removeprefix("near the sum ").split(" + ") for cause in disturbances(lines) if " sum " in cause]

    assert len(sums) >= 3
    for one, other in sums:
        assert any(abs(x - float(other)) < 0.3 and abs(y - float(one)) < 0.3 for x, y in pairs)


def test_where_few_lines_would_be_left_all_are_used() -> None:
    lines = table("Eu-152", 1e5).filter(pl.col("energy_kev").round(1).is_in([121.8, 1408.0, 1528.1, 778.9]))

    assert disturbances(lines) == [""] * 4


def test_a_source_whose_scheme_is_not_known_is_judged_by_its_energies() -> None:
    lines = table("Eu-152", 1e5).with_columns(nuclide=pl.lit("Xx-1"))

    causes = dict(zip(lines["energy_kev"].round(1).to_list(), disturbances(lines), strict=True))

    assert causes[1528.1].startswith("near the sum")
    assert not causes[1408.0]


# The example of README, drawn many times: `python -m tests.validation` has 2,000 spectra and 200 runs.


def missed(outcome: Outcome) -> list[str]:
    """What all detectors together miss: of so few spectra, those of single ones scatter too much to be judged."""
    judged = [check for check in outcome.checks if check.what.endswith((", all", "not calibrated"))]
    assert len(judged) == 4
    return [str(check) for check in judged if not check.kept]


@pytest.mark.slow
def test_energies_are_within_their_uncertainties() -> None:
    assert missed(line_energies(spectra=16, long_run=4_000_000, processes=1)) == []


@pytest.mark.slow
def test_energies_of_a_tracked_run_are_within_their_uncertainties() -> None:
    assert missed(tracked_line_energies(runs=2, processes=1)) == []
