"""Hits with recorded energies: by the polynomial given, else as recorded; channels only where they are asked for."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gammapolars.corrections import calibrate
from gammapolars.detectors import Detector, Detectors
from tests.commandline import gammapolars
from tests.drawing import daily

CASES = os.environ.get("GAMMAPOLARS_CASES", "")
PAIRS = 500
LOW, HIGH = 1173.2, 1332.5
NAMED = "[[detector]]\nchannel = 0\nname = 'A'\n\n[[detector]]\nchannel = 1\nname = 'B'\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 pairs of 1173.2 keV in channel 0 and 1332.5 keV in channel 1: with energies alone, and with both."""
    folder = tmp_path_factory.mktemp("energies")
    rng = np.random.default_rng(12)
    first = np.sort(rng.choice(10**6, PAIRS, replace=False)) * 1_000_000
    second = first + rng.integers(-20_000, 20_000, PAIRS)
    table = pl.DataFrame(
        {
            "board": pl.repeat(0, 2 * PAIRS, dtype=pl.UInt16, eager=True),
            "channel": np.repeat([0, 1], PAIRS).astype(np.uint16),
            "timestamp_ps": np.concatenate([first, second]),
            "energy_kev": np.repeat([LOW, HIGH], PAIRS),
            "flags": pl.repeat(0, 2 * PAIRS, dtype=pl.UInt32, eager=True),
        }
    ).sort("timestamp_ps")
    table.write_parquet(folder / "energies.parquet")
    table.write_ipc(folder / "energies.arrow")
    both = table.with_columns(adc=(pl.col("energy_kev") * 4).round().cast(pl.UInt16) + 300)
    both.write_parquet(folder / "both.parquet")
    (folder / "named.toml").write_text(NAMED)
    (folder / "half.toml").write_text(NAMED.replace("name = 'A'\n", "name = 'A'\nenergy = [-75.0, 0.25]\n"))
    return folder


def run_of(folder: Path, name: str, toml: str | None) -> list[str | Path]:
    return [folder / name, "--detectors", folder / toml] if toml else [folder / name]


def done(*words: str | Path) -> dict[str, Any]:
    outcome = gammapolars(*words, "--json", "--overwrite")
    assert outcome.code == 0, outcome.err
    parsed: dict[str, Any] = json.loads(outcome.out)
    return parsed


RUNS = [
    ("energies.parquet", None),
    ("energies.arrow", None),
    ("energies.parquet", "named.toml"),
    ("both.parquet", None),
    ("both.parquet", "named.toml"),
    ("both.parquet", "half.toml"),
]


@pytest.mark.parametrize(("name", "toml"), daily(3, RUNS))
def test_every_command_goes_by_recorded_energies(folder: Path, tmp_path: Path, name: str, toml: str | None) -> None:
    run = run_of(folder, name, toml)
    further: list[str | Path] = ["--spectra", tmp_path / "s.parquet", "--matrix", tmp_path / "m.parquet"]

    assert done("coincidences", *run, "-o", tmp_path / "p.parquet", *further)["pairs"] == PAIRS

    pairs = pl.read_parquet(tmp_path / "p.parquet")
    energies = pairs.select(
        pl.min_horizontal("energy_kev_a", "energy_kev_b"), b=pl.max_horizontal("energy_kev_a", "energy_kev_b")
    )
    assert np.allclose(energies.to_numpy(), [LOW, HIGH], atol=0.11)  # of half.toml, by the polynomial
    spectra = pl.read_parquet(tmp_path / "s.parquet")
    assert sorted(spectra["energy_kev"].round(0).unique()) == pytest.approx([1173, 1332], abs=1)
    assert done("gate", *run, "--on", "1332.5", "-o", tmp_path / "g.parquet")["counts"] == PAIRS
    gate = pl.read_parquet(tmp_path / "g.parquet")
    assert gate["energy_kev"].to_list() == pytest.approx([1173.5] * gate.height, abs=1)
    assert done("gate", tmp_path / "p.parquet", "--on", "1332.5", "-o", tmp_path / "h.parquet")["counts"] == PAIRS
    assert done("matrix", *run, "-o", tmp_path / "mm.parquet")["counts"] == 2 * PAIRS
    assert "energy_kev_x" in pl.read_parquet(tmp_path / "mm.parquet").columns
    counted = {row["name"]: row["counts"] for row in done("spectrum", *run, "-o", tmp_path / "sp.csv")["spectra"]}
    assert list(counted.values()) == [PAIRS, PAIRS]
    sliced = done("spectrum", *run, "--slice", "100ms", "-o", tmp_path / "sl.csv")
    assert sum(row["counts"] for row in sliced["spectra"]) == 2 * PAIRS
    assert [row["hits"] for row in done("rates", *run, "-o", tmp_path / "r.csv")["detectors"]] == [PAIRS, PAIRS]
    assert done("peaks", *run, "-o", tmp_path / "pk.csv")["hits_used"] == 2 * PAIRS
    assert done("align", *run, "-o", tmp_path / "a.toml")["detector_pairs"][0]["pairs"] == PAIRS


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.parametrize(
    ("name", "toml"), [RUNS[0], *(pytest.param(*run, marks=pytest.mark.slow) for run in RUNS[1:3])]
)
def test_the_report_too(folder: Path, tmp_path: Path, name: str, toml: str | None) -> None:
    run = run_of(folder, name, toml)
    assert done("report", *run, "-o", tmp_path / "report")["pairs"] == PAIRS


