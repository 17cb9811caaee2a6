"""What peaks in coincidence with a line are called."""

import polars as pl
import pytest

import gammapolars as gp
from gammapolars.identification import gated_kinds
from tests.identification.test_kinds import HPGE, NAI, peak_table

EUROPIUM = [
    (kev, 3e6 / kev * n / 100)
    for kev, n in gp.lines("Eu-152", least_intensity=1).select("energy_kev", "intensity").rows()
]
BARIUM = [
    (kev, 3e6 / kev * n / 100) for kev, n in gp.lines("Ba-133").select("energy_kev", "intensity").rows() if kev > 70
]


@pytest.mark.parametrize(
    ("of_all", "gated", "nuclides"),
    [
        (EUROPIUM, [(411.1, 400), (586.3, 60), (778.9, 1500), (1089.7, 200)], ["Eu-152"] * 4),
        (BARIUM, [(81.0, 9000)], ["Ba-133"]),
        (EUROPIUM, [(778.9, 1500), (569.3, 300)], [None, "Eu-152"]),
    ],
    ids=["europium", "barium, not xenon", "another line"],
)
def test_lines_in_coincidence_are_of_nuclides_that_all_pairs_show(
    of_all: list[tuple[float, float]], gated: list[tuple[float, float]], nuclides: list[str | None]
) -> None:
    everything = peak_table(of_all, resolution=HPGE)

    found = gated_kinds(peak_table(gated, resolution=HPGE), everything).sort("centroid_kev")

    assert found["nuclide"].to_list() == nuclides
    assert set(found["kind"]) == {"full energy"}
    assert found.schema["line_kev"] == pl.Float64()


def test_without_known_nuclides_the_gated_spectrum_names_them() -> None:
    gated = peak_table([(1332.5, 9000)], resolution=HPGE)

    assert gated_kinds(gated, gated.head(0))["nuclide"].to_list() == ["Co-60"]


def test_pairs_of_annihilation_photons_do_not_hide_the_other_line_of_their_source() -> None:
    """The peaks of a recorded run of Na-22 between two opposite detectors, which see 511 keV fifty times as often."""
    of_all = peak_table(
        [(192.6, 336), (303.6, 1648), (511.2, 53_891), (1025.4, 443), (1272.6, 1065), (1561.7, 151), (1812.1, 831)],
        resolution=NAI,
    )
    gated = peak_table([(300.2, 882), (511.4, 38_126), (1267.2, 158), (1469.6, 170), (1813.3, 463)], resolution=NAI)

    found = gated_kinds(gated, of_all, span_kev=(-29.5, 2908.5))

    assert found["nuclide"].to_list() == [None, None, "Na-22", None, None]
    assert found["kind"][1] == "annihilation"
