"""Runs whose adc values take more than 16 bits, have a sign or fractions: all commands give what they should."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.detectors import Detector, Detectors, format_detectors
from gammapolars.io import Losses, Reading, open_runs
from gammapolars.io.adc_width import adc_type_in
from tests.commandline import gammapolars
from tests.drawing import daily
from tests.rootfiles import write_branches

LINES = (1173.2, 1332.5)

Scale = Callable[[pl.Expr], pl.Expr]

WIDE: dict[str, tuple[Scale, float, float, pl.DataType]] = {
    "charge": (lambda adc: adc.cast(pl.Int64) * 40, 0.0, 40.0, pl.Int64()),
    "u32": (lambda adc: adc.cast(pl.UInt32) * 40, 0.0, 40.0, pl.Int64()),
    "signed": (lambda adc: (adc.cast(pl.Int32) - 1500).cast(pl.Int16), -1500.0, 1.0, pl.Int64()),
    "floats": (lambda adc: adc * 0.9731 + 0.137, 0.137, 0.9731, pl.Float64()),
    "float32": (lambda adc: (adc * 1.25 + 0.5).cast(pl.Float32), 0.5, 1.25, pl.Float64()),
    "whole floats": (lambda adc: adc.cast(pl.Float64), 0.0, 1.0, pl.UInt16()),
}
"""What is stored of a 16-bit adc, that times a factor and plus a zero is the same energy; and what it is kept as."""


def cascade_run(count: int = 2000) -> pl.DataFrame:
    """Both lines of Co-60 in coincidence, and a continuum; at 0.3 keV a channel, FWHM 2 keV."""
    rng = np.random.default_rng(60)
    times = np.cumsum(rng.exponential(1e9, count)).astype(np.int64)
    energy = np.stack([rng.normal(line, 0.85, count) for line in LINES], axis=1)
    energy[count // 2 :] = rng.uniform(300, 1100, (count - count // 2, 2))
    energy = np.where(rng.random((count, 1)) < 0.5, energy, energy[:, ::-1])
    times = np.stack([times, times + rng.integers(-30_000, 30_000, count)], axis=1)
    hits = pl.DataFrame(
        {
            "board": np.zeros(2 * count, np.uint16),
            "channel": np.tile(np.array([0, 1], np.uint16), count),
            "timestamp_ps": times.ravel(),
            "adc": np.rint(energy.ravel() / 0.3).astype(np.uint16),
            "flags": np.zeros(2 * count, np.uint32),
        }
    )
    return hits.sort("timestamp_ps")


HITS = cascade_run()

PAIRS = 2000


def described(zero: float = 0.0, factor: float = 1.0) -> str:
    """detectors.toml for adc values that are `zero + factor` times those of 16 bits."""
    energy = (-0.3 * zero / factor, 0.3 / factor)
    return format_detectors(
        Detectors(tuple(Detector(0, c, f"D{c}", energy=energy, fwhm=(4.0,), group="G") for c in (0, 1)))
    )


@pytest.fixture(scope="module", params=["charge", "signed", "float32"])
def wide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataType]:
    """A folder with a run of 16 bits, usual.parquet, and the same in wider values; and the type of these."""
    folder = tmp_path_factory.mktemp("runs")
    scale, zero, factor, kept = WIDE[request.param]
    HITS.write_parquet(folder / "usual.parquet")
    HITS.with_columns(scale(pl.col("adc"))).write_parquet(folder / "wide.parquet")
    (folder / "usual.toml").write_text(described())
    (folder / "wide.toml").write_text(described(zero, factor))
    return folder, kept


def both(folder: Path, command: str, *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a command sums up of both runs; `@` stands for the run's name in its words."""
    summaries = []
    for name in ("usual", "wide"):
        own = [word.replace("@", str(folder / name)) for word in words]
        done = gammapolars(command, folder / f"{name}.parquet", *own, "--json")
        assert done.code == 0, done.err
        assert "adc" not in str(json.loads(done.out)["warnings"])
        summaries.append(json.loads(done.out))
    return summaries[0], summaries[1]


OUT = ("--detectors", "@.toml", "--overwrite", "-o")


@pytest.mark.parametrize("kind", WIDE)
def test_the_values_are_kept_as_they_are(tmp_path: Path, kind: str) -> None:
    scale, _, _, kept = WIDE[kind]
    stored = HITS.with_columns(scale(pl.col("adc")))
    stored.write_parquet(tmp_path / "wide.parquet")

    found = gp.scan(tmp_path / "wide.parquet").collect()

    assert_frame_equal(found, stored.with_columns(pl.col("adc").cast(kept)))


