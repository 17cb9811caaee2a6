"""Every number on the page is the one that the commands print of the same run."""

import html
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gammapolars.core.digits import expected_counts, plus_minus
from gammapolars.identification import kind_text
from gammapolars.report.numbers import MINUS
from tests.commandline import REPOSITORY, gammapolars

DETECTORS = """
[[detector]]
name = "A"
board = 0
channel = 1
energy = [0.0, 0.1]
fwhm = [0.6, 0.002]
[[detector]]
name = "B"
board = 0
channel = 2
energy = [0.2, 0.11]
fwhm = [0.6, 0.002]
time_offset_ps = 40000
"""


def summary(*words: str | Path) -> dict[str, Any]:
    outcome = gammapolars(*words, "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def simulated(folder: Path, name: str, hits: int, seed: int, activity: str = "20kBq") -> Path:
    detectors = folder / "detectors.toml"
    detectors.write_text(DETECTORS)
    words = ("--source", f"Co-60={activity}", "--detectors", detectors, "--hits", str(hits), "--seed", str(seed))
    assert gammapolars("simulate", *words, "-o", folder / name).code == 0
    return folder / name


def text_of(page: Path) -> str:
    """The text of a page, tags left out, in single spaces."""
    plain = re.sub(r"<style>.*?</style>|<script.*?</script>|<[^>]*>", " ", page.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(plain).split())


def random(row: dict[str, Any]) -> str:
    return expected_counts(row["chance_pairs_expected"], row["chance_pairs_expected_unc"])


def both(row: dict[str, Any], name: str, factor: float = 1.0) -> str:
    """A value and its uncertainty as the commands print them, with a minus sign."""
    return plus_minus(factor * row[name], factor * row[f"{name}_unc"]).replace("-", MINUS)


def report(folder: Path, *runs: Path) -> str:
    detectors, output = folder / "detectors.toml", folder / f"report of {len(runs)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gammapolars.report.drawing.png", lambda plot, **_: b"\x89PNG")
        assert gammapolars("report", *runs, "--apart", "--detectors", detectors, "-o", output).code == 0
    return text_of(output / "index.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("numbers")


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return simulated(folder, "run.root", 30_000, 7)


@pytest.fixture(scope="module")
def page(folder: Path, run: Path) -> str:
    return report(folder, run)


def test_rates_and_live_times_are_those_of_rates(folder: Path, run: Path, page: str) -> None:
    found = summary("rates", run, "--detectors", folder / "detectors.toml")
    for row in found["detectors"]:
        cells = [row["name"], f"{row['board']}/{row['channel']}", f"{row['hits']:,}"]
        rates = [both(row, "rate_cps"), both(row, "true_rate_cps"), both(row, "live_fraction", 100)]
        rates.append(both(row, "dead_time_ps", 1e-6))
        assert re.search(rf"{re.escape(' '.join(cells))} [\d,]+ {re.escape(' '.join(rates))} keV", page)
        assert f"{rates[0]} counts/s in {row['name']}" in page


def test_hits_pairs_and_random_coincidences_are_those_of_coincidences(folder: Path, run: Path, page: str) -> None:
    found = summary("coincidences", run, "--detectors", folder / "detectors.toml", "-o", folder / "pairs.parquet")
    (row,) = found["pairs_by_detectors"]
    assert f"{found['hits_read']:,} hits from 2 detectors in 1 file, over {found['real_time_s']:,.6g} s. " in page
    assert f"Of these, {found['hits_used']:,} (" in page
    assert f"{found['pairs']:,} pairs within ±250 ns, of which {random(found)} (" in page
    assert f"A – B {row['pairs']:,} {random(row)} " in page
    if (found["lost_pairs"] or 0) >= 1:
        assert f"Dead time cost another {both(found, 'lost_pairs')}." in page


def test_peaks_are_those_of_peaks(folder: Path, run: Path, page: str) -> None:
    words = ("peaks", run, "--detectors", folder / "detectors.toml", "-o", folder / "peaks.csv")
    found = summary(*words)["peaks"]
    names = {1: "A", 2: "B"}
    assert len(found) >= 4
    for peak in found:
        cells = (both(peak, "centroid_kev"), both(peak, "fwhm_kev"), both(peak, "area"), f"{peak['significance']:,.1f}")
        assert f"{names[peak['channel']]} {' '.join(cells)} {kind_text(peak)}" in page
    assert "Co-60: 1,173.2 keV in 2 of 2 detectors" in page


@pytest.mark.slow
def test_peaks_of_gains_that_drift_are_those_of_peaks(folder: Path, run: Path, tmp_path: Path) -> None:
    steady = summary("peaks", run, "--detectors", folder / "detectors.toml", "-o", tmp_path / "steady.csv")["peaks"]
    rows = {"run": 1, "board": 0, "channel": [1, 1], "timestamp_ps": [0, 10**13], "gain_factor": [1.0, 1.1]}
    numbers = dict.fromkeys(("run", "board", "channel"), pl.UInt16)
    pl.DataFrame(rows, schema_overrides=numbers).with_columns(gain_factor_unc=0.0).write_parquet(
        tmp_path / "drift.parquet"
    )
    (tmp_path / "detectors.toml").write_text(f'drift = "drift.parquet"\n{DETECTORS}')

    page = report(tmp_path, run)
    found = summary("peaks", run, "--detectors", tmp_path / "detectors.toml", "-o", tmp_path / "peaks.csv")["peaks"]

    def of(table: list[dict[str, Any]], channel: int) -> list[dict[str, Any]]:
        return [peak for peak in table if peak["channel"] == channel]

    assert of(found, 2) == of(steady, 2)
    assert [peak["area"] for peak in of(found, 1)] != [peak["area"] for peak in of(steady, 1)]
    for peak in found:
        name = "AB"[peak["channel"] - 1]
        assert f"{name} {both(peak, 'centroid_kev')} {both(peak, 'fwhm_kev')} {both(peak, 'area')} " in page


def test_prompt_peaks_are_those_of_align(folder: Path, run: Path, page: str) -> None:
    found = summary("align", run, "--detectors", folder / "detectors.toml", "-o", folder / "aligned.toml")
    (pair,) = found["detector_pairs"]
    offset = pair["position_ps"] - 40_000
    width = {"fwhm": pair["fwhm_before_ps"] / 1000, "fwhm_unc": pair["fwhm_before_ps_unc"] / 1000}
    place = {"at": offset / 1000, "at_unc": pair["position_ps_unc"] / 1000}
    assert f"is at {both(place, 'at')} ns, with a FWHM of {both(width, 'fwhm')} ns." in page


@pytest.mark.slow
def test_runs_are_compared_with_the_numbers_of_each_alone(folder: Path, run: Path) -> None:
    other = simulated(folder, "other.root", 15_000, 8, "40kBq")

    page = report(folder, run, other)

    assert page.startswith("2 runs: run.root and other.root 2 runs: run.root and other.root ")
    assert "Runs compared" in page
    detectors = ("--detectors", folder / "detectors.toml")
    rates = []
    for one in (run, other):
        alone = summary("coincidences", one, *detectors, "-o", folder / "pairs.parquet", "--overwrite")
        assert re.search(
            rf"{one.name} – {alone['real_time_s']:,.6g} – – {alone['hits_read']:,} {alone['hits_used']:,} "
            rf"{alone['pairs']:,} {re.escape(random(alone))} [\d,.]+ ± [\d.]+ Co-60 ",
            page,
        )
        row = summary("rates", one, *detectors)["detectors"][0]
        rates.append(both(row, "rate_cps"))
        assert f"A {one.name} {both(row, 'rate_cps')} {both(row, 'true_rate_cps')} " in page
    assert f"A from {rates[0]} counts/s in run.root to {rates[1]} counts/s in other.root (χ²/ndf = " in page
    words = (*detectors, "--apart", "-o", folder / "pairs.parquet", "--overwrite")
    together = summary("coincidences", run, other, *words)
    assert f"{together['pairs']:,} pairs within ±250 ns, of which {random(together)} (" in page
    assert "All runs together" in page


@pytest.mark.slow
def test_the_page_of_the_example_run_with_its_figures_is_small(tmp_path: Path) -> None:
    data = REPOSITORY / "data"
    run = (data / "co60-four-hpge.root", "--detectors", data / "detectors.toml")
    sizes = {}
    for option in ("--live", "--no-live"):
        assert gammapolars("report", *run, option, "-o", tmp_path / option).code == 0
        sizes[option] = (tmp_path / option / "index.html").stat().st_size
    assert sizes["--no-live"] < 1_700_000
    assert sizes["--live"] < 2_000_000
