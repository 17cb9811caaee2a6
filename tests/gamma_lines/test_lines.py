"""The table of gamma lines: its figures against independent ones, and what `lines` and `nearest_lines` make of it."""

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.commands.layout import bracketed
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.gamma_lines import evaluated_half_life, table
from gammapolars.gamma_lines.ensdf import CORRECTIONS, _decays, daughter_of
from tests.commandline import gammapolars
from tests.gamma_lines import make_half_lives, make_table

TABLE = gp.lines()

# keV and photons per 100 decays, each with its uncertainty: typed from the evaluations, once more and by themselves.
EVALUATED = """
Na-22 1274.537(3) 99.94(1)
K-40 1460.822(6) 10.66(13)
Co-57 14.41295(31) 9.15(17); 122.06065(12) 85.51(6); 136.47356(29) 10.71(15)
Co-60 1173.228(3) 99.85(3); 1332.492(4) 99.9826(6)
In-111 171.28(3) 90.65(25); 245.35(4) 94.09(18)
Ba-133 53.1622(6) 2.14(3); 79.6142(12) 2.65(5); 80.9979(11) 32.9(3); 276.3989(12) 7.16(5); 302.8508(5) 18.34(13)
Ba-133 356.0129(7) 62.05(19); 383.8485(12) 8.94(6)
Cs-137 661.657(3) 84.99(20)
Eu-152 121.7817(3) 28.41(13); 244.6974(8) 7.55(4); 344.2785(12) 26.58(12); 411.1165(12) 2.237(10)
Eu-152 443.965(3) 3.125(14); 778.9045(24) 12.96(6); 867.380(3) 4.241(23); 964.072(18) 14.62(6)
Eu-152 1085.837(10) 10.13(6); 1112.076(3) 13.40(6); 1212.948(11) 1.415(9); 1299.142(8) 1.632(9)
Eu-152 1408.013(3) 20.85(9)
Am-241 26.3446(2) 2.40(3); 59.5409(1) 35.78(9)
Pb-212 238.632(2) 43.6(3)
Bi-212 727.330(9) 6.67(9)
Tl-208 583.187(2) 85.0(3); 860.557(4) 12.5(1); 2614.511(10) 99.754(4)
Ac-228 338.320(3) 11.27(19); 911.204(4) 25.8(4); 968.971(17) 15.8(3)
Ra-226 186.211(13) 3.533(28)
Pb-214 241.997(3) 7.19(6); 295.224(2) 18.28(14); 351.932(2) 35.34(27)
Bi-214 609.316(3) 45.16(33); 1120.287(10) 14.78(11); 1764.539(15) 15.17(12); 2204.071(21) 4.89(10)
Pa-234m 766.358(20) 0.318(5); 1001.025(22) 0.832(10)
"""


def number(text: str) -> tuple[float, float]:
    """Value and uncertainty of `53.1622(6)`."""
    value, digits = text.rstrip(")").split("(")
    return float(value), int(digits) * 10.0 ** -len(value.partition(".")[2])


def evaluated() -> list[tuple[str, str, str]]:
    found = []
    for nuclide, lines in (row.split(" ", 1) for row in EVALUATED.strip().splitlines()):
        for energy, intensity in (line.split(" ") for line in lines.split("; ")):
            found.append((nuclide, energy, intensity))
    return found


# The table.


@pytest.mark.parametrize(("nuclide", "energy", "intensity"), evaluated())
def test_lines_of_the_evaluations_are_as_they_were_published(nuclide: str, energy: str, intensity: str) -> None:
    kev, kev_unc = number(energy)
    photons, photons_unc = number(intensity)

    found = TABLE.filter(pl.col("nuclide") == nuclide, (pl.col("energy_kev") - kev).abs() < 1e-6)

    assert found.height == 1
    row = found.row(0, named=True)
    assert row["energy_kev_unc"] == pytest.approx(kev_unc)
    assert (row["intensity"], row["intensity_unc"]) == pytest.approx((photons, photons_unc))