@pytest.mark.parametrize("suffix", [".root", ".csv", ".arrow", ".parquet"])
def test_every_format_gives_them_back(wide: tuple[Path, pl.DataType], suffix: str) -> None:
    folder, kept = wide
    hits = gp.scan(folder / "wide.parquet")

    done = gammapolars("convert", folder / "wide.parquet", "-o", folder / f"again{suffix}", "--overwrite")
    found = gp.scan(folder / f"again{suffix}").collect()

    assert done.code == 0, done.err
    assert_frame_equal(found, hits.collect(), check_exact=suffix != ".csv")
    assert found.schema["adc"] == kept


@pytest.mark.parametrize("suffix", daily(2, [".root", ".parquet", ".csv", ".arrow"]))
def test_pairs_are_the_same_and_have_the_adc_of_their_hits(wide: tuple[Path, pl.DataType], suffix: str) -> None:
    folder, kept = wide

    usual, wider = both(folder, "coincidences", *OUT, f"@_pairs{suffix}", "--window", "100ns")
    pairs = gp.scan_pairs(folder / f"wide_pairs{suffix}").collect()
    of_usual = gp.scan_pairs(folder / f"usual_pairs{suffix}").collect()

    assert usual["pairs"] == wider["pairs"] == PAIRS
    assert pairs.schema["adc_a"] == kept
    assert pairs["energy_kev_a"].to_list() == pytest.approx(of_usual["energy_kev_a"].to_list(), abs=1e-3)
    assert pairs["dt_ps"].equals(of_usual["dt_ps"])


@pytest.mark.slow
def test_gates_on_runs_and_on_stored_pairs(wide: tuple[Path, pl.DataType]) -> None:
    folder, _ = wide
    both(folder, "coincidences", *OUT, "@_gated.parquet", "--window", "100ns")

    usual, wider = both(folder, "gate", *OUT, "@_gate.csv", "--on", "1332.5", "--window", "100ns")
    words = (folder / "wide_gated.parquet", "--detectors", folder / "wide.toml", "--on", "1332.5", "--json", "-o")
    stored = json.loads(gammapolars("gate", *words, folder / "stored.csv", "--overwrite").out)

    assert wider["counts"] == stored["counts"] == pytest.approx(usual["counts"], abs=20)
    assert usual["counts"] == pytest.approx(1000, abs=30)
    table = pl.read_csv(folder / "wide_gate.csv").filter(pl.col("counts") > 0)
    assert np.average(table["energy_kev"], weights=table["counts"]) == pytest.approx(1173.2, abs=0.2)


def test_spectra_in_kev(wide: tuple[Path, pl.DataType]) -> None:
    folder, _ = wide

    both(folder, "spectrum", *OUT, "@_spectrum.csv", "--bin-kev", "0.5")
    totals, means = [], []
    for name in ("usual", "wide"):
        table = pl.read_csv(folder / f"{name}_spectrum.csv")
        totals.append(table["counts"].sum())
        line = table.filter((pl.col("energy_kev") - 1332.5).abs() < 5)
        means.append(float(np.average(line["energy_kev"], weights=line["counts"])))

    assert totals == pytest.approx([4_000, 4_000])
    assert means == pytest.approx([1332.5, 1332.5], abs=0.1)
    assert means[0] == pytest.approx(means[1], abs=0.08)


@pytest.mark.parametrize("axes", [(), ("--axes", "adc:adc", "--bin-adc", "1e6")])
def test_matrices_hold_all_pairs(wide: tuple[Path, pl.DataType], axes: tuple[str, ...]) -> None:
    folder, _ = wide

    usual, wider = both(folder, "matrix", *OUT, "@_matrix.parquet", "--window", "100ns", *axes)

    assert wider["pairs"] == usual["pairs"] == PAIRS
    assert pl.read_parquet(folder / "wide_matrix.parquet")["counts"].sum() >= PAIRS


def test_spectra_by_channel_and_events_have_the_values(wide: tuple[Path, pl.DataType]) -> None:
    folder, kept = wide
    hits = gp.scan(folder / "wide.parquet").collect()

    both(folder, "spectrum", "--overwrite", "-o", "@_adc.csv")
    both(folder, "events", *OUT, "@_events.parquet", "--window", "100ns", "--table", "summary")
    channels = pl.read_csv(folder / "wide_adc.csv")
    events = pl.read_parquet(folder / "wide_events.parquet")

    whole = (hits["adc"] + 0.5).floor() if kept.is_float() else hits["adc"]
    assert channels["counts"].sum() == hits.height
    assert (channels["counts"] * channels["adc"]).sum() == pytest.approx(whole.cast(pl.Float64).sum())
    assert events["sum_adc"].sum() == pytest.approx(hits["adc"].cast(pl.Float64).sum())


