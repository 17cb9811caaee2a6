"""Cascades of ENSDF, against intensities and decay schemes that are known otherwise."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.core.constants import ANNIHILATION_KEV
from gammapolars.gamma_lines import ensdf as module
from gammapolars.simulate.sources import NUCLIDES
from gammapolars.simulate.sources import cascades as simulated
from tests.commandline import gammapolars

installed = pytest.mark.skipif(find_spec("paceENSDF") is None, reason="gammapolars[nuclear] is not installed")


def pair(found: pl.DataFrame, x: float, y: float) -> dict[str, float]:
    """The one pair of these energies, to 0.3 keV."""
    rows = found.filter((pl.col("energy_kev_x") - x).abs() < 0.3, (pl.col("energy_kev_y") - y).abs() < 0.3)
    assert rows.height == 1, (x, y)
    return rows.row(0, named=True)


@installed
def test_both_photons_of_cobalt_leave_almost_every_decay() -> None:
    found = gp.cascades("Co-60")

    strong = found.row(0, named=True)
    assert (strong["energy_kev_x"], strong["energy_kev_y"]) == (1173.228, 1332.492)
    assert strong["daughter"] == "Ni-60"
    assert strong["coincidences"] == pytest.approx(99.85, abs=0.05)  # the weaker line, less its conversion
    assert strong["half_life_s"] == pytest.approx(0.9e-12)
    assert found["coincidences"][1] < 0.01
    assert found.filter(pl.col("energy_kev_x") == pl.col("energy_kev_y")).is_empty()  # never 1332 with itself


@installed
def test_positrons_of_sodium_go_with_its_photon() -> None:
    found = gp.cascades("Na-22")

    positrons = gp.lines("Na-22")["intensity"][0] / 2
    assert found.height == 2
    assert pair(found, 511, 511)["coincidences"] == pytest.approx(positrons, abs=0.01)
    both = pair(found, 511, 1274.537)
    # Two photons for every positron, but for the 0.06 % that leave the ground state.
    assert both["coincidences"] == pytest.approx(2 * positrons, rel=0.002)
    assert both["coincidences"] < 2 * positrons
    assert both["coincidences_unc"] == pytest.approx(0.18, abs=0.01)


@installed
def test_photons_of_europium_in_both_daughters() -> None:
    found = gp.cascades("Eu-152")

    assert set(found["daughter"]) == {"Sm-152", "Gd-152"}
    # 1408 leads to the level of 121.8 keV, which emits a photon in 1 of 1 + 1.155 decays (conversion).
    assert pair(found, 121.78, 1408.01)["coincidences"] == pytest.approx(20.85 / 2.155, rel=0.01)
    assert pair(found, 121.78, 1408.01)["half_life_s"] == pytest.approx(1.4e-9, rel=0.02)
    assert pair(found, 344.28, 778.90)["coincidences"] == pytest.approx(12.96 / 1.0399, rel=0.01)
    assert pair(found, 344.28, 778.90)["half_life_s"] == pytest.approx(32e-12, rel=0.02)
    assert found.filter(
        (pl.col("energy_kev_x") - 344.28).abs() < 0.1, (pl.col("energy_kev_y") - 1408).abs() < 1
    ).is_empty()


STRONG_PAIRS = {"Eu-152": 13, "Na-22": 2, "Co-60": 1, "Ba-133": 5, "Co-57": 1, "Hf-181": 4, "In-111": 1}


@installed
@pytest.mark.parametrize("nuclide", STRONG_PAIRS)
def test_strong_pairs_are_those_of_the_simulation(nuclide: str) -> None:
    """The decay schemes of the simulator were typed apart from paceENSDF."""
    expected: dict[tuple[float, float], float] = {}
    for probability, energies, _ in simulated(NUCLIDES[nuclide]):
        photons = sorted([*energies, *[ANNIHILATION_KEV] * energies.count(ANNIHILATION_KEV)])
        for place, x in enumerate(photons):
            for y in photons[place + 1 :]:
                expected[x, y] = expected.get((x, y), 0.0) + 100 * probability
    strong = {pair: number for pair, number in expected.items() if number > 1}

    found = gp.cascades(nuclide)

    assert len(strong) == STRONG_PAIRS[nuclide]
    for (x, y), number in strong.items():
        assert pair(found, x, y)["coincidences"] == pytest.approx(number, rel=0.03)


@installed
def test_a_chain_gives_the_pairs_of_its_members() -> None:
    found, alone = gp.cascades("Th-228", least_coincidences=1), gp.cascades("Tl-208")

    assert found.row(0, named=True)["nuclide"] == "Tl-208"
    assert found["coincidences"][0] == pytest.approx(0.3594 * alone["coincidences"][0])
    assert found["coincidences"].min() >= 1  # type: ignore[operator]


@installed
def test_the_half_life_is_that_of_the_level_between() -> None:
    """The 14 keV photon of Fe-57 waits 98 ns, and 81 keV of Cs-133 6.3 ns: windows must leave time for them."""
    assert pair(gp.cascades("Co-57"), 14.41, 122.06)["half_life_s"] == pytest.approx(98e-9, rel=0.01)
    assert pair(gp.cascades("Ba-133"), 81.0, 356.01)["half_life_s"] == pytest.approx(6.28e-9, rel=0.01)


@installed
def test_no_photon_has_more_partners_than_it_can_have() -> None:
    """Pairs of a line with what one level feeds cannot be more than its photons: a check of the sum over paths."""
    found = gp.cascades("Cs-134")
    lines = gp.lines("Cs-134")
    for x, y, pairs in found.select("energy_kev_x", "energy_kev_y", "coincidences").rows():
        for energy in (x, y):
            intensity = lines.filter((pl.col("energy_kev") - energy).abs() < 0.1)["intensity"].max()
            assert intensity is None or pairs <= 1.01 * intensity  # type: ignore[operator]


@installed
def test_isomers_and_other_nuclides_of_ensdf() -> None:
    assert gp.cascades("110mAg")["coincidences"][0] == pytest.approx(74.7, abs=0.5)
    assert gp.cascades("Sc-46").row(0)[2:4] == (889.277, 1120.545)  # not in the table of lines
    assert gp.cascades("Cs-137", least_coincidences=0.01).is_empty()
    with pytest.raises(gp.UsageError, match="did you mean"):
        gp.cascades("Co-99")


@installed
def test_only_the_files_of_the_nuclide_are_read_and_pandas_stays_out() -> None:
    program = """