def test_it_is_said_where_recorded_energies_are_taken_though_there_are_channels(folder: Path, tmp_path: Path) -> None:
    said = "energies of 0/0, 0/1 are used as stored in the files, because no energy polynomial is given"
    assert said in done("coincidences", folder / "both.parquet", "-o", tmp_path / "p.parquet")["warnings"]
    alone = done("coincidences", folder / "energies.parquet", "-o", tmp_path / "p.parquet")
    assert not any("polynomial" in warning for warning in alone["warnings"])
    half = done("spectrum", folder / "both.parquet", "--detectors", folder / "half.toml", "-o", tmp_path / "s.csv")
    assert said.replace("0/0, 0/1", "B") in half["warnings"]


def test_channels_are_taken_where_they_are_asked_for(folder: Path, tmp_path: Path) -> None:
    done("spectrum", folder / "both.parquet", "--unit", "adc", "-o", tmp_path / "s.parquet")
    assert sorted(pl.read_parquet(tmp_path / "s.parquet")["adc"].unique()) == [4993, 5630]
    assert (
        done("gate", folder / "both.parquet", "--on", "5630", "--unit", "adc", "-o", tmp_path / "g.csv")["counts"]
        == PAIRS
    )
    refused = gammapolars("spectrum", folder / "energies.parquet", "--unit", "adc", "-o", tmp_path / "t.csv")
    assert refused.code == 1
    assert (
        refused.err
        == f"Error: {folder / 'energies.parquet'}: hits without adc values cannot be counted by ADC channel\n"
    )


@pytest.mark.parametrize(("name", "toml"), RUNS)
def test_detectors_are_aligned_by_hits_of_a_recorded_energy(
    folder: Path, tmp_path: Path, name: str, toml: str | None
) -> None:
    run = run_of(folder, name, toml)
    both = done("align", *run, "--energy", "1100:1400", "-o", tmp_path / "a.toml")
    assert both["detector_pairs"][0]["pairs"] == PAIRS
    refused = gammapolars("align", *run, "--energy", "1300:1400", "-o", tmp_path / "b.toml")
    assert (refused.code, "prompt peak" in refused.err) == (1, True)


def test_nothing_to_calibrate_is_refused(folder: Path, tmp_path: Path) -> None:
    refused = gammapolars("calibrate", folder / "energies.parquet", "--source", "Co-60", "-o", tmp_path / "d.toml")
    assert (refused.code, "hits without adc values" in refused.err) == (1, True)
    refused = gammapolars("align", folder / "energies.parquet", "--walk", "-o", tmp_path / "d.toml")
    assert "time walk needs adc values, which these hits do not have" in refused.err


def test_a_polynomial_goes_before_what_was_recorded() -> None:
    hits = pl.LazyFrame(
        {"board": [0, 0, 0], "channel": [0, 1, 1], "adc": [10, 20, 30], "energy_kev": [7.0, 8.0, None]},
        {"board": pl.UInt16, "channel": pl.UInt16, "adc": pl.UInt16, "energy_kev": pl.Float64},
    )
    found = calibrate(hits, Detectors((Detector(0, 0, energy=(1.0, 2.0)),))).collect()
    assert found["energy_kev"].to_list() == [21.0, 8.0, None]


@pytest.mark.skipif(not CASES, reason="GAMMAPOLARS_CASES does not name the folder of inputs that go wrong")
@pytest.mark.parametrize(
    ("name", "toml"),
    [("01_cal_only.csv", None), ("01_cal_only.BIN", None), ("01_gate_like.parquet", "01_gate_like.toml"),
     ("01_gate_like.parquet", "01_gate_like_named.toml"), ("01_both.csv", None)],
)  # fmt: skip
def test_cases_of_recorded_energies(tmp_path: Path, name: str, toml: str | None) -> None:
    run = run_of(Path(CASES), name, toml)
    assert done("coincidences", *run, "-o", tmp_path / "p.parquet")["pairs"] == PAIRS
    assert done("gate", *run, "--on", "1332.5", "-o", tmp_path / "g.parquet")["counts"] == PAIRS
    assert pl.read_parquet(tmp_path / "g.parquet")["energy_kev"].to_list() == [1173.5]
    assert done("matrix", *run, "-o", tmp_path / "m.parquet")["counts"] == 2 * PAIRS
    for command in ("spectrum", "rates", "peaks"):
        assert done(command, *run, "-o", tmp_path / f"{command}.csv")["hits_used"] == 2 * PAIRS


@pytest.mark.parametrize("words", [("matrix",), ("matrix", "--axes", "dt:adc"), ("matrix", "--axes", "adc:time")])
def test_times_alone_have_no_matrix(tmp_path: Path, words: tuple[str, ...]) -> None:
    hits = pl.DataFrame({"board": [0, 0], "channel": [0, 1], "timestamp_ps": [0, 10], "flags": [0, 0]})
    dtypes = {"board": pl.UInt16, "channel": pl.UInt16, "flags": pl.UInt32}
    hits.cast(dtypes).write_parquet(tmp_path / "times.parquet")  # type: ignore[arg-type]
    refused = gammapolars(*words, tmp_path / "times.parquet", "-o", tmp_path / "m.parquet")
    assert refused.error.endswith("times.parquet: hits without adc values cannot be counted in a matrix")
    side = ("-o", tmp_path / "p.csv", "--matrix", tmp_path / "m.parquet")
    assert "cannot be counted in a matrix" in gammapolars("coincidences", tmp_path / "times.parquet", *side).error