@pytest.mark.slow
def test_the_other_commands_agree(wide: tuple[Path, pl.DataType]) -> None:
    folder, _ = wide

    for command, words in {
        "info": (),
        "rates": ("--detectors", "@.toml"),
        "report": (*OUT, "@_report", "--window", "100ns"),
        "align": (*OUT, "@_aligned.toml"),
        "drift": (*OUT, "@_drift.parquet", "--track", "1332.5"),
        "coincidences": (*OUT, "@_added.parquet", "--add-back", "100ns"),
    }.items():
        usual, wider = both(folder, command, *words)
        assert wider["hits_used"] == usual["hits_used"], command
        assert wider.get("pairs") == usual.get("pairs"), command
        if command == "drift":
            for one, other in zip(wider["detectors"], usual["detectors"], strict=True):
                assert one["fwhm_after_kev"] == pytest.approx(other["fwhm_after_kev"], rel=0.05)


# What is taken for damage.


def test_a_few_values_that_do_not_fit_are_damage_unless_said_otherwise(tmp_path: Path) -> None:
    adc = pl.when(pl.int_range(pl.len()).is_in([7, 900])).then(70_000).otherwise(pl.col("adc").cast(pl.Int64))
    HITS.with_columns(adc.alias("adc")).write_parquet(tmp_path / "run.parquet")
    by_bits = gp.load_detectors(_toml(tmp_path, 'adc = {name = "adc", bits = 32}')).columns

    with pytest.raises(InputError, match=r'70000 in row 8\): adc = \{name = "adc", bits = 32\} reads wider values'):
        gp.scan(tmp_path / "run.parquet").collect()
    found = gp.scan(tmp_path / "run.parquet", columns=by_bits).collect()

    assert found.schema["adc"] == pl.Int64
    assert found["adc"][7] == found["adc"][900] == 70_000


def _toml(folder: Path, line: str) -> Path:
    path = folder / "columns.toml"
    path.write_text(f"[columns]\n{line}\n")
    return path


def test_no_adc_lies_beyond_32_bits_or_is_no_number(tmp_path: Path) -> None:
    adc = pl.Series([1.5, float("nan"), float("inf"), -1e11, 2.0**31, None, -2.5])
    HITS.head(7).with_columns(adc.alias("adc")).write_parquet(tmp_path / "run.parquet")
    losses = Losses()

    found = open_runs(tmp_path / "run.parquet", reading=Reading(losses=losses)).hits.collect()

    assert found["adc"].to_list() == [1.5, 2.0**31, -2.5]
    assert losses.count("out_of_range") == 4


def test_real_numbers_of_a_small_scale_have_a_unit(tmp_path: Path) -> None:
    HITS.with_columns(adc=pl.col("adc") / 3000).write_parquet(tmp_path / "run.parquet")
    losses = Losses()
    columns = gp.load_detectors(_toml(tmp_path, f'adc = {{name = "adc", unit = {1 / 3000!r}}}')).columns

    open_runs(tmp_path / "run.parquet", reading=Reading(losses=losses))
    found = gp.scan(tmp_path / "run.parquet", columns=columns).collect()

    assert "spectra by ADC channel cannot resolve: give the width of one channel, as in adc = " in losses.notes[0]
    assert found["adc"].to_list() == pytest.approx(HITS["adc"].to_list())


def test_files_of_several_widths_are_one_run(tmp_path: Path) -> None:
    wide = HITS.filter(channel=1).with_columns(pl.col("adc").cast(pl.Int64) * 40)
    HITS.filter(channel=0).write_parquet(tmp_path / "a.parquet")
    wide.write_parquet(tmp_path / "b.parquet")

    found = gp.scan(tmp_path / "a.parquet", tmp_path / "b.parquet").collect()

    assert found.schema["adc"] == pl.Int64
    assert found["adc"].sum() == int(HITS.filter(channel=0)["adc"].cast(pl.Int64).sum()) + int(wide["adc"].sum())


@pytest.mark.parametrize(
    ("texts", "dtype"),
    [
        (["5", "70000", *["7"] * 98], pl.UInt16),
        (["70000"] * 5 + ["7"] * 95, pl.Int64),
        (["-3"] * 2 + ["7"] * 98, pl.Int64),
        (["1.5"] * 50 + ["7"] * 50, pl.Float64),
        (["1e4", "2.5E-3"], pl.Float64),
        ([], pl.UInt16),
        (["x", "9" * 500], pl.UInt16),
    ],
)
def test_the_type_of_adc_values_in_text(texts: list[str], dtype: type[pl.DataType]) -> None:
    assert adc_type_in(texts) == dtype


def test_branches_of_floats_and_of_32_bits_in_compass_trees(tmp_path: Path) -> None:
    names = {"board": "Board", "channel": "Channel", "timestamp_ps": "Timestamp", "adc": "Energy", "flags": "Flags"}
    for kind, values in {"f4": HITS["adc"] * 1.5, "i4": HITS["adc"].cast(pl.Int64) * 30}.items():
        arrays = {names[column.name]: column.to_numpy() for column in HITS}
        arrays["Energy"] = values.to_numpy().astype(kind)
        found = gp.scan(write_branches(tmp_path / f"{kind}.root", arrays)).collect()

        assert found["adc"].to_list() == values.to_list()
