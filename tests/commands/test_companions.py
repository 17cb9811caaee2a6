"""What one pass writes beside the pairs is what passes of their own find."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import gammapolars as gp
from tests.commandline import files_in, gammapolars

REPOSITORY = Path(__file__).parents[2]
RUN = REPOSITORY / "data" / "co60-four-hpge.root"
DETECTORS = REPOSITORY / "data" / "detectors.toml"


def summary_of(*words: str | Path) -> dict[str, Any]:
    done = gammapolars(*words, "--detectors", DETECTORS, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that one pass can write, beside the pairs in random windows too."""
    folder = tmp_path_factory.mktemp("one-pass")
    names = {"matrix": "m.parquet", "spectra": "s.parquet", "rates": "r.parquet", "time-differences": "d.parquet"}
    options = [word for name, file in names.items() for word in (f"--{name}", folder / file)]
    summary = summary_of(
        "coincidences", RUN, "-o", folder / "p.parquet", "--window", "100ns", *options, "--bin-kev", "4"
    )
    assert summary["outputs"] == [str(folder / name) for name in ("p.parquet", *names.values())]
    return folder


def test_the_matrix_is_that_of_its_own_command(folder: Path) -> None:
    summary_of("matrix", RUN, "-o", folder / "own.parquet", "--window", "100ns", "--bin-kev", "4")

    assert pl.read_parquet(folder / "m.parquet").equals(pl.read_parquet(folder / "own.parquet"))


def test_spectra_hold_all_used_hits(folder: Path) -> None:
    spectra = pl.read_parquet(folder / "s.parquet")

    hits = gp.scan(RUN).filter(~gp.has_any(0x8488)).collect()
    counted = hits.group_by("board", "channel", pl.col("adc").cast(pl.Float64)).agg(counts=pl.len().cast(pl.Float64))
    keys = ["board", "channel", "adc"]
    assert spectra.select(*keys, "counts").sort(keys).equals(counted.sort(keys))
    assert spectra["name"].unique().sort().to_list()[0].startswith("HPGe")


def test_time_differences_hold_all_pairs(folder: Path) -> None:
    pairs, histogram = pl.read_parquet(folder / "p.parquet"), pl.read_parquet(folder / "d.parquet")

    assert histogram["counts"].sum() == pairs.height
    assert histogram["dt_ns"].abs().max() <= 100 + histogram["width_ns"][0]


def test_rates_hold_all_hits_but_those_of_the_last_part(folder: Path) -> None:
    rates = pl.read_parquet(folder / "r.parquet")

    assert 0.95 < rates["counts"].sum() / gp.scan(RUN).select(pl.len()).collect().item() <= 1
    assert (rates["rate_cps"] * rates["width_s"] - rates["counts"]).abs().max() < 1e-6  # type: ignore[operator]


def test_bins_between_prompt_and_random_windows_are_left_out(tmp_path: Path) -> None:
    words: list[str | Path] = ["-o", tmp_path / "p.csv", "--window", "50ns", "--random", "500ns:1us"]

    summary_of("coincidences", RUN, *words, "--time-differences", tmp_path / "d.csv")

    histogram = pl.read_csv(tmp_path / "d.csv")
    away = histogram["dt_ns"].abs()
    width = histogram["width_ns"][0]
    assert not away.is_between(50 + width, 500 - width).any()
    assert histogram["counts"].sum() == pl.read_csv(tmp_path / "p.csv").height


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--matrix", "m.txt"], "matrices are written to"),
        (["--spectra", "s.txt"], "unknown suffix"),
        (["--rates", "p.parquet"], "two outputs have this name"),
        (["--rates", "rates.root"], "a ROOT tree stores only numbers"),
        (["--bin-kev", "2"], "write the matrix with --matrix"),
        (["--matrix", "m.parquet", "--bin-kev", "0"], "wider than 0 keV"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)

    done = gammapolars("coincidences", RUN, "-o", "p.parquet", *options)

    assert done.code == 2
    assert message in done.error
    assert files_in(tmp_path) == []


def test_an_output_that_exists_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "s.parquet"
    kept.write_text("mine")

    done = gammapolars("coincidences", RUN, "-o", tmp_path / "p.parquet", "--spectra", kept)

    assert done.code == 1
    assert "s.parquet" in done.error
    assert kept.read_text() == "mine"
    assert files_in(tmp_path) == ["s.parquet"]
