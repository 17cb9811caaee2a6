"""Files that version 0.1 wrote are read: version_0_1/README.md says how they were made."""

import json
from pathlib import Path

import pytest

import gammapolars as gp
from gammapolars.io.contents import kind_of
from gammapolars.io.pair_files import open_pairs
from gammapolars.io.spectrum_files import read_spectra
from tests.commandline import gammapolars

FOLDER = Path(__file__).parent / "version_0_1"


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv", ".root"])
def test_pairs(suffix: str) -> None:
    pairs = gp.scan_pairs(FOLDER / f"pairs{suffix}").collect()

    assert (pairs.height, pairs["adc_a"].sum(), pairs["dt_ps"].sum()) == (131, 955_576, 78_980_000)
    assert pairs["weight"].sum() == pytest.approx(88.1791044776)
    assert pairs.filter(region="random").height == 38
    assert kind_of(str(FOLDER / f"pairs{suffix}")) == "pairs"


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".root"])
def test_what_pairs_carry(suffix: str) -> None:
    files = open_pairs([FOLDER / f"pairs{suffix}"])

    assert files
    assert files.window == (-250_000, 250_000)
    assert [detector.name for detector in files.detectors] == ["HPGe-1", "HPGe-2", "HPGe-3", "HPGe-4"]


def test_pairs_in_the_layout_of_other_programs() -> None:
    pairs = gp.scan_pairs(FOLDER / "compass_pairs.root").collect()

    assert (pairs.height, pairs["adc_a"].sum()) == (93, 681_642)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".root"])
def test_spectra(suffix: str) -> None:
    spectra = read_spectra(FOLDER / f"spectra{suffix}")

    assert {key: one.table["counts"].sum() for key, one in spectra.items()} == {
        (0, 1): 992, (0, 2): 1026, (0, 3): 996, (0, 4): 956
    }  # fmt: skip
    assert kind_of(str(FOLDER / f"spectra{suffix}")) == "spectra"


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".root"])
def test_matrices(suffix: str) -> None:
    matrix = gp.scan_matrix(FOLDER / f"matrix{suffix}").collect()

    assert (matrix.height, matrix["counts"].sum()) == (170, 184)
    assert kind_of(str(FOLDER / f"matrix{suffix}")) == "matrix"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".md"))
def test_info_shows_them(name: str) -> None:
    done = gammapolars("info", FOLDER / name, "--json")

    assert done.code == 0, done.err
    (file,) = json.loads(done.out)["files"]
    assert file["bytes"] == (FOLDER / name).stat().st_size
    if Path(name).suffix != ".csv":
        assert file["provenance"]["versions"]["gammapolars"] == "0.1.0"
