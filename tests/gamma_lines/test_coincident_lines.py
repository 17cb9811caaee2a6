"""Which cascades of ENSDF explain coincident lines, when all nuclides are asked for."""

import numpy as np
import pytest

from gammapolars.core.errors import InputError
from gammapolars.gamma_lines import coincident_lines as module
from gammapolars.gamma_lines.ensdf import cascades, photon_pairs

LINES, WIDTHS = np.array([511.0, 1332.5, 884.7, 344.28]), np.full(4, 2.0)


@pytest.fixture(autouse=True)
def _nuclear_data() -> None:
    pytest.importorskip("paceENSDF", reason="gammapolars[nuclear] is not installed")


@pytest.mark.parametrize("nuclide", ["Co-60", "Na-22", "Ag-110m", "Th-228", "I-126"])
def test_the_pairs_that_are_read_quickly_hold_all_cascades(nuclide: str) -> None:
    quick = {tuple(sorted(pair)) for pair in photon_pairs(nuclide).tolist()}

    found = set(cascades(nuclide).select("energy_kev_x", "energy_kev_y").rows())

    assert found
    assert found <= quick


@pytest.mark.parametrize(("gate", "explained"), [((1170.0, 1176.0), {"Co-60"}), ((655.0, 660.0), {"Ag-110m"})])
def test_only_nuclides_with_such_a_pair_are_read(
    gate: tuple[float, float], explained: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nuclides = ("Co-60", "Na-22", "Ag-110m", "Eu-152", "Ba-133", "Y-88", "Sc-46")
    read: list[str] = []

    def reading(nuclide: str, **options: float) -> object:
        read.append(nuclide)
        return cascades(nuclide, **options)

    monkeypatch.setattr(module, "cascades", reading)

    found = module.coincident_lines(gate, LINES, WIDTHS, nuclides)

    assert set(found["nuclide"]) == explained
    assert explained <= set(read) <= {*explained, "Eu-152"}  # which has weaker pairs there


def test_a_gate_on_annihilation_radiation_finds_what_follows_positrons() -> None:
    found = module.coincident_lines((509.0, 513.0), np.array([511.0, 1274.5]), WIDTHS[:2], ("Na-22", "Co-60"))

    assert found.select("line", "nuclide").rows() == [(0, "Na-22"), (1, "Na-22")]


def test_all_nuclides_are_known_without_reading_them() -> None:
    names = module.nuclides_named(["all"])

    assert len(names) > 250
    assert module.nuclides_named(["co60, all"])[0] == "Co-60"
    with pytest.raises(Exception, match="nuclide 'Xx-1' is not in ENSDF") as raised:
        module.nuclides_named(["Xx-1"])
    assert not isinstance(raised.value, InputError)
