"""Coincident lines, and what ENSDF knows of them."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import gammapolars as gp
from gammapolars.gamma_lines import ensdf
from gammapolars.gamma_lines.coincident_lines import coincident_lines, nuclides_named
from tests.commandline import REPOSITORY, gammapolars
from tests.commands.json_forms import object_misfits, records_of

installed = pytest.mark.skipif(find_spec("paceENSDF") is None, reason="gammapolars[nuclear] is not installed")

RUN, DETECTORS = REPOSITORY / "data" / "co60-four-hpge.root", REPOSITORY / "data" / "detectors.toml"
GATED = ["gate", str(RUN), "--detectors", str(DETECTORS), "--on", "1332.5", "--background", "auto"]

pytestmark = pytest.mark.usefixtures("fits_once")


@installed
def test_lines_are_those_of_cascades_with_a_photon_in_the_gate() -> None:
    energies, fwhm = np.array([411.3, 600.0, 778.0, 1408.0]), np.array([1.2, 1.3, 1.5, 1.9])

    found = coincident_lines((343.0, 345.5), energies, fwhm, ["Eu-152", "Co-60"])

    first = {line: found.filter(line=line).row(0, named=True) for line in found["line"].unique()}
    assert sorted(first) == [0]  # 778.9 is 0.9 keV away, more than half of its FWHM; 1408 is of the other daughter
    assert (first[0]["nuclide"], first[0]["daughter"]) == ("Eu-152", "Gd-152")
    assert (first[0]["gate_kev"], first[0]["energy_kev"]) == pytest.approx((344.279, 411.116), abs=0.01)
    assert first[0]["coincidences"] == pytest.approx(2.15, abs=0.05)


@installed
def test_wide_lines_have_several_cascades_the_most_frequent_first() -> None:
    found = coincident_lines((330.0, 360.0), np.array([780.0]), np.array([60.0]), ["Eu-152"])

    assert found["energy_kev"][0] == pytest.approx(778.9, abs=0.1)
    assert found.height > 1
    assert found["coincidences"].is_sorted(descending=True)


@installed
def test_nuclides_are_named_once_and_all_of_them_at_once() -> None:
    assert nuclides_named(["co60,Eu-152", "Co-60"]) == ("Co-60", "Eu-152")
    assert {"Co-60", "Ra-226", "Na-22"} < set(nuclides_named(["all"])) <= set(gp.nuclides())


@installed
@pytest.mark.parametrize(("nuclide", "explained"), [("Co-60", True), ("Na-22", False)])
def test_a_gate_says_which_lines_cascades_explain(tmp_path: Path, nuclide: str, *, explained: bool) -> None:
    done = gammapolars(*GATED, "--cascade", nuclide, "-o", tmp_path / "g.csv", "--json")
    text = gammapolars(*GATED, "--cascade", nuclide, "-o", tmp_path / "t.csv").out

    summary = json.loads(done.out)
    assert min((list(object_misfits(summary, one, "gate")) for one in records_of("gate")), key=len) == []
    found = summary["cascades"]
    assert found["nuclides"] == [nuclide]
    if explained:
        assert found["unexplained_kev"] == []
        assert (found["lines"][0]["gate_kev"], found["lines"][0]["energy_kev"]) == (1332.492, 1173.228)
        assert "Co-60 to Ni-60  1332.49 – 1173.23      99.834(30)" in text
    else:
        assert found["lines"] == []
        assert found["unexplained_kev"] == pytest.approx([1173.2], abs=0.3)
        assert "no cascade of Na-22 in ENSDF explains the peaks at 1,173.2 keV" in text


@installed
def test_a_nuclide_that_there_is_not_is_refused_before_any_work(tmp_path: Path) -> None:
    done = gammapolars(*GATED, "--cascade", "Xx-60", "-o", tmp_path / "g.csv")

    assert done.code == 2
    assert "Xx-60" in done.err


def test_without_its_data_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensdf, "find_spec", lambda _: None)
    ensdf._decays.cache_clear()

    done = gammapolars(*GATED, "--cascade", "Co-60", "-o", tmp_path / "g.csv")

    ensdf._decays.cache_clear()
    assert (done.code, "pip install 'gammapolars[nuclear]'" in done.err) == (1, True)


def test_cascades_are_those_of_energies(tmp_path: Path) -> None:
    done = gammapolars("gate", RUN, "--on", "12000", "--unit", "adc", "--cascade", "Co-60", "-o", tmp_path / "g.csv")

    assert "leave --cascade or --unit adc out" in done.err
