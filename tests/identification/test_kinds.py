"""What peaks are called: sources, and everything else that photons leave in a spectrum."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.identification import KINDS, span_of
from tests.commandline import gammapolars


def peak_table(
    peaks: Sequence[tuple[float, float]], *, resolution: float, fwhm: dict[float, float] | None = None
) -> pl.DataFrame:
    """Peaks by energy (keV) and area, as wide as FWHM² = 0.3 + resolution² · 662 E says, or as `fwhm` does."""
    energy, area = np.array(sorted(peaks)).T
    width = np.sqrt(0.3 + resolution**2 * 662 * energy)
    for kev, value in (fwhm or {}).items():
        width[np.abs(energy - kev).argmin()] = value
    unc = np.sqrt(area * 1.5 + 20)
    return pl.DataFrame(
        {
            "centroid_kev": energy, "centroid_kev_unc": width / 2.35 * unc / area, "fwhm_kev": width,
            "fwhm_kev_unc": 0.02 * width, "area": area, "area_unc": unc, "significance": area / unc, "status": "ok",
        }
    )  # fmt: skip


def kinds(table: pl.DataFrame, **known: object) -> dict[float, tuple[str, str | None]]:
    """Kind and nuclide by energy."""
    found = gp.peak_kinds(table, **known)  # type: ignore[arg-type]
    rows = found.select("centroid_kev", "kind", "nuclide").rows()
    return {round(kev, 1): (kind, nuclide) for kev, kind, nuclide in rows}


HPGE, NAI = 0.0023, 0.075


def test_humps_sums_and_edges_of_cobalt_in_sodium_iodide_are_no_lines() -> None:
    """The peaks of a recorded spectrum."""
    found = kinds(
        peak_table(
            [(200.1, 538), (230.7, 404), (904.2, 760), (1172.5, 10178), (1333.1, 9276), (2531.8, 142), (2639.1, 47)],
            resolution=NAI,
        )
    )

    assert found[1172.5] == found[1333.1] == ("full energy", "Co-60")
    assert found[200.1][0] == found[230.7][0] == "backscatter"
    assert found[904.2][0] == "Compton edge or hump"
    assert found[2531.8][0] == found[2639.1][0] == "sum"


def test_an_edge_in_sodium_iodide_is_no_sum_of_two_annihilation_photons() -> None:
    """The peaks of the Na-22 run that comes with the package: 511 + 511 keV lies where 1275 keV has its edge."""
    found = kinds(peak_table([(511.0, 20430), (1031.4, 672), (1274.5, 4577), (1785.9, 207)], resolution=NAI))

    assert found[1031.4][0] == "Compton edge or hump"
    assert found[1785.9][0] == "sum"


def test_the_peaks_of_the_room_and_of_pair_production_in_germanium() -> None:
    thorium = [(238.6, 4500), (338.3, 1020), (583.2, 2090), (727.3, 440), (860.6, 225), (911.2, 1800), (969.0, 1056)]
    radium = [(295.2, 1155), (351.9, 2281), (609.3, 2275), (1120.3, 834), (1238.1, 391), (1764.5, 1250)]
    pairs = [(1592.5, 153), (2103.5, 268), (2614.5, 3104), (511.0, 9161)]
    others = [(74.97, 3697), (1460.8, 5054), (661.7, 353), (1173.2, 509), (1332.5, 456)]

    found = kinds(peak_table(thorium + radium + pairs + others, resolution=HPGE, fwhm={511.0: 2.6}))

    assert found[511.0] == ("annihilation", None)
    assert (found[1592.5][0], found[2103.5][0]) == ("double escape", "single escape")
    assert found[2614.5] == found[583.2] == ("full energy", "Tl-208")
    assert found[911.2] == ("full energy", "Ac-228")
    assert found[609.3] == found[1764.5] == ("full energy", "Bi-214")
    assert (found[1460.8][1], found[661.7][1], found[1332.5][1]) == ("K-40", "Cs-137", "Co-60")
    assert found[75.0][0] == "X-ray"


def test_positrons_of_a_source_name_it_and_others_do_not() -> None:
    assert kinds(peak_table([(511.0, 90_000), (1274.5, 20_000)], resolution=HPGE)) == {
        511.0: ("annihilation", "Na-22"),
        1274.5: ("full energy", "Na-22"),
    }
    assert kinds(peak_table([(514.0, 90_000), (1460.8, 900)], resolution=HPGE))[514.0] == ("full energy", "Sr-85")


def test_a_calibration_that_is_off_by_half_a_width_still_names_a_source_of_many_lines() -> None:
    lines = gp.lines("Eu-152", least_intensity=1.0).select("energy_kev", "intensity").rows()
    peaks = [(kev * 1.0008 - 0.1, 3e6 / kev * photons / 100) for kev, photons in lines if not 1088 < kev < 1091]

    found = gp.peak_kinds(peak_table(peaks, resolution=HPGE))

    assert set(found["nuclide"]) == {"Eu-152"}
    assert found.sort("centroid_kev")["line_kev"][-1] == 1408.013


@pytest.mark.parametrize(("kev", "nuclide"), [(1332.5, None), (1836.1, None), (661.7, "Cs-137"), (1460.8, "K-40")])
def test_a_peak_alone_is_no_nuclide_with_a_stronger_line_below(kev: float, nuclide: str | None) -> None:
    found = kinds(peak_table([(kev, 20_000)], resolution=HPGE))

    assert found == {kev: ("full energy", nuclide)}
    gated = kinds(peak_table([(1332.5, 20_000)], resolution=HPGE), gated=True)
    assert gated == kinds(peak_table([(1332.5, 20_000)], resolution=HPGE), nuclides=["Co-60"])
    assert gated == {1332.5: ("full energy", "Co-60")}


@pytest.mark.parametrize("resolution", [HPGE, NAI])
def test_the_line_of_americium_is_no_x_ray_of_tungsten(resolution: float) -> None:
    americium, caesium = (59.54, 30_000), (661.7, 20_000)

    assert kinds(peak_table([americium, caesium], resolution=resolution))[59.5] == ("full energy", "Am-241")

    tungsten = [(57.98, 17_000), (59.32, 30_000), (67.2, 8000)]
    assert kinds(peak_table([*tungsten, caesium], resolution=HPGE))[59.3] == ("X-ray", None)


def test_the_x_rays_of_lead_are_no_line_of_americium_243() -> None:
    lead = [(72.78, 1613), (74.89, 3697), (84.84, 1336), (87.27, 936)]
    others = [(63.17, 2049), (106.1, 300), (1460.8, 5054)]

    found = kinds(peak_table([*lead, *others], resolution=HPGE))

    assert [found[kev][0] for kev in (72.8, 74.9, 84.8, 87.3)] == ["X-ray"] * 4


def test_the_weaker_x_rays_of_lead_need_the_stronger_ones() -> None:
    line = (1460.8, 5000)

    assert kinds(peak_table([(84.9, 900), line], resolution=HPGE))[84.9][0] != "X-ray"
    assert kinds(peak_table([(74.97, 3700), (84.9, 900), line], resolution=HPGE))[84.9] == ("X-ray", None)


def test_what_is_too_wide_is_a_hump() -> None:
    found = kinds(peak_table([(225.0, 70_000), (661.7, 120_000)], resolution=NAI, fwhm={225.0: 89.0}))

    assert found[225.0][0] in ("backscatter", "Compton edge or hump")
    assert found[661.7] == ("full energy", "Cs-137")


def test_named_nuclides_alone_are_looked_for() -> None:
    table = peak_table([(1173.2, 20_000), (1332.5, 18_000), (661.7, 9000)], resolution=HPGE)

    assert kinds(table, nuclides=["co60"])[661.7] == ("full energy", None)
    with pytest.raises(gp.UsageError, match="Xx-1"):
        gp.peak_kinds(table, nuclides=["Xx-1"])


def test_without_energies_nothing_is_told() -> None:
    table = peak_table([(500.0, 1000), (900.0, 2000)], resolution=HPGE)
    in_adc = table.rename({name: name.replace("kev", "adc") for name in table.columns})

    found = gp.peak_kinds(in_adc)

    assert set(found["kind"]) == {"unknown"}
    assert set(found["reason"]) == {"the spectrum has no energies"}


def test_every_table_keeps_its_rows_and_order() -> None:
    table = peak_table([(661.7, 9000), (32.0, 500)], resolution=HPGE)
    both = pl.concat([table.with_columns(run=pl.lit(2)), table.reverse().with_columns(run=pl.lit(1))])
    both = both.with_columns(status=pl.Series(["ok", "failed", "ok", "ok"]))

    found = gp.peak_kinds(both)

    assert found.drop("kind", "reason", "nuclide", "line_kev").equals(both)
    assert set(found["kind"]) <= set(KINDS)
    assert gp.peak_kinds(found).equals(found)
    assert gp.peak_kinds(both.head(0)).height == 0
    with pytest.raises(gp.TableError, match="not a table of peaks"):
        gp.peak_kinds(pl.DataFrame({"centroid_kev": [1.0]}))


@pytest.mark.skipif("GAMMAPOLARS_REAL_DATA" not in os.environ, reason="recorded runs are not at hand")
def test_the_command_says_what_each_peak_is(tmp_path: Path) -> None:
    run = Path(os.environ["GAMMAPOLARS_REAL_DATA"]) / "iaea-1995" / "CALIB.ASC"
    done = gammapolars("peaks", run, "--calibration", "3.545,0.396467", "-o", tmp_path / "peaks.csv")

    assert done.code == 0, done.err
    for line in ("Cs-137 661.7", "Mn-54 834.8", "Na-22 1274.5", "Co-60 1332.5", "annihilation (Na-22)", "Co-57 122.1"):
        assert line in done.out
    table = pl.read_csv(tmp_path / "peaks.csv")
    assert {"kind", "reason", "nuclide", "line_kev"} <= set(table.columns)


def test_a_nuclide_is_not_named_by_some_of_its_lines_where_the_others_would_be_seen() -> None:
    """Europium-152 has 121.8, 1112 and 1408 keV as strong as these; yttrium-88 has 1836 keV next to 898 keV."""
    two = peak_table([(344.28, 20_000), (778.9, 5000)], resolution=HPGE)

    assert "Eu-152" not in gp.peak_kinds(two, span_kev=(40.0, 2000.0))["nuclide"].to_list()

    alone = peak_table([(898.04, 20_000), (1460.8, 3000)], resolution=NAI)
    assert kinds(alone)[898.0] == ("full energy", "Y-88")
    assert kinds(alone, span_kev=(30.0, 3000.0))[898.0][1] is None
    assert kinds(alone, span_kev=(30.0, 1600.0))[898.0] == ("full energy", "Y-88")  # 1836 keV lies beyond


@pytest.mark.parametrize("span", [None, (40.0, 3000.0)])
def test_a_weak_source_is_named_by_its_strongest_lines(span: tuple[float, float] | None) -> None:
    weak = peak_table([(121.78, 900), (344.28, 400), (1460.8, 400), (2614.5, 60)], resolution=HPGE)

    found = kinds(weak, span_kev=span)

    assert found[121.8] == found[344.3] == ("full energy", "Eu-152")
    background = peak_table([(583.2, 2500), (1460.8, 5000), (2614.5, 900)], resolution=NAI)
    assert [nuclide for _, nuclide in kinds(background, span_kev=span).values()] == ["Tl-208", "K-40", "Tl-208"]


def test_a_daughter_alone_is_not_named_without_its_chain() -> None:
    assert kinds(peak_table([(240.99, 3000), (1332.5, 900)], resolution=HPGE))[241.0][1] != "Ra-224"
    chain = [(238.6, 45_000), (240.99, 4000), (583.2, 20_900), (2614.5, 9000), (727.3, 4400)]
    assert kinds(peak_table(chain, resolution=HPGE))[241.0] == ("full energy", "Ra-224")


@pytest.mark.slow
@pytest.mark.parametrize(("resolution", "most"), [(NAI, 0.2), (HPGE, 0.07)])
def test_few_peaks_anywhere_are_seldom_named(resolution: float, most: float) -> None:
    """Of 120 spectra with one to four peaks at random energies: 27 % of NaI spectra had a name before."""
    rng = np.random.default_rng(4)
    spectra = named = 0
    while spectra < 120:
        energies = np.sort(rng.uniform(80, 2700, rng.integers(1, 5)))
        if (np.diff(energies) < 1.2 * np.sqrt(0.3 + resolution**2 * 662 * energies[1:])).any():
            continue
        areas = 10 ** rng.uniform(2.7, 4.7, len(energies))
        found = gp.peak_kinds(
            peak_table(list(zip(energies, areas, strict=True)), resolution=resolution), span_kev=(30.0, 3000.0)
        )
        spectra += 1
        named += found["nuclide"].drop_nulls().len() > 0

    assert named <= most * spectra


def test_spectra_reach_from_their_first_counts_to_their_last_bin() -> None:
    one = pl.DataFrame({"channel": 0, "energy_kev": [10.0, 20.0, 30.0, 40.0], "counts": [0.0, 3.0, 1.0, 0.0]})
    other = one.with_columns(pl.lit(1).alias("channel"), pl.col("energy_kev") * 0.9)

    assert span_of(one) == (20.0, 40.0)
    assert span_of(pl.concat([one, other.with_columns(pl.col("channel").cast(one.schema["channel"]))])) == (20.0, 36.0)
    assert span_of(one.with_columns(counts=0.0)) is None
    assert span_of(one.drop("energy_kev")) is None
    assert span_of(one.head(0)) is None


def test_of_two_nuclides_with_the_same_line_the_one_that_shows_most_of_its_photons_is_named() -> None:
    """In coincidence with 511 keV: 1274.4 keV is one of many lines of Eu-154, and the only one of Na-22 besides."""
    gated = peak_table([(300.2, 886), (511.4, 38_126), (1272.0, 157)], resolution=NAI)

    assert kinds(gated, gated=True)[1272.0] == ("full energy", "Na-22")


def test_iodine_123_is_not_taken_for_the_isomer_that_emits_its_strongest_line() -> None:
    """Both emit 159 keV, from the same level of Te-123."""
    found = gp.peak_kinds(peak_table([(158.97, 20_000)], resolution=HPGE), span_kev=(20.0, 3000.0))

    assert found["nuclide"].to_list() == ["I-123"]