def test_the_table_is_what_its_schema_says() -> None:
    assert TABLE.schema == pl.Schema(gp.LINES.columns)
    assert TABLE.null_count().row(0) == (0,) * TABLE.width
    assert TABLE.height > 100
    assert TABLE.select("nuclide", "energy_kev").is_unique().all()


def test_rows_stand_by_mass_number_and_energy() -> None:
    keys = [(int(re.findall(r"\d+", name)[0]), name, kev) for name, kev in TABLE.select("nuclide", "energy_kev").rows()]

    masses = [key[0] for key in keys]
    assert masses == sorted(masses)
    assert all(before[2] < after[2] for before, after in pairwise(keys) if before[1] == after[1])
    assert (
        len({before[1] for before, after in pairwise(keys) if before[1] != after[1]}) == len({k[1] for k in keys}) - 1
    )


def test_figures_are_positive_and_uncertainties_smaller() -> None:
    for name in ("energy_kev", "intensity"):
        assert (TABLE[name] > 0).all()
        assert (TABLE[f"{name}_unc"] > 0).all()
        assert (TABLE[f"{name}_unc"] < 0.2 * TABLE[name]).all()
    assert (TABLE["spread_kev"] >= 0).all()
    annihilation = TABLE["normalisation"] == table.ANNIHILATION
    assert (TABLE.filter(~annihilation)["intensity"] <= 100).all()
    assert (TABLE.filter(annihilation)["intensity"] <= 200).all()
    assert set(TABLE.filter(annihilation)["energy_kev"]) == {ANNIHILATION_KEV}


def test_lines_that_are_one_peak_are_marked() -> None:
    unmarked = []
    for name in gp.nuclides():
        rows = gp.lines(name).select("energy_kev", "intensity", "doublet").rows()
        for energy, intensity, doublet in rows:
            others = [other for other in rows if 0 < abs(other[0] - energy) < table.INSEPARABLE_KEV]
            if not doublet and any(other[1] >= table.DISTURBING * intensity for other in others):
                unmarked.append((name, energy))

    assert unmarked == []


def test_calibrations_leave_out_doublets_and_broad_lines() -> None:
    assert not TABLE.filter("doublet")["calibrate"].any()
    assert not TABLE.filter("calibrate_fwhm", ~pl.col("calibrate"))["nuclide"].to_list()
    assert not TABLE.filter(pl.col("normalisation") == table.ANNIHILATION)["calibrate_fwhm"].any()
    assert set(TABLE.filter(pl.col("nuclide") == "Eu-152", "doublet")["energy_kev"]) == {443.965, 964.072}
    assert not TABLE.filter(pl.col("nuclide") == "Cd-115m", "doublet").height  # two sources have the same lines
    assert TABLE.filter(pl.col("energy_kev") == 1764.539)["spread_kev"].to_list() == [0.05]
    # Europium, the common source, has enough of them left over its whole range.
    left = gp.lines("Eu-152", least_intensity=1).filter("calibrate")["energy_kev"]
    assert len(left) >= 10
    assert (left.min(), left.max()) == (121.7817, 1408.013)


def test_every_source_is_explained_beside_the_table() -> None:
    beside = (Path(table.__file__).parent / "README.md").read_text(encoding="utf-8")

    assert [source for source in TABLE["source"].unique() if f"`{source}`" not in beside] == []
    assert [name for name in TABLE.columns if f"`{name}`" not in beside] == []


@pytest.mark.parametrize("name", ["Sr-85", "Tc-99m", "F-18", "Nb-95m", "I-132", "Th-229", "Cd-115m"])
def test_rows_from_ensdf_are_made_again(name: str) -> None:
    pytest.importorskip("paceENSDF", reason="gammapolars[nuclear] is not installed")

    made = pl.DataFrame(make_table.rows_of(name), schema=gp.LINES.columns, orient="row")

    assert made.equals(TABLE.filter(nuclide=name))


