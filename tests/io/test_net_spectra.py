"""Spectra less their background: with variances they are fitted, without they are refused."""

import os
from pathlib import Path
from time import process_time

import numpy as np
import polars as pl
import pytest
import uproot

import gammapolars as gp
from gammapolars.core.errors import OutputError, TableError
from tests.commandline import gammapolars

CASES = Path(os.environ.get("GAMMAPOLARS_CASES", ""))
needs_cases = pytest.mark.skipif("GAMMAPOLARS_CASES" not in os.environ, reason="GAMMAPOLARS_CASES is not set")

CENTRES = (1173.2, 1332.5)


def net(seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A spectrum less its background, with two peaks of 2000 counts, and its variances."""
    channel, rng = np.arange(2048.0), np.random.default_rng(seed)
    background = 110 * np.exp(-channel / 900)
    peaks = sum(2000 * np.exp(-0.5 * ((channel - at) / 8.4) ** 2) / (8.4 * np.sqrt(2 * np.pi)) for at in CENTRES)
    gross, other = rng.poisson(background + peaks), rng.poisson(background)
    return gross - other, gross + other


def frame(seed: int = 5) -> pl.DataFrame:
    """The same as a table."""
    counts, variance = net(seed)
    return pl.DataFrame({"adc": np.arange(2048.0), "counts": counts * 1.0, "variance": variance * 1.0})


def net_file(folder: Path, suffix: str) -> Path:
    counts, _ = net()
    path = folder / f"net{suffix}"
    if suffix == ".spe":
        path.write_text("\n".join(["$DATA:", "0 2047", *map(str, counts.tolist())]))
    elif suffix == ".txt":
        path.write_text("".join(f"{channel} {count}\n" for channel, count in enumerate(counts)))
    elif suffix == ".chn":
        plain = pl.DataFrame({"adc": np.arange(2048.0), "counts": 0.0, "variance": 0.0})
        gp.save_spectrum(plain, path)
        data = path.read_bytes()
        path.write_bytes(data[:32] + counts.astype("<i4").tobytes() + data[32 + 4 * 2048 :])
    else:
        table = pl.DataFrame({"adc": np.arange(2048.0), "counts": counts.astype(float)})
        table.write_csv(path) if suffix == ".csv" else table.write_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".spe", ".txt", ".chn", ".csv", ".parquet"])
def test_negative_counts_without_variances_are_refused(tmp_path: Path, suffix: str) -> None:
    path = net_file(tmp_path, suffix)

    started = process_time()
    found = gammapolars("peaks", path, "-o", tmp_path / "p.csv")

    assert process_time() - started < 10  # it took minutes
    assert found.code == 1
    assert f"net{suffix}: has negative counts but no variances" in found.error
    table = gp.read_spectrum(path).table
    assert table["counts"].to_list() == net()[0].tolist()
    assert table["variance"].null_count() == table.height


@pytest.mark.parametrize("column", ["variance", "Error", None])
def test_negative_counts_with_variances_are_fitted(tmp_path: Path, column: str | None) -> None:
    counts, variance = net()
    given = np.sqrt(variance) if column == "Error" else variance
    table = pl.DataFrame({"channel": np.arange(2048.0), "counts": counts.astype(float), column or "variance": given})
    path = tmp_path / ("net.csv" if column else "net.parquet")
    table.write_csv(path) if column else table.write_parquet(path)

    gammapolars("peaks", path, "-o", tmp_path / "p.csv")

    peaks = pl.read_csv(tmp_path / "p.csv")
    assert peaks["centroid_adc"].to_list() == pytest.approx(list(CENTRES), abs=1.5)
    assert peaks["area"].to_list() == pytest.approx([2000, 2000], abs=250)
    assert (peaks["area_unc"] < 110).all()


def test_negative_variances_are_refused(tmp_path: Path) -> None:
    table = pl.DataFrame({"adc": [0.0, 1.0], "counts": [-3.0, 4.0], "variance": [-3.0, 4.0]})
    table.write_parquet(tmp_path / "s.parquet")

    assert "has a negative variance, -3" in gammapolars("peaks", tmp_path / "s.parquet", "-o", tmp_path / "p.csv").error


def test_a_background_below_nothing_leaves_areas_as_they_are() -> None:
    counts, variance = net()
    less = 30 * np.exp(-np.arange(2048.0) / 900)
    table = frame().with_columns(counts=pl.Series(counts - less), variance=pl.Series(variance + 0.09 * less))

    peaks = gp.fit_peaks(table)

    assert peaks["area"].to_list() == pytest.approx(gp.fit_peaks(frame())["area"].to_list(), abs=40)
    assert (peaks["background"] < -50).all()


@pytest.mark.slow
def test_areas_scatter_as_their_uncertainties_say() -> None:
    pulls = []
    for seed in range(40):
        peaks = gp.fit_peaks(frame(seed))
        for at in CENTRES:
            (row,) = peaks.filter((pl.col("centroid_adc") - at).abs() < 10).to_dicts()
            pulls.append((row["area"] - 2000) / row["area_unc"])

    assert abs(np.mean(pulls)) < 3 / np.sqrt(len(pulls))
    assert 0.6 < np.std(pulls) < 1.4


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pl.lit(None, pl.Float64), "negative counts or no variances"),
        (pl.lit(float("nan")), "negative counts or no variances"),
        (pl.lit(-1.0), "a variance of -1: variances must not be negative"),
    ],
)
def test_frames_need_variances(column: pl.Expr, reason: str) -> None:
    with pytest.raises(TableError, match=f"this spectrum has {reason}"):
        gp.fit_peaks(frame().with_columns(variance=column))


def test_unknown_variances_stay_unknown_in_sums() -> None:
    unknown = frame().with_columns(variance=pl.lit(None, pl.Float64))

    for table in (gp.add_spectra(frame(), unknown), gp.subtract(frame(), unknown), gp.subtract(unknown, frame())):
        assert table.collect()["variance"].is_nan().all()


def test_frames_without_a_column_of_variances() -> None:
    with pytest.raises(TableError, match=r"uncertainty of its counts is not known: give it a column 'variance'"):
        gp.fit_peaks(frame().drop("variance"))


def test_what_is_unknown_stays_unknown(tmp_path: Path) -> None:
    spectrum = gp.read_spectrum(net_file(tmp_path, ".txt")).table

    for suffix in (".csv", ".parquet"):
        gp.save_spectrum(spectrum, tmp_path / f"again{suffix}")
        assert gp.read_spectrum(tmp_path / f"again{suffix}").table.equals(spectrum)
    with pytest.raises(OutputError, match="a histogram needs the variance of each bin"):
        gp.save_spectrum(spectrum, tmp_path / "again.root")


def test_histograms_without_a_sum_of_squares(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = (np.array([3.0, -2.0, 5.0]), np.array([0.0, 1.0, 2.0, 3.0]))

    table = gp.read_spectrum(tmp_path / "h.root").table

    assert table["counts"].to_list() == [3, -2, 5]
    assert table["variance"].to_list() == [None, None, None]


@needs_cases
@pytest.mark.parametrize("name", ["03_net.spe", "03_net.txt", "03_net.chn"])
def test_the_cases_of_net_spectra_are_refused(name: str, tmp_path: Path) -> None:
    assert "negative counts but no variances" in gammapolars("peaks", CASES / name, "-o", tmp_path / "p.csv").error
    assert gp.read_spectrum(CASES / name).table["counts"].sum() == 3787


@needs_cases
def test_the_case_of_a_net_spectrum_with_variances(tmp_path: Path) -> None:
    gammapolars("peaks", CASES / "03_net_var.parquet", "-o", tmp_path / "p.csv")

    peaks = pl.read_csv(tmp_path / "p.csv")
    assert peaks["area"].to_list() == pytest.approx([2000, 2000], abs=2 * 95)
