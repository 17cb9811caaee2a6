"""The commands `spectrum` and `matrix`: what they write is what was counted, in every format."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.commands.spectrum import run as exports
from gammapolars.io import provenance
from gammapolars.io import run as io_run
from gammapolars.io.compass.run_info import ChannelTimes, LiveTimes
from tests.commandline import files_in, gammapolars
from tests.rootfiles import made_hits, write_hits

DETECTORS = """\
[[detector]]
name = "left"
channel = 0
energy = [-3.0, 0.25, 1e-6]

[[detector]]
name = "right"
channel = 1
energy = [1.0, 0.5]
"""

REJECTED = 0x8000 | 0x400
SPECTRA = [".spe", ".chn", ".txt", ".csv", ".parquet", ".root", ".n42"]
MATRICES = [".mat", ".m4b", ".spn", ".csv", ".parquet", ".root"]


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(6000, detectors=3, gap_ps=300_000)


@pytest.fixture(autouse=True)
def run(tmp_path: Path, hits: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_hits(Path("run.root"), hits)
    Path("d.toml").write_text(DETECTORS)


def counted(hits: pl.DataFrame, channel: int) -> dict[int, int]:
    """Counts of the used hits by adc, one by one."""
    found: dict[int, int] = {}
    for number, adc, flags in hits.select("channel", "adc", "flags").iter_rows():
        if number == channel and not flags & REJECTED:
            found[adc] = found.get(adc, 0) + 1
    return found


def spectrum_of(suffix: str, channel: int) -> gp.RecordedSpectrum:
    if suffix in (".spe", ".chn", ".txt"):
        return gp.read_spectrum(f"s_b0_ch{channel}{suffix}")
    return gp.read_spectrum(f"s{suffix}", f"b0_ch{channel}")


# Spectra.


@pytest.mark.parametrize("suffix", SPECTRA)
def test_every_used_hit_is_in_its_channel(hits: pl.DataFrame, suffix: str) -> None:
    done = gammapolars("spectrum", "run.root", "--detectors", "d.toml", "-o", f"s{suffix}", "--json")

    summary = json.loads(done.out)
    for channel in range(3):
        expected = counted(hits, channel)
        table = spectrum_of(suffix, channel).table
        filled = table.filter(pl.col("counts") > 0)
        assert filled["counts"].to_list() == [expected[adc] for adc in sorted(expected)]
        if channel == 1:
            energies = [1.0 + 0.5 * adc for adc in sorted(expected)]
            np.testing.assert_allclose(filled["energy_kev"].to_numpy(), energies, rtol=1e-9)
        assert summary["spectra"][channel]["counts"] == sum(expected.values())
    assert all(Path(name).exists() for name in summary["outputs"])
    assert sorted([*summary["outputs"], "run.root", "d.toml"]) == files_in(Path())
    assert summary["hits_used"] == sum(sum(counted(hits, channel).values()) for channel in range(3))


@pytest.mark.parametrize("suffix", [".spe", ".chn", ".n42"])
def test_the_calibration_goes_into_the_file(suffix: str) -> None:
    gammapolars("spectrum", "run.root", "--detectors", "d.toml", "-o", f"s{suffix}")

    assert spectrum_of(suffix, 0).measurement.energy == pytest.approx((-3.0, 0.25, 1e-6), rel=1e-6)
    assert spectrum_of(suffix, 2).measurement.energy is None
    assert spectrum_of(suffix, 1).measurement.title == "run.root: right"


@pytest.mark.parametrize("suffix", [".spe", ".parquet", ".root", ".csv"])
def test_bins_of_energy(hits: pl.DataFrame, suffix: str) -> None:
    words = ["spectrum", "run.root", "--detectors", "d.toml", "--bin-kev", "4", "-o", f"s{suffix}"]

    assert gammapolars(*words).code == 0

    table = spectrum_of(suffix, 1).table
    assert table["counts"].sum() == pytest.approx(sum(counted(hits, 1).values()))
    assert ((table["energy_kev"] / 4 - 0.5) % 1 == 0).all()
    bare = spectrum_of(suffix, 2).table  # uncalibrated
    assert "energy_kev" not in bare.columns
    assert bare["counts"].sum() == sum(counted(hits, 2).values())
    low = table.filter(pl.col("energy_kev") < 1000)["counts"].sum()
    assert low == pytest.approx(sum(count for adc, count in counted(hits, 1).items() if 1 + adc / 2 < 1000), abs=4)


def test_radware_spectra_keep_fractions(hits: pl.DataFrame) -> None:
    words = ["spectrum", "run.root", "--detectors", "d.toml", "--bin-kev", "3", "--format", "radware", "-o", "s.spe"]

    assert gammapolars(*words).code == 0

    counts = spectrum_of(".spe", 0).table["counts"]
    assert counts.sum() == pytest.approx(sum(counted(hits, 0).values()))
    assert not (counts == counts.round()).all()


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1e6)), min_size=1, max_size=50))
def test_whole_counts_keep_sums(rows: list[tuple[int, float]]) -> None:
    table = pl.DataFrame(
        [(0, channel, None, place + 0.5, count) for place, (channel, count) in enumerate(rows)],
        {"board": pl.UInt16, "channel": pl.UInt16, "adc": pl.Float64, "energy_kev": pl.Float64, "counts": pl.Float64},
        orient="row",
    )

    found = exports.whole(table.sample(fraction=1, shuffle=True, seed=1))

    assert found.height == table.height
    assert (found["counts"] == found["counts"].round()).all()
    assert (found["counts"] >= 0).all()
    both = found.join(table, on=["channel", "energy_kev"], suffix="_before")
    assert ((both["counts"] - both["counts_before"]).abs() <= 1 + 1e-6).all()
    sums = (frame.group_by("channel").agg(pl.col("counts").sum()).sort("channel")["counts"] for frame in (found, table))
    assert ((next(sums) - next(sums)).abs() <= 0.5 + 1e-6).all()


def test_a_spectrum_tells_its_times() -> None:
    summary = json.loads(gammapolars("spectrum", "run.root", "-o", "s.spe", "--json").out)

    known = spectrum_of(".spe", 0).measurement
    assert known.real_time_s == pytest.approx(summary["real_time_s"])
    assert summary["spectra"][0]["live_time_s"] is None


@pytest.mark.parametrize("whole_run", [True, False])
def test_recorded_times_are_taken_of_whole_recordings_alone(
    hits: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, whole_run: bool
) -> None:
    folder = Path("DAQ") / "RAW"
    folder.mkdir(parents=True)
    write_hits(folder / "SDataR_run.root", hits)
    span_s = (hits["timestamp_ps"][-1] - hits["timestamp_ps"][0]) / 1e12
    real_s = span_s * (1.05 if whole_run else 100)
    channels = tuple(ChannelTimes(channel, real_s, real_s / 2) for channel in (0, 1))
    monkeypatch.setattr(io_run, "live_times", lambda folder: LiveTimes(folder, channels))
    Path("DAQ/run.info").write_text("id=x\ntime.start=2025/03/18 12:11:24.131-0400\n")

    assert gammapolars("spectrum", "DAQ", "-o", "s.parquet").code == 0

    known = [gp.read_spectrum("s.parquet", f"b0_ch{channel}").measurement for channel in range(3)]
    assert [one.live_time_s for one in known] == ([real_s / 2] * 2 if whole_run else [None] * 2) + [None]
    assert known[0].real_time_s == pytest.approx(real_s if whole_run else span_s)
    assert {one.started for one in known} == {datetime(2025, 3, 18, 12, 11, 24)}


# Slices of time, and counts per second.


def sliced(words: list[str]) -> tuple[dict[str, Any], pl.DataFrame]:
    done = gammapolars(
        "spectrum", "run.root", "--detectors", "d.toml", "-o", "s.parquet", "--overwrite", "--json", *words
    )
    assert done.code == 0, done.err
    return json.loads(done.out), pl.read_parquet("s.parquet")


@pytest.mark.parametrize("bins", [[], ["--bin-kev", "4"]])
@pytest.mark.parametrize("width", ["100us", "1ms", "1h"])
def test_each_slice_of_time_has_its_spectra(hits: pl.DataFrame, width: str, bins: list[str]) -> None:
    summary, found = sliced(["--slice", width, *bins])

    used = hits.filter((pl.col("flags") & REJECTED) == 0)
    keys = ["time_slice", "board", "channel"]
    expected = gp.time_slices(used.lazy(), width).group_by(keys).agg(pl.len().cast(pl.Float64)).sort(keys).collect()
    counts = found.group_by(keys).agg(pl.col("counts").sum()).sort(keys)
    assert counts.select(keys).equals(expected.select(keys))
    np.testing.assert_allclose(counts["counts"], expected["len"])
    assert summary["slices"] == expected["time_slice"].n_unique()
    assert "run" not in found.columns
    times = found.select("time_slice", "real_time_s").unique()
    assert found["live_time_s"].null_count() == found.height
    if width == "100us":
        assert times["real_time_s"].sum() == pytest.approx(summary["real_time_s"], rel=1e-9)
    if not bins:
        whole = sliced([])[1]
        over = gp.add_spectra(found.drop("real_time_s", "live_time_s"), by=["board", "channel"]).collect()
        assert over.select("channel", "adc", "counts").rows() == whole.select("channel", "adc", "counts").rows()


def test_slices_of_several_runs_go_by_their_own_clocks(hits: pl.DataFrame) -> None:
    write_hits(Path("second.root"), hits[:1000])

    done = gammapolars("spectrum", "run.root", "second.root", "--apart", "--slice", "1h", "-o", "s.csv")

    found = pl.read_csv("s.csv").group_by("run").agg(pl.col("counts").sum(), pl.col("time_slice").max())
    used = [(part["flags"] & REJECTED == 0).sum() for part in (hits, hits[:1000])]
    assert found.sort("run").rows() == [(1, used[0], 0), (2, used[1], 0)]
    assert "2 slices of 3600 s" in done.out


def test_a_slice_that_would_outgrow_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gammapolars.analysis.accumulators.spectra.MAX_BINS", 1000)

    refused = gammapolars("spectrum", "run.root", "--slice", "1us", "-o", "s.parquet")

    assert refused.code == 2
    assert "slices of 1 us make spectra of more than" in refused.error
    assert files_in(Path()) == ["d.toml", "run.root"]


def test_counts_per_second_of_real_time_are_named_as_such() -> None:
    summary, found = sliced(["--per-second"])
    plain = sliced([])[1]

    seconds = summary["real_time_s"]
    np.testing.assert_allclose(found["counts"], plain["counts"] / seconds)
    np.testing.assert_allclose(found["variance"], plain["counts"] / seconds**2)
    (warning,) = [text for text in summary["warnings"] if "per second" in text]
    assert warning.startswith("the live time of left, right, 0/2 is unknown: counts are per second of real time")
    assert summary["spectra"][0]["counts"] == plain.filter(channel=0)["counts"].sum()


@pytest.mark.parametrize("slices", [None, "100us"])
def test_counts_per_second_of_live_time(
    hits: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, slices: str | None
) -> None:
    folder = Path("DAQ") / "RAW"
    folder.mkdir(parents=True)
    write_hits(folder / "SDataR_run.root", hits)
    span_s = (hits["timestamp_ps"][-1] - hits["timestamp_ps"][0]) / 1e12
    channels = tuple(ChannelTimes(channel, span_s * 1.02, span_s * 1.02 / 2) for channel in (0, 1))
    monkeypatch.setattr(io_run, "live_times", lambda folder: LiveTimes(folder, channels))
    Path("DAQ/run.info").write_text("id=x\ntime.start=2025/03/18 12:11:24.131-0400\n")

    sliced = ["--slice", slices] if slices else []
    summary = json.loads(gammapolars("spectrum", "DAQ", "-o", "s.parquet", "--per-second", *sliced, "--json").out)

    found = pl.read_parquet("s.parquet")
    known = found.filter(pl.col("channel") < 2)
    assert found.filter(channel=2)["live_time_s"].null_count() == found.filter(channel=2).height
    np.testing.assert_allclose(known["live_time_s"], known["real_time_s"] / 2)
    seconds = found.select(pl.coalesce("live_time_s", "real_time_s")).to_series()
    assert (found["counts"] * seconds).sum() == pytest.approx(summary["hits_used"])
    np.testing.assert_allclose(found["variance"], found["counts"] / seconds)
    assert any("the live time of 0/2 is unknown:" in warning for warning in summary["warnings"])


def test_counts_per_second_need_time_that_passed(hits: pl.DataFrame) -> None:
    write_hits(Path("one.root"), hits[:1])

    assert (
        "the first and last hit of the run have the same time"
        in gammapolars("spectrum", "one.root", "--per-second", "-o", "s.csv").error
    )


@pytest.mark.parametrize("suffix", [*SPECTRA, ".png"])
@pytest.mark.parametrize("words", [["--slice", "1s"], ["--per-second"]])
def test_formats_without_a_place_for_it_say_so(suffix: str, words: list[str]) -> None:
    done = gammapolars("spectrum", "run.root", *words, "-o", f"s{suffix}")

    if suffix in ((".csv", ".parquet") if "--slice" in words else (".csv", ".parquet", ".root")):
        assert done.code == 0
        return
    assert done.code == 2
    assert re.search(r"this format stores .*: write .parquet", done.error)
    assert files_in(Path()) == ["d.toml", "run.root"]


def test_a_file_of_slices_is_not_read_as_one_spectrum() -> None:
    sliced(["--slice", "500us"])

    with pytest.raises(gp.InputError, match="contains bins of adc twice"):
        gp.read_spectrum("s.parquet", "b0_ch1")


# Matrices.


@pytest.mark.parametrize("suffix", MATRICES)
def test_the_matrix_holds_the_pairs(suffix: str) -> None:
    words = ["--window", "1us", "--detectors", "d.toml", "--bin-kev", "8"]

    summary = json.loads(gammapolars("matrix", "run.root", *words, "-o", f"m{suffix}", "--json").out)

    first = summary["bins"][0]["channel_0"]
    found = gp.scan_matrix(f"m{suffix}", energy=(first, 8.0)).collect()
    between = [
        row["pairs"] for row in summary["pairs_by_detectors"] if row["name_a"] == "left" and row["name_b"] == "right"
    ]
    on_diagonal = found.filter(pl.col("energy_kev_x") == pl.col("energy_kev_y"))["counts"].sum()
    assert between[0] > 100
    assert found["counts"].sum() == 2 * between[0] - on_diagonal == summary["counts"]
    mirrored = found.select(energy_kev_x="energy_kev_y", energy_kev_y="energy_kev_x", counts="counts")
    keys = ["energy_kev_x", "energy_kev_y"]
    assert mirrored.sort(keys).equals(found.select(*keys, "counts").sort(keys))


def test_the_matrix_is_that_of_the_library() -> None:
    gammapolars("matrix", "run.root", "--window", "1us", "--detectors", "d.toml", "--bin-kev", "100", "-o", "m.parquet")
    detectors = gp.load_detectors("d.toml")
    pairs = gp.pairs(gp.scan("run.root"), "1us").pipe(gp.calibrate, detectors)
    expected = gp.matrix(pairs, bin_kev=100).collect()

    found = gp.scan_matrix("m.parquet").collect()

    # Noise of half an adc moves few hits over the edge of a wide bin.
    both = found.join(expected, on=["energy_kev_x", "energy_kev_y"], how="full", coalesce=True).fill_null(0.0)
    moved = (both["counts"] - both["counts_right"]).abs().sum()
    assert float(moved) < 0.02 * float(expected["counts"].sum())


def test_a_matrix_without_calibration_has_bins_of_adc() -> None:
    summary = json.loads(gammapolars("matrix", "run.root", "--window", "1us", "-o", "m.m4b", "--json").out)

    found = gp.scan_matrix("m.m4b").collect()
    assert [(axis["quantity"], axis["unit"], axis["width"]) for axis in summary["bins"]] == [("adc", "adc", 16)] * 2
    assert found["counts"].sum() == summary["counts"]
    assert (found["adc_x"] <= 1024).all()


def test_a_run_without_hits_is_no_error_but_a_warning(hits: pl.DataFrame) -> None:
    write_hits(Path("none.root"), hits.clear())

    for command, output in (("spectrum", "s.csv"), ("spectrum", "s.root"), ("matrix", "m.m4b"), ("matrix", "m.root")):
        done = gammapolars(command, "none.root", "-o", output)

        assert done.code == 0, done.err
        assert "Warning: the run contains no hits" in done.out
    refused = gammapolars("spectrum", "none.root", "-o", "s.spe").error
    assert refused == "Error: s.spe: the spectrum has no bins: write .root, .csv or .parquet"


# Figures, provenance, and what is refused.


@pytest.mark.usefixtures("built_figures")
@pytest.mark.parametrize("command", ["spectrum", "matrix"])
def test_figures(command: str) -> None:
    done = gammapolars(command, "run.root", "--detectors", "d.toml", "-o", "figure.png")

    assert done.code == 0, done.err
    assert Path("figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", ["spectrum", "matrix"])
@pytest.mark.parametrize("suffix", [".parquet", ".root"])
def test_outputs_tell_where_they_come_from(command: str, suffix: str) -> None:
    gammapolars(command, "run.root", "-o", f"out{suffix}")

    origin = provenance.of_file(Path(f"out{suffix}"))
    assert origin is not None
    assert origin["inputs"][0]["name"] == "run.root"
    assert origin["summary"]["hits_read"] == 6000


def test_uproot_reads_the_spectra(hits: pl.DataFrame) -> None:
    gammapolars("spectrum", "run.root", "--detectors", "d.toml", "-o", "s.root")

    with uproot.open("s.root") as file:
        for channel in range(3):
            histogram = file[f"b0_ch{channel}"]
            assert histogram.values().sum() == sum(counted(hits, channel).values())
            assert histogram.axis().member("fTitle") == ("adc" if channel == 2 else "energy (keV)")


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["spectrum", "run.root", "-o", "s.cnf"], 2, r"unknown suffix '.cnf': spectra are written to .spe.*\.png"),
        (["matrix", "run.root", "-o", "m.spe"], 2, r"unknown suffix '.spe': matrices are written to .mat.*\.png"),
        (["spectrum", "run.root", "-o", "s.csv", "--bin-kev", "1"], 2, r"energy bins need a calibration"),
        (["matrix", "run.root", "-o", "m.mat", "--detectors", "d.toml", "--bin-kev", "0"], 2, r"wider than 0 keV"),
        (["spectrum", "run.root", "-o", "s.spe", "--format", "gf3"], 2, r"unknown format 'gf3'"),
        (["spectrum", "run.root", "-o", "none/s.spe"], 1, r"there is no folder none"),
        (["spectrum", "run.root", "-o", "old.csv"], 1, r"old\.csv: already exists"),
        (["matrix", "run.root", "-o", "old.csv"], 1, r"old\.csv: already exists"),
        (["matrix", "run.root", "--detectors", "d.toml", "-o", "m.mat", "--bin-kev", "0.1"], 1, r"4,096 a side"),
    ],
)
def test_what_is_refused(words: list[str], code: int, reason: str) -> None:
    Path("old.csv").write_text("precious")

    done = gammapolars(*words)

    assert done.code == code
    assert re.search(reason, done.error)
    assert files_in(Path()) == ["d.toml", "old.csv", "run.root"]
    assert Path("old.csv").read_text() == "precious"