@pytest.mark.slow
def test_the_script_next_to_the_tests_makes_the_tables() -> None:
    """Every row that is not put together by hand, made anew from ENSDF."""
    pytest.importorskip("paceENSDF", reason="gammapolars[nuclear] is not installed")

    home = Path(table.__file__).parent
    assert make_table.gamma_lines_text() == (home / "gamma_lines.csv").read_text(encoding="utf-8")
    assert make_table.x_ray_table().write_csv() == (home / "x_rays.csv").read_text(encoding="utf-8")
    assert make_half_lives.half_lives_text() == (home / "half_lives.csv").read_text(encoding="utf-8")


def test_every_nuclide_has_a_half_life() -> None:
    lives = {name: evaluated_half_life(name) for name in gp.nuclides()}

    assert [name for name, life in lives.items() if life is None] == []
    assert all(life.seconds > life.unc > 0 for life in lives.values() if life)


def test_common_nuclides_are_there_and_the_tables_small() -> None:
    home = Path(table.__file__).parent
    assert TABLE["nuclide"].n_unique() >= 120
    assert sum(path.stat().st_size for path in home.glob("*.csv")) < 300_000
    common = (
        "Be-7 F-18 Cr-51 Fe-59 Ga-67 Sr-85 Zr-95 Mo-99 Tc-99m Ru-103 Ru-106 Sb-124 I-123 I-132 Xe-133 Ba-140 Ce-144"
    )
    common += " Eu-155 Gd-153 Ho-166m Lu-177 Ta-182 Au-198 Tl-201 Ac-225 Ra-223 Np-239 Pu-239 Am-243 Ar-41 Mn-56 N-16"
    assert [name for name in common.split() if name not in gp.nuclides()] == []


ISOMERS = {"Kr-81m": (190.5, 67.1), "Sr-87m": (388.5, 82.2), "Tc-99m": (140.511, 88.5), "In-113m": (391.70, 64.9)}
ISOMERS |= {
    "Nb-95m": (235.69, 24.8),
    "Xe-131m": (163.93, 1.94),
    "Xe-133m": (233.22, 10.1),
    "Y-91m": (555.57, 95.0),
    "In-115m": (336.2, 45.9),
    "In-114m": (190.27, 15.56),
    "Te-121m": (212.19, 81.5),
    "Te-123m": (158.97, 84.0),
    "Te-125m": (35.49, 6.68),
    "Ba-133m": (275.93, 17.6),
    "Ba-135m": (268.22, 16.0),
    "Cs-134m": (127.50, 12.6),
    "Zn-69m": (438.63, 94.85),
    "Sc-44m": (271.24, 86.7),
    "Sn-119m": (23.87, 16.5),
    "Sn-123m": (160.33, 85.7),
    "Y-87m": (380.79, 78.1),
    "Hg-197m": (133.98, 33.5),
    "Hg-199m": (158.38, 52.3),
    "Hf-178m2": (426.36, 97.0),
    "Hf-179m2": (453.55, 68.0),
}


@pytest.mark.parametrize("name", ISOMERS)
def test_isomers_emit_what_the_evaluations_say(name: str) -> None:
    """What follows their level in another decay is the evaluated number of photons (DDEP, Table of Radionuclides)."""
    kev, photons = ISOMERS[name]
    row = gp.lines(name).sort("intensity").row(-1, named=True)

    assert row["energy_kev"] == pytest.approx(kev, abs=0.1)
    assert row["intensity"] == pytest.approx(photons, rel=0.02)


def test_an_isomer_that_decays_in_two_ways_has_the_lines_of_both() -> None:
    """Lu-177m: 78.6 % to Hf-177, and the rest within Lu-177 (F. G. Kondev, Nucl. Data Sheets 159 (2019) 1)."""
    found = dict(gp.lines("Lu-177m").select("energy_kev", "intensity").iter_rows())

    to_hafnium = {208.3662: 57.4, 228.4838: 37.0, 378.5036: 29.9, 418.5388: 21.3}
    for kev, photons in (to_hafnium | {413.665: 17.4, 319.021: 10.5, 121.6211: 6.0}).items():
        assert found[kev] == pytest.approx(photons, rel=0.05)


