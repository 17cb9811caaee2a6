"""Areas by plain sums, next to fits, of peaks of the fit's shape and of another one."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.peaks import difference, with_sums
from tests.commandline import gammapolars
from tests.validation.simulated_peaks import GAIN_KEV, OFFSET_KEV, drawn, expected_counts

HPGE = (0.8, 0.0018)
LINES = {energy: 6_000 * (1 + energy / 600) for energy in (200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0)}


def spectrum(foot: float) -> pl.DataFrame:
    """Lines a part of whose counts is spread evenly over two FWHM on both sides, which no detector's shape has."""
    edges = OFFSET_KEV + GAIN_KEV * (np.arange(4097) - 0.5)
    expected = expected_counts({energy: (1 - foot) * area for energy, area in LINES.items()}, HPGE)
    for energy, area in LINES.items():
        fwhm = np.sqrt(HPGE[0] + HPGE[1] * energy)
        expected += foot * area * np.diff(np.clip(((edges - energy) / fwhm + 1.9) / 3.4, 0, 1))
    return drawn(expected, np.random.default_rng(2))


def test_sums_agree_with_fits_of_peaks_of_the_right_shape() -> None:
    lines = spectrum(0.0)

    found = with_sums(lines, gp.fit_peaks(lines))

    lone = found.filter(pl.col("sum").is_not_null(), pl.col("area") > 5e3)
    assert lone["centroid_kev"].round(0).to_list() == list(LINES)
    assert (((lone["sum"] - np.array(list(LINES.values()))) / lone["sum_unc"]).abs() < 3.5).all()
    assert difference(found) is None


def test_fits_of_another_shape_differ_from_sums() -> None:
    lines = spectrum(0.12)

    found = with_sums(lines, gp.fit_peaks(lines))

    wrong = difference(found)
    assert wrong is not None
    assert -0.08 < wrong.part < -0.02
    strong = found.filter(pl.col("area") > 3e3)
    assert (strong["sum"] / np.array(list(LINES.values())) - 1).abs().max() < 0.05  # type: ignore[operator]


def test_a_peak_next_to_another_has_no_sum() -> None:
    lines = drawn(expected_counts({600.0: 9_000, 603.0: 9_000, 900.0: 9_000}, HPGE), np.random.default_rng(1))

    found = with_sums(lines, gp.fit_peaks(lines))

    strong = found.filter(pl.col("area") > 5e3)
    assert strong["sum"].is_null().to_list() == [True, True, False]


def test_the_command_warns_and_takes_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spectrum(0.12).write_parquet("lines.parquet")

    fitted = json.loads(gammapolars("peaks", "lines.parquet", "-o", "fit.parquet", "--json").out)
    summed = json.loads(gammapolars("peaks", "lines.parquet", "-o", "sum.parquet", "--areas", "sum", "--json").out)

    (warning,) = (text for text in fitted["warnings"] if "isolated strong peaks" in text)
    assert "below the background-subtracted sums of their counts" in warning
    assert "--areas sum" in warning
    assert not [text for text in summed["warnings"] if "isolated strong peaks" in text]
    areas = pl.read_parquet("sum.parquet").filter(pl.col("area") > 3e3)["area"]
    assert (areas / np.array(list(LINES.values())) - 1).abs().max() < 0.05  # type: ignore[operator]
    done = gammapolars("peaks", "lines.parquet", "-o", "p.csv", "--areas", "guess")
    assert done.code == 2
    assert "--areas takes fit or sum, not 'guess'" in done.err
