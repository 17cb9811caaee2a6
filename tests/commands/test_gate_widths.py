"""Gates on lines: as wide as the resolution, on energies unless channels are asked for, the same of stored pairs."""

import json
import math
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gammapolars.core.types import Key
from gammapolars.detectors import Detector
from gammapolars.gates import Gate
from gammapolars.spectra.line_gates import DetectorGates, gate_doubts, line_gate
from tests.commandline import REPOSITORY, gammapolars
from tests.drawing import examples

RUN, DETECTORS = REPOSITORY / "data" / "co60-four-hpge.root", REPOSITORY / "data" / "detectors.toml"
REAL = os.environ.get("GAMMAPOLARS_REAL_DATA", "")

NAI, HPGE = Detector(0, 1, "NaI", fwhm=(45.0**2,)), Detector(0, 2, "HPGe", fwhm=(1.0, 0.003))
BARE = Detector(0, 3, "bare")


def gated(*words: str | Path) -> dict[str, Any]:
    done = gammapolars("gate", *words, "--json", "--overwrite")
    assert done.code == 0, done.err
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed


def weight_of(key: Key, energy: float | None, width: dict[Key, float], scale: float) -> float:
    """By hand: 1 in the gate about 511 keV, -g/b in the background from 600 to 610 and from 620 to 625 keV."""
    if energy is None:
        return 0.0
    if abs(energy - 511) <= width.get(key, 6.0) / 2:
        return 1.0
    return -width.get(key, 6.0) / scale if 600 <= energy <= 610 or 620 <= energy <= 625 else 0.0


@examples(200)
@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.floats(400, 700)), min_size=1, max_size=30))
def test_each_hit_weighs_by_the_gate_of_its_own_detector(rows: list[tuple[int, float | None]]) -> None:
    gate = line_gate(511, None, ["600:610", "620:625"], [NAI, HPGE, BARE])
    table = pl.DataFrame(
        {"board_b": [0] * len(rows), "channel_b": [row[0] for row in rows], "energy_kev_b": [row[1] for row in rows]},
        {"board_b": pl.UInt16, "channel_b": pl.UInt16, "energy_kev_b": pl.Float64},
    )

    weights = table.select(gate.weight("energy_kev_b")).to_series().to_list()

    widths = {(0, 1): 90.0, (0, 2): 2 * math.sqrt(1 + 0.003 * 511)}
    assert weights == pytest.approx([weight_of((0, channel), energy, widths, 15.0) for channel, energy in rows])


def test_the_ends_are_those_of_the_widest_gate_and_equal_gates_are_one() -> None:
    gate = line_gate(511, None, (), [NAI, HPGE])
    assert isinstance(gate, DetectorGates)
    assert (gate.low, gate.high) == (466, 556)
    assert line_gate(511, 8, (), [NAI, HPGE]) == Gate(507, 515)
    assert line_gate(511, None, (), [BARE]) == Gate(508, 514)


def test_the_background_of_its_own_begins_a_fwhm_beside_the_gate() -> None:
    gate = line_gate(511, None, ["auto"], [NAI])
    assert isinstance(gate, DetectorGates)
    assert gate.background == ((376, 421), (601, 646))
    assert gate.scale == 1
    assert line_gate(100, 10, ["auto"], [BARE]).background == ((85, 90), (110, 115))


def test_a_gate_that_is_narrower_than_the_line_is_told() -> None:
    (doubt,) = gate_doubts(line_gate(511, 6, (), [NAI, HPGE, BARE]), [NAI, HPGE, BARE])
    assert doubt == (
        "the gate from 508 to 514 keV is narrower than a line in NaI (FWHM 45 keV in NaI): it contains only "
        "part of the line"
    )
    assert not list(gate_doubts(line_gate(511, None, (), [NAI, HPGE]), [NAI, HPGE]))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pairs of the example run in files of several formats, and their matrix."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("p.parquet", "p.arrow", "p.root", "p.csv"):
        done = gammapolars("coincidences", RUN, "--detectors", DETECTORS, "-o", folder / name, "--random", "1us:3us")
        assert done.code == 0
    assert gammapolars("matrix", RUN, "--detectors", DETECTORS, "-o", folder / "m.parquet").code == 0
    return folder


LINE = ["--on", "1332.5", "--background", "1345:1355"]


def test_stored_pairs_give_the_counts_of_their_run(pairs: Path, tmp_path: Path) -> None:
    of_run = gated(RUN, "--detectors", DETECTORS, *LINE, "--random", "1us:3us", "-o", tmp_path / "run.parquet")

    for name in ("p.parquet", "p.arrow", "p.root"):
        of_pairs = gated(pairs / name, *LINE, "-o", tmp_path / "pairs.parquet")

        same = ("counts", "counts_unc", "gate", "gate_width_from", "unit", "bin_width")
        assert {key: of_pairs[key] for key in same} == {key: of_run[key] for key in same}
        assert not of_pairs["warnings"]
        assert_frame_equal(pl.read_parquet(tmp_path / "pairs.parquet"), pl.read_parquet(tmp_path / "run.parquet"))