OF_BRANCHES = [("I-126", 388.633, 35.6), ("I-126", 666.331, 32.9), ("I-126", 753.819, 4.15), ("Kr-85m", 304.87, 14.0)]
OF_BRANCHES += [
    ("Kr-85m", 151.195, 75.2),
    ("Nb-95m", 204.116, 2.3),
    ("Np-238", 984.45, 25.2),
    ("Cu-64", 1345.77, 0.475),
]


@pytest.mark.parametrize(("name", "kev", "photons"), OF_BRANCHES)
def test_photons_of_nuclides_that_decay_in_several_ways(name: str, kev: float, photons: float) -> None:
    """Per 100 decays of all ways together (NuDat)."""
    rows = gp.lines(name).filter((pl.col("energy_kev") - kev).abs() < 0.1)

    assert rows["intensity"].to_list() == pytest.approx([photons], rel=0.01)


@pytest.mark.parametrize("daughter", ["Te-126", "Xe-126"])
def test_photons_of_iodine_126_balance_the_feeding_of_the_ground_states(daughter: str) -> None:
    """Every decay that does not feed the ground state reaches it by gamma rays."""
    pytest.importorskip("paceENSDF", reason="gammapolars[nuclear] is not installed")
    share, to_ground = {"Te-126": (52.7, 19.4), "Xe-126": (47.3, 10.3)}[daughter]
    for path in _decays()["I-126"]:
        decay = json.loads(path.read_bytes())
        if daughter_of(decay) == daughter:
            transitions = sum(
                row["totalConvertedIntensity"] for row in decay["decaySingles"] if not row["levelIndexFinal"]
            )

    assert CORRECTIONS["I-126", daughter] * transitions + to_ground == pytest.approx(share, abs=0.6)


@pytest.mark.parametrize(
    ("name", "positrons"), [("F-18", 96.7), ("C-11", 99.77), ("Cu-64", 17.5), ("Ga-68", 88.9), ("Zr-89", 22.7)]
)
def test_two_photons_of_511_kev_for_each_positron(name: str, positrons: float) -> None:
    row = gp.lines(name).filter(pl.col("normalisation") == table.ANNIHILATION).row(0, named=True)

    assert row["intensity"] == pytest.approx(2 * positrons, rel=0.01)


def test_daughters_in_equilibrium_count_for_the_head_of_their_chain() -> None:
    assert gp.lines("Ru-106").sort("intensity")["energy_kev"][-1] == 511.8605
    assert set(gp.lines("Ac-227")["nuclide"]) >= {"Th-227", "Ra-223", "Rn-219", "Pb-211", "Bi-211"}
    actinium = {name: gp.lines("Ac-225").filter(nuclide=name)["intensity"].max() for name in ("Bi-213", "Tl-209")}
    assert actinium["Bi-213"] == 25.9
    # Bismuth-213 decays to thallium-209 in 2.14 %, which emits 1567 keV every time.
    assert actinium["Tl-209"] == pytest.approx(0.0214 * 99.66, rel=0.01)
    assert gp.lines("Np-237").filter(nuclide="Pa-233").height > 5


def test_photons_of_cobalt_56_lack_the_recoil_of_the_nucleus() -> None:
    """R. G. Helmer and C. van der Leun, Nucl. Instrum. Methods A 450 (2000) 35."""
    found = gp.lines("Co-56")["energy_kev"]
    for energy in (846.7638, 1037.8333, 1238.2736, 1771.327, 2034.752, 2598.438, 3253.402):
        assert (found - energy).abs().min() < 0.005  # type: ignore[operator]


# Against ENSDF.

OF_ISOMERS = (make_table.ISOMER, "ENSDF 2012, isomer", "UKDD 2012")

SUMS_OF_TWO = {("Eu-152", 443.965), ("Eu-152", 964.072)}

