"""The commands `efficiency` and `activity`: files of peaks in, detectors.toml and tables out."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from tests.commandline import files_in, gammapolars
from tests.sources import LINES, expected_counts, peak_table, true_efficiency, write_lines

DETECTORS = """\
[[detector]]
name = "left"
channel = 3
energy = [0.0, 0.5]
fwhm = [4.0]

[[source]]
name = "europium"
nuclide = "Eu-152"
activity_bq = 37000
activity_bq_unc = 500
reference_date = 2020-01-01
half_life_s = 4.27e8

[[source]]
nuclide = "Ba-133"
activity_bq = 20000
activity_bq_unc = 300
reference_date = 2020-01-01
half_life_s = 3.32e8
"""

LIVE_S = 300.0


def peaks_of(nuclide: str, activity_bq: float, seed: int, live_s: float = LIVE_S) -> pl.DataFrame:
    lines = LINES[nuclide]
    counts = expected_counts(lines, activity_bq * live_s)
    return peak_table(lines, counts, 0.2 * counts + 10, np.random.default_rng(seed))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Peaks of two sources, their lines and detectors.toml, in the folder in which tests work."""
    monkeypatch.chdir(tmp_path)
    Path("d.toml").write_text(DETECTORS)
    write_lines(Path("lines.csv"))
    peaks_of("Eu-152", 37_000, 1).write_csv("eu.csv")
    peaks_of("Ba-133", 20_000, 2).write_parquet("ba.parquet")
    return tmp_path


OPTIONS = ("--detectors", "d.toml", "--lines", "lines.csv", "--live-time", "300", "--started", "2020-01-01")


def fitted() -> None:
    done = gammapolars(
        *("efficiency", "eu.csv", "ba.parquet", *OPTIONS, "-o", "e.toml"),
        *("--source", "europium", "--source", "Ba-133"),
    )
    assert done.code == 0, done.err