def test_pairs_without_what_their_energies_were_made_from_say_so(pairs: Path, tmp_path: Path) -> None:
    of_pairs = gated(pairs / "p.csv", *LINE, "-o", tmp_path / "g.csv")
    told = gated(pairs / "p.csv", "--detectors", DETECTORS, *LINE, "-o", tmp_path / "t.csv")

    assert "not dithered over the width of an ADC channel" in of_pairs["warnings"][0]
    assert not told["warnings"]
    assert told["counts"] == gated(pairs / "p.parquet", *LINE, "-o", tmp_path / "p.csv")["counts"]


def test_energies_by_another_calibration_are_told(pairs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    text = DETECTORS.read_text(encoding="utf-8")
    lines = [line if not line.startswith("energy =") else "energy = [1.0, 0.3]" for line in text.splitlines()]
    other.write_text("\n".join(lines), encoding="utf-8")

    found = gated(pairs / "p.parquet", "--detectors", other, *LINE, "-o", tmp_path / "g.csv")

    assert "its energies come from a calibration different from that of HPGe-1" in found["warnings"][0]


def test_a_stored_matrix_is_gated_as_wide_as_the_widest_line_of_its_detectors(pairs: Path, tmp_path: Path) -> None:
    of_run = gated(RUN, "--detectors", DETECTORS, "--on", "1332.5", "-o", tmp_path / "r.csv")

    found = gated(pairs / "m.parquet", "--on", "1332.5", "-o", tmp_path / "g.csv")

    assert found["gate_width_from"] == "2 FWHM"
    assert found["asked_gate"] == of_run["gate"]
    assert all(float(found["gate"][end]).is_integer() for end in ("low", "high"))


def test_a_line_is_an_energy_unless_channels_are_asked_for(tmp_path: Path) -> None:
    refused = gammapolars("gate", RUN, "--on", "1332.5", "-o", tmp_path / "g.csv")
    assert refused.code == 2
    assert "no detector is calibrated, but --on 1332.5 is an energy" in refused.err
    assert gated(RUN, "--on", "3000", "--unit", "adc", "-o", tmp_path / "g.csv")["unit"] == "adc"
    in_adc = gated(RUN, "--detectors", DETECTORS, "--on", "3000", "--unit", "adc", "-o", tmp_path / "g.csv")
    assert in_adc["gate"] == {"low": 2997.0, "high": 3003.0, "background": []}
    wrong = gammapolars("gate", RUN, "--on", "3000", "--unit", "MeV", "-o", tmp_path / "h.csv")
    assert "unknown unit 'MeV'" in wrong.err


def test_detectors_without_energies_are_named(pairs: Path, tmp_path: Path) -> None:
    lines = DETECTORS.read_text(encoding="utf-8").splitlines()
    cut = next(place for place, line in enumerate(lines) if line.startswith("energy ="))
    (tmp_path / "d.toml").write_text("\n".join(lines[:cut] + lines[cut + 1 :]), encoding="utf-8")

    found = gated(RUN, "--detectors", tmp_path / "d.toml", *LINE, "-o", tmp_path / "g.csv")

    assert (
        "hits of HPGe-1 without an energy were not used, neither in the gate nor as coincident hits"
        in found["warnings"]
    )


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")
@pytest.mark.parametrize("random", [[], pytest.param(["--random", "300ns:900ns"], marks=pytest.mark.slow)])
def test_recorded_pairs_of_sodium_give_the_counts_of_their_run(tmp_path: Path, random: list[str]) -> None:
    run = Path(REAL) / "na22-two-nai" / "SDataR_na22_two_nai.root"
    toml = tmp_path / "d.toml"
    toml.write_text(
        "".join(
            f"[[detector]]\nchannel = {channel}\nname = 'NaI-{channel}'\nenergy = [0.0, {511 / peak}]\n"
            f"fwhm = [2025.0]\n"
            for channel, peak in ((4, 692.0), (5, 540.0))
        )
    )
    read: list[str | Path] = [run, "--detectors", toml, *random]
    assert gammapolars("coincidences", *read, "-o", tmp_path / "p.parquet").code == 0

    of_run = gated(*read, "--on", "511", "-o", tmp_path / "r.csv")
    of_pairs = gated(tmp_path / "p.parquet", "--on", "511", "-o", tmp_path / "g.csv")

    assert of_run["gate"] == {"low": 466.0, "high": 556.0, "background": []}
    assert (of_pairs["counts"], of_pairs["counts_unc"]) == (of_run["counts"], of_run["counts_unc"])
    narrow = gated(*read, "--on", "511", "--width", "6", "-o", tmp_path / "n.csv")
    assert "narrower than a line in NaI-4, NaI-5" in narrow["warnings"][-1]