DIFFERENT = {("Eu-152", 1112.076, "intensity")}
"""Where the evaluation of the IAEA and ENSDF are further apart than both say, as README.md beside the table tells."""


@cache
def schemes(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """Decay schemes by parent and daughter."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in folder.iterdir():
        _, _, parent, daughter, *_ = path.name.split("_")
        found.setdefault((parent, daughter), []).append(path)
    return found


@cache
def ensdf_of(nuclide: str) -> list[dict[str, float]]:
    """Photons of ENSDF: keV and per 100 decays, of all daughters, with the uncertainties of both."""
    pytest.importorskip("paceENSDF", reason="gammapolars[nuclear] is not installed")
    found = []
    for path in _decays().get(nuclide, ()):
        decay = json.loads(path.read_bytes())
        kev_unc: dict[float, float] = {}
        for scheme in schemes(path.parent.parent / "ENSDF_JSON")[decay["parentID"], decay["daughterID"]]:
            levels = json.loads(scheme.read_bytes())
            if levels["decayIndex"] == decay["decayIndex"]:
                gammas = [gamma for level in levels["levelScheme"] for gamma in level["gammaDecay"]]
                kev_unc |= {gamma["gammaEnergy"]: gamma["dGammaEnergy"] or 0.0 for gamma in gammas}
        factor = CORRECTIONS.get((nuclide, daughter_of(decay)), 1.0)
        singles = [row for row in decay["decaySingles"] if row["absoluteGammaIntensity"]]
        found += [
            row
            | {
                "dGammaEnergy": kev_unc[row["gammaEnergy"]],
                "absoluteGammaIntensity": factor * row["absoluteGammaIntensity"],
            }
            for row in singles
        ]
    return found


def recoil_kev(nuclide: str, energy_kev: float) -> float:
    """What ENSDF's energies of Co-56, differences of levels, have too much: E²/2Mc²."""
    return energy_kev**2 / (2 * 56 * 931_494.1) if nuclide == "Co-56" else 0.0


NUCLIDES = TABLE["nuclide"].unique(maintain_order=True).to_list()


def test_lines_agree_with_ensdf() -> None:
    """Rows from there to the last digit, the others within 2.5 standard deviations of both evaluations."""
    assert {difference for nuclide in NUCLIDES for difference in differences(nuclide)} == DIFFERENT


def differences(nuclide: str) -> Iterator[tuple[str, float, str]]:
    """Where the lines of a nuclide disagree with ENSDF."""
    reference = ensdf_of(nuclide)
    lines = TABLE.filter(
        pl.col("nuclide") == nuclide,
        pl.col("normalisation") != table.ANNIHILATION,
        ~pl.col("source").is_in(OF_ISOMERS),
    )
    for line in lines.iter_rows(named=True):
        kev = line["energy_kev"]
        is_sum = (nuclide, kev) in SUMS_OF_TWO
        expected = kev + recoil_kev(nuclide, kev)
        near = [row for row in reference if abs(row["gammaEnergy"] - expected) < (1.0 if is_sum else 0.12)]
        if nuclide in make_table.FROM_ENSDF:
            near = [row for row in near if abs(row["gammaEnergy"] - expected) < 0.0006]
            is_sum = len(near) > 1
        main = max(near, key=lambda row: row["absoluteGammaIntensity"])
        photons = sum(row["absoluteGammaIntensity"] for row in near) if is_sum else main["absoluteGammaIntensity"]
        if line["source"].startswith("ENSDF"):
            kev_unc, photons_unc = 0.0006, 0.06 * line["intensity_unc"]
        else:
            kev_unc = 2.5 * math.hypot(line["energy_kev_unc"], main["dGammaEnergy"])
            photons_unc = 2.5 * math.hypot(line["intensity_unc"], main["dAbsoluteGammaIntensity"] or 0.0)
        if abs(main["gammaEnergy"] - expected) > kev_unc and not is_sum:
            yield nuclide, kev, "energy"
        if abs(photons - line["intensity"]) > photons_unc:
            yield nuclide, kev, "intensity"


def test_no_line_of_ensdf_makes_a_doublet_of_an_unmarked_line() -> None:
    for nuclide in NUCLIDES:
        reference = ensdf_of(nuclide)
        for line in TABLE.filter(pl.col("nuclide") == nuclide, ~pl.col("doublet")).iter_rows(named=True):
            if line["normalisation"] == table.ANNIHILATION or line["source"] in OF_ISOMERS:
                continue
            expected = line["energy_kev"] + recoil_kev(nuclide, line["energy_kev"])
            near = [row for row in reference if abs(row["gammaEnergy"] - expected) < table.INSEPARABLE_KEV]
            main = min(near, key=lambda row: (abs(row["gammaEnergy"] - expected), -row["absoluteGammaIntensity"]))
            beside = [row for row in near if row is not main]
            assert all(row["absoluteGammaIntensity"] < table.DISTURBING * line["intensity"] for row in beside), line


# What is asked of it.


@pytest.mark.parametrize("text", ["Eu-152", "eu152", "152Eu", "152-eu", " EU 152 "])
def test_names_are_read_as_people_write_them(text: str) -> None:
    assert gp.lines(text).equals(gp.lines("Eu-152"))


@pytest.mark.parametrize("text", ["Ag-110m", "ag110M", "110mAg", "110Agm"])
def test_isomers_have_names_too(text: str) -> None:
    assert set(gp.lines(text)["nuclide"]) == {"Ag-110m"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("Eu-153", "Eu-15"), ("Cs-135", "Cs-13"), ("", "like Eu-152"), ("potassium", "like Eu-152")],
)
def test_an_unknown_nuclide_is_an_error_that_names_its_neighbours(text: str, said: str) -> None:
    with pytest.raises(gp.UsageError, match=said):
        gp.lines(text)