import sys
import gammapolars as gp
read = []
sys.addaudithook(lambda event, given: event == "open" and str(given[0]).endswith(".json") and read.append(given[0]))
gp.cascades("Na-22")
print(len(read), "pandas" in sys.modules, "paceENSDF" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == ["2", "False", "False"]


@installed
def test_lines_are_known_to_be_in_cascade() -> None:
    assert module.in_cascade("Co-60", 1332.492, 1173.228)
    assert module.in_cascade("Na-22", ANNIHILATION_KEV, ANNIHILATION_KEV)
    assert module.in_cascade("Eu-152", 443.965, 1085.837)
    assert not module.in_cascade("Co-60", 1332.492, 1332.492)
    assert not module.in_cascade("Eu-152", 344.2785, 1408.013)


@installed
def test_the_command_gives_what_python_gives() -> None:
    done = gammapolars("lines", "eu152", "--cascades", "--least", "1", "--json")

    summary = json.loads(done.out)
    assert (summary["nuclide"], summary["least"]) == ("Eu-152", 1)
    assert summary["cascades"] == gp.cascades("Eu-152", least_coincidences=1).to_dicts()


@pytest.fixture
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python in which paceENSDF is not installed."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    module._decays.cache_clear()


@pytest.mark.usefixtures("without_data")
def test_without_the_nuclear_data_one_line_says_what_to_install() -> None:
    done = gammapolars("lines", "Co-60", "--cascades")

    assert done.code == 1
    assert "pip install 'gammapolars[nuclear]'" in done.error
    assert not module.in_cascade("Co-60", 1173.228, 1332.492)


def test_an_installation_without_its_data_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(module, "find_spec", lambda name: Spec())
    module._decays.cache_clear()

    with pytest.raises(gp.InputError, match="nuclear"):
        gp.cascades("Co-60")