def parsed(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
def test_efficiencies_are_fitted_to_two_sources_and_kept_in_detectors_toml() -> None:
    done = gammapolars(
        *("efficiency", "eu.csv", "ba.parquet", *OPTIONS, "-o", "e.toml", "--figure", "e.png", "--json"),
        *("--source", "europium", "--source", "Ba-133"),
    )

    assert done.code == 0, done.err
    summary = parsed(done.out)
    (fit,) = summary["detectors"]
    assert (fit["name"], fit["channel"], len(fit["points"])) == ("left", 3, 18)
    assert summary["outputs"] == ["e.toml", "e.png"]
    assert Path("e.png").read_bytes().startswith(b"\x89PNG")
    known = gp.load_detectors("e.toml")
    curve = gp.EfficiencyCurve.of(known.named("left"))
    value, unc = curve.at(661.657)
    assert abs(value - float(true_efficiency(np.array([661.657]))[0])) < 4 * unc
    assert known.named("left").energy == (0.0, 0.5)
    assert [source.name for source in known.sources] == ["europium", "Ba-133"]
    assert curve.energy_range_kev == (80.9979, 1408.013)


def test_the_text_shows_the_residuals_and_the_warnings() -> None:
    done = gammapolars("efficiency", "eu.csv", *OPTIONS, "-o", "e.toml", "--source", "europium", "--order", "3")

    assert done.code == 0, done.err
    assert done.out.startswith("left: order 3, 121.8 to 1408.0 keV, χ²/ndf = ")
    assert done.out.count("\n  europium") == 13
    assert "Warning: left: 'europium' emits several photons" in done.out
    assert done.out.endswith("e.toml: written\n")


@pytest.mark.parametrize(("points", "order"), [(2, 1), (3, 2), (4, 3)])
def test_residuals_that_are_zero_by_construction_are_not_shown(points: int, order: int) -> None:
    peaks_of("Eu-152", 37_000, 1).head(points).write_csv("few.csv")
    words = ["efficiency", "few.csv", *OPTIONS, "-o", "e.toml", "--overwrite", "--source", "europium"]

    done = gammapolars(*words, "--order", str(order))
    (fit,) = parsed(gammapolars(*words, "--order", str(order), "--json").out)["detectors"]

    assert "no degrees of freedom: nothing tests the fit" in done.out
    assert "0.00 %" not in done.out
    assert (fit["ndf"], fit["chi2"]) == (0, None)
    assert {point["residual_percent"] for point in fit["points"]} == {None}


def test_a_wrong_energy_calibration_is_suspected() -> None:
    shifted = pl.when(pl.col("centroid_kev") > 1000).then(0.6 * pl.col("fwhm_kev")).otherwise(0.0)
    peaks_of("Eu-152", 37_000, 1).with_columns(pl.col("centroid_kev") + shifted).write_csv("off.csv")

    done = gammapolars("efficiency", "off.csv", *OPTIONS, "-o", "e.toml", "--source", "europium")

    said = (
        "Warning: left: 'europium' has no usable peak at 1085.8, 1112.1, 1408.0 keV: is the energy calibration right?"
    )
    assert said in done.out


def test_detectors_toml_is_not_replaced_unasked() -> None:
    before = Path("d.toml").read_text()
    words = ("efficiency", "eu.csv", *OPTIONS, "-o", "d.toml", "--source", "europium")

    assert "--overwrite" in gammapolars(*words).error
    assert Path("d.toml").read_text() == before

    assert gammapolars(*words, "--overwrite").code == 0
    assert gp.load_detectors("d.toml").named("left").efficiency is not None
    after = Path("d.toml").read_text()
    assert [line for line in after.splitlines() if not line.startswith("efficiency")] == before.splitlines()


@pytest.mark.usefixtures("built_figures")
def test_each_detector_of_a_table_has_its_own_fit_and_figure() -> None:
    peaks = peaks_of("Eu-152", 37_000, 1)
    few = peaks.head(2).with_columns(channel=pl.lit(5, pl.UInt16))
    pl.concat([peaks, peaks.with_columns(channel=pl.lit(4, pl.UInt16)), few]).write_csv("all.csv")

    done = gammapolars(
        *("efficiency", "all.csv", *OPTIONS, "-o", "e.toml", "--source", "europium", "--figure", "e.png", "--json")
    )

    summary = parsed(done.out)
    assert [fit["name"] for fit in summary["detectors"]] == ["left", "0/4"]
    assert any(
        warning.startswith("0/5: an efficiency needs lines at 3 or more energies") for warning in summary["warnings"]
    )
    assert {"e_b0_ch3.png", "e_b0_ch4.png"} < set(files_in(Path()))


def test_a_table_that_does_not_tell_its_detector_is_that_of_the_only_one() -> None:
    peaks_of("Eu-152", 37_000, 1).drop("board", "channel").write_csv("plain.csv")
    words = ("efficiency", "plain.csv", *OPTIONS, "-o", "e.toml", "--source", "europium")

    assert gammapolars(*words).code == 0
    assert gp.load_detectors("e.toml").named("left").efficiency is not None

    Path("d.toml").write_text(DETECTORS + "[[detector]]\nchannel = 9\n")
    assert "do not give their detector" in gammapolars(*words, "--overwrite").error


def test_the_activity_of_a_sample_is_told_with_its_budget() -> None:
    fitted()
    peaks_of("Cs-137", 500, 3, 3600.0).write_csv("sample.csv")

    done = gammapolars(
        *("activity", "sample.csv", "--nuclide", "Cs-137", "--detectors", "e.toml", "--lines", "lines.csv"),
        *("--live-time", "3600", "--json", "-o", "a.csv"),
    )

    assert done.code == 0, done.err
    (row,) = parsed(done.out)["activities"]
    assert abs(row["activity_bq"] - 500) < 4 * row["activity_bq_unc"]
    assert row["activity_bq_unc"] == pytest.approx(
        math.hypot(row["counting_bq_unc"], row["intensity_bq_unc"], row["efficiency_bq_unc"])
    )
    assert row["detected"] is True
    table = pl.read_csv("a.csv")
    assert table["activity_bq"][0] == pytest.approx(row["activity_bq"])
    again = gammapolars("activity", "sample.csv", "--nuclide", "Cs-137", "--live-time", "9", "-o", "a.csv")
    assert "a.csv: already exists" in again.error


def test_an_activity_is_told_for_a_date() -> None:
    fitted()
    peaks_of("Cs-137", 500, 3, 3600.0).write_csv("sample.csv")
    words = (
        *("activity", "sample.csv", "--nuclide", "Cs-137", "--detectors", "e.toml", "--lines", "lines.csv"),
        *("--live-time", "3600", "--json"),
    )

    (now,) = parsed(gammapolars(*words).out)["activities"]
    (then,) = parsed(gammapolars(*words, "--started", "2024-05-01T14:30", "--at", "1994-05-01").out)["activities"]

    assert then["activity_bq"] / now["activity_bq"] == pytest.approx(2 ** (30 / 30.05), rel=2e-4)
    assert then["at"] == "1994-05-01"
    assert "give started" in gammapolars(*words, "--at", "1994-05-01").error


def test_what_has_no_peak_gets_a_limit_from_the_spectrum() -> None:
    fitted()
    adc = np.arange(4000)
    counts = np.random.default_rng(5).poisson(20.0, 4000).astype(np.float64)
    gp.save_spectrum(pl.DataFrame({"adc": adc.astype(np.float64), "counts": counts, "variance": counts}), "s.spe")
    words = (
        *("activity", "eu.csv", "--nuclide", "Cs-137", "--nuclide", "Eu-152", "--detectors", "e.toml"),
        *("--lines", "lines.csv", "--live-time", "300"),
    )

    without = gammapolars(*words)
    assert without.code == 0, without.err
    assert "Warning: left: no line of Cs-137 has a peak" in without.out

    done = gammapolars(*words, "--spectrum", "s.spe")
    assert done.code == 0, done.err
    caesium, europium = done.out.splitlines()[1:3]
    assert "left: Cs-137" in caesium
    assert "<" in caesium
    assert "left: Eu-152" in europium
    assert "±" in europium


NO_PEAKS = "board,channel,centroid_kev,centroid_kev_unc,fwhm_kev,area,area_unc,background,significance,status,region\n"


def test_a_table_without_a_peak_gives_limits() -> None:
    """Of 20 counts a channel of half a keV, 200 lie within 2.5 FWHM, here of 2 keV, and as many at both sides."""
    Path("none.csv").write_text(NO_PEAKS)
    detector = DETECTORS.split("[[source]]", maxsplit=1)[0]
    Path("e.toml").write_text(
        detector + "efficiency = [-4.605170186, 0.0]\n"
        "efficiency_covariance = [[1e-8, 0.0], [0.0, 1e-8]]\nefficiency_range = [50.0, 2000.0]\n"
    )
    counts = pl.Series(np.random.default_rng(5).poisson(20.0, 4000)).cast(pl.Float64)
    pl.select(adc=pl.int_range(4000), counts=counts).write_csv("s.csv")
    words = ("activity", "none.csv", "--nuclide", "Cs-137", "--detectors", "e.toml", "--live-time", "300", "--json")

    (row,) = parsed(gammapolars(*words, "--spectrum", "s.csv").out)["activities"]

    assert not row["detected"]
    per_bq = 0.01 * 0.8499 * 300
    scatter = math.sqrt(200 * (1 + 2.5 / 2.5))
    assert 1.0 * scatter < row["upper_limit_bq"] * per_bq < 4.0 * scatter
    assert "an upper limit needs the spectrum" in gammapolars(*words).error


BAD_CALLS = {
    "no source named": (
        ("efficiency", "eu.csv", *OPTIONS, "-o", "e.toml"),
        "give the source of each file with --source",
    ),
    "unknown source": (
        ("efficiency", "eu.csv", *OPTIONS, "-o", "e.toml", "--source", "Na-22"),
        "no source is called 'Na-22'",
    ),
    "sources too few": (
        ("efficiency", "eu.csv", "ba.parquet", *OPTIONS, "-o", "e.toml", "--source", "europium"),
        "--source is given 1 times for 2 files",
    ),
    "times too many": (
        ("efficiency", "eu.csv", *OPTIONS, "--live-time", "9", "-o", "e.toml", "--source", "europium"),
        "--live-time is given 2 times for 1 files",
    ),
    "no date": (
        ("efficiency", "eu.csv", *OPTIONS[:-1], "May", "-o", "e.toml", "--source", "europium"),
        "'May' is not a date: write 2024-05-01",
    ),
    "no such file": (
        ("efficiency", "nowhere.csv", *OPTIONS, "-o", "e.toml", "--source", "europium"),
        "nowhere.csv: no such file",
    ),
    "no peaks": (
        ("efficiency", "lines.csv", *OPTIONS, "-o", "e.toml", "--source", "europium"),
        "lines.csv: is not a table of peaks in keV: it has no column 'centroid_kev'",
    ),
    "another suffix": (
        ("efficiency", "d.toml", *OPTIONS, "-o", "e.toml", "--source", "europium"),
        "d.toml: a table of peaks in keV ends in .csv or .parquet",
    ),
    "a figure of another kind": (
        ("efficiency", "eu.csv", *OPTIONS, "-o", "e.toml", "--source", "europium", "--figure", "e.jpg"),
        "e.jpg: unknown suffix '.jpg': figures are written to .png, .pdf, .svg",
    ),
    "no efficiency": (
        ("activity", "eu.csv", "--nuclide", "Cs-137", "--detectors", "d.toml", "--live-time", "3"),
        "none of the detectors with these peaks has an efficiency",
    ),
    "no lines": (
        *(("efficiency", "eu.csv", *OPTIONS, "-o", "e.toml", "--source", "europium", "--lines", "eu.csv"),),
        "eu.csv: is not a table of gamma lines",
    ),
}


@pytest.mark.parametrize(("words", "said"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_what_is_wrong_is_told_in_one_line(words: tuple[str, ...], said: str) -> None:
    before = files_in(Path())

    done = gammapolars(*words)

    assert done.code in (1, 2)
    assert said in done.error
    assert files_in(Path()) == before


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff", b"centroid_kev,fwhm_kev,area,area_unc\n1,x,3,4\n", b"PAR1 and no more"]
)
@pytest.mark.parametrize("name", ["bad.csv", "bad.parquet"])
def test_damaged_tables_are_refused(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)

    done = gammapolars("efficiency", name, *OPTIONS, "-o", "e.toml", "--source", "europium")

    assert done.code == 1
    assert done.error.startswith(f"Error: {name}")


def test_numbers_that_are_not_finite_are_refused() -> None:
    Path("bad.csv").write_text("centroid_kev,fwhm_kev,area,area_unc\n500,1,inf,4\n")

    done = gammapolars("efficiency", "bad.csv", *OPTIONS, "-o", "e.toml", "--source", "europium")

    assert "column 'area' contains values that are not finite" in done.error