def test_a_chain_comes_per_decay_of_its_head() -> None:
    thorium = gp.lines("Th-232")
    by_nuclide = {name[0]: rows for name, rows in thorium.group_by("nuclide")}

    assert set(by_nuclide) == {"Ac-228", "Th-228", "Ra-224", "Pb-212", "Bi-212", "Tl-208"}
    assert set(thorium["normalisation"]) == {"decay of Th-232 in equilibrium"}
    assert thorium["energy_kev"].is_sorted()
    strong = by_nuclide["Tl-208"].filter(pl.col("energy_kev") == 2614.511).row(0, named=True)
    assert strong["intensity"] == pytest.approx(99.754 * 0.3594)
    assert strong["intensity_unc"] == pytest.approx(math.hypot(0.004 * 0.3594, 99.754 * 0.0006))
    assert by_nuclide["Pb-212"]["intensity"].max() == 43.6
    assert gp.lines("Tl-208")["intensity"].max() == 99.754


def test_lines_of_two_nuclides_of_a_chain_can_be_one_peak() -> None:
    def doublets(name: str) -> set[float]:
        return set(gp.lines(name).filter("doublet")["energy_kev"])

    assert 727.33 in doublets("Th-232")  # beside Ac-228's 726.86, which a source of Th-228 does not have
    assert 727.33 not in doublets("Th-228") | doublets("Bi-212")
    assert {785.96, 786.35} <= doublets("Ra-226")
    assert not gp.lines("Th-232").filter(pl.col("energy_kev") == 727.33)["calibrate"].any()


def test_radium_has_the_lines_of_its_daughters() -> None:
    radium = gp.lines("Ra-226", least_intensity=3)

    assert set(radium["nuclide"]) == {"Ra-226", "Pb-214", "Bi-214"}
    assert radium.height == 12


@given(energy=st.floats(1, 4000), within=st.floats(0, 500), least=st.sampled_from([0.0, 1.0, 20.0]))
def test_nearest_lines_are_those_that_a_search_finds(energy: float, within: float, least: float) -> None:
    found = gp.nearest_lines(energy, within_kev=within, least_intensity=least)

    expected = {
        (row["nuclide"], row["energy_kev"])
        for row in TABLE.iter_rows(named=True)
        if abs(round(row["energy_kev"] - energy, 6)) <= within and row["intensity"] >= least
    }
    assert set(found.select("nuclide", "energy_kev").rows()) == expected
    assert found["distance_kev"].abs().is_sorted()
    assert found.schema == pl.Schema({"distance_kev": pl.Float64, **gp.LINES.columns})


def test_nearest_lines_among_nuclides() -> None:
    assert gp.nearest_lines(662, least_intensity=10)["nuclide"].to_list() == ["Cs-137"]
    assert gp.nearest_lines(583, among=["Th-232", "Co-60"])["nuclide"].to_list() == ["Tl-208"]
    assert gp.nearest_lines(583, among=["Co-60"]).is_empty()
    with pytest.raises(gp.UsageError, match="Xx-1"):
        gp.nearest_lines(583, among=["Xx-1"])


@pytest.mark.parametrize("energy", [0.0, -1.0, math.nan, math.inf])
def test_no_line_is_near_what_is_no_energy(energy: float) -> None:
    with pytest.raises(gp.UsageError, match="positive number of keV"):
        gp.nearest_lines(energy)


@pytest.mark.parametrize("within", [-1.0, math.nan, math.inf])
def test_a_distance_is_a_number(within: float) -> None:
    with pytest.raises(gp.UsageError, match="0 or more"):
        gp.nearest_lines(662.0, within_kev=within)


def test_a_frame_that_is_changed_leaves_the_table_as_it_was() -> None:
    gp.lines()[0, "energy_kev"] = 1.0

    assert gp.lines().equals(TABLE)


# Printed.


@pytest.mark.parametrize(("nuclide", "energy", "intensity"), evaluated())
def test_numbers_are_printed_with_the_digits_of_their_evaluation(nuclide: str, energy: str, intensity: str) -> None:
    assert bracketed(*number(energy)) == energy
    assert bracketed(*number(intensity)) == intensity


@pytest.mark.parametrize(
    ("value", "uncertainty", "said"),
    [
        (1332.492, 0.004, "1332.492(4)"),
        (1085.837, 0.010, "1085.837(10)"),
        (12.3456, 0.0996, "12.35(10)"),
        (12.3456, 0.0994, "12.346(99)"),
        (1234.5, 120.0, "1230(120)"),
        (1234.5, 1.0, "1234.5(10)"),
        (1200.0, 100.0, "1200(100)"),
        (5.0, 0.0, "5"),
        (5.0, math.nan, "5"),
        (0.0, 0.3, "0.0(3)"),
    ],
)
def test_numbers_in_brackets(value: float, uncertainty: float, said: str) -> None:
    assert bracketed(value, uncertainty) == said


def test_the_command_gives_what_python_gives() -> None:
    def told(*words: str) -> dict[str, object]:
        done = gammapolars("lines", *words, "--json")
        assert done.code == 0, done.err
        found = json.loads(done.out)
        assert isinstance(found, dict)
        return found

    europium = told("eu152")
    assert (europium["nuclide"], europium["lines"]) == ("Eu-152", gp.lines("Eu-152").to_dicts())
    assert told("Ra-226", "--least", "3")["lines"] == gp.lines("Ra-226", least_intensity=3).to_dicts()
    near = told("583.2", "--within", "2", "--least", "1")
    assert (near["energy_kev"], near["within_kev"]) == (583.2, 2.0)
    assert near["lines"] == gp.nearest_lines(583.2, within_kev=2, least_intensity=1).to_dicts()
    assert told()["nuclides"] == list(gp.nuclides())


@pytest.mark.parametrize("words", [["Eu-153"], ["0"], ["nan"], ["662", "--within", "-1"], ["662", "--cascades"]])
def test_wrong_words_are_wrong_usage(words: list[str]) -> None:
    done = gammapolars("lines", *words)

    assert done.code == 2
    assert done.error
