"""Spectra and matrices in other programs' formats: what is written is read back, by us and by others."""

import json
import os
import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import uproot
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import GammapolarsError, InputError, OutputError, UsageError
from gammapolars.io.spectra import chn, n42, n42_document, radware, spe, tables
from gammapolars.io.spectra.channels import Axis, Channels, axis_of
from gammapolars.io.spectra.measurement import Measurement, RecordedSpectrum, without_times
from gammapolars.io.spectrum_files import read_spectra
from tests.commandline import files_in
from tests.drawing import examples
from tests.io.test_save import files_limited_to

STARTED = datetime(2024, 2, 29, 23, 59, 58)
KNOWN = Measurement(
    title="Eu-152 at 7 cm",
    detector="HPGe-3",
    live_time_s=1200.5,
    real_time_s=1234.5,
    started=STARTED,
    energy=(0.5, 0.25, 1e-7),
)

FORMATS = {"spe": ".spe", "chn": ".chn", "radware": ".spe", "text": ".txt", "csv": ".csv", "parquet": ".parquet"}
FORMATS |= {"root": ".root", "n42": ".n42"}

MATRIX_SUFFIXES = [".mat", ".m4b", ".spn", ".root", ".parquet", ".csv"]


def raw(counts: list[float] | npt.NDArray[Any]) -> pl.DataFrame:
    """A spectrum over adc."""
    values = np.asarray(counts, np.float64)
    return pl.DataFrame({"adc": np.arange(len(values), dtype=np.float64), "counts": values, "variance": values})


def energy_at(channel: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """By the known calibration."""
    return np.asarray(0.5 + 0.25 * channel + 1e-7 * channel**2, np.float64)


def channels(counts: npt.NDArray[Any], known: Measurement = KNOWN) -> Channels:
    values = np.asarray(counts, np.float64)
    return Channels(Axis("adc", 0.0, 1.0, len(values)), values, values, known)


@pytest.fixture(scope="module")
def spectrum() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return raw(rng.poisson(2000 * np.exp(-np.arange(3000) / 400)))


# What was saved is read back.


@pytest.mark.parametrize("kind", FORMATS)
def test_counts_come_back(tmp_path: Path, spectrum: pl.DataFrame, kind: str) -> None:
    path = tmp_path / f"eu{FORMATS[kind]}"

    assert gp.save_spectrum(spectrum, path, measurement=KNOWN, format=kind) == (path,)

    found = gp.read_spectrum(path)
    assert found.table["counts"].to_list() == spectrum["counts"].to_list()
    assert found.table["variance"].to_list() == spectrum["counts"].to_list()
    assert all(dtype == pl.Float64 for dtype in found.table.schema.values())
    assert files_in(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("kind", "close"),
    [("spe", 1e-15), ("chn", 1e-6), ("text", 1e-12), ("root", 1e-4), ("n42", 1e-15), ("parquet", None)],
)
def test_energies_come_back(tmp_path: Path, spectrum: pl.DataFrame, kind: str, close: float | None) -> None:
    path = tmp_path / f"eu{FORMATS[kind]}"
    energies = energy_at(spectrum["adc"].to_numpy())

    gp.save_spectrum(spectrum, path, measurement=KNOWN)

    found = gp.read_spectrum(path)
    if close is None:  # a table stays as it is; its calibration stands beside it
        assert found.measurement.energy == KNOWN.energy
    else:
        np.testing.assert_allclose(found.table["energy_kev"], energies, rtol=close)


@pytest.mark.parametrize("kind", ["spe", "chn", "parquet", "root", "n42"])
def test_what_is_known_comes_back(tmp_path: Path, spectrum: pl.DataFrame, kind: str) -> None:
    path = tmp_path / f"eu.{kind}"

    gp.save_spectrum(spectrum, path, measurement=KNOWN)

    found = gp.read_spectrum(path).measurement
    exact = KNOWN.energy if kind != "chn" else tuple(float(np.float32(term)) for term in KNOWN.energy or ())
    assert found == Measurement(**{**vars(KNOWN), "energy": exact})


@pytest.mark.parametrize("kind", ["spe", "chn", "parquet", "root", "n42"])
def test_what_is_not_known_stays_unknown(tmp_path: Path, spectrum: pl.DataFrame, kind: str) -> None:
    gp.save_spectrum(spectrum, tmp_path / f"eu.{kind}")

    assert gp.read_spectrum(tmp_path / f"eu.{kind}").measurement == Measurement()


def test_a_live_time_that_is_not_known_is_the_real_time_and_says_so(tmp_path: Path, spectrum: pl.DataFrame) -> None:
    gp.save_spectrum(spectrum, tmp_path / "eu.spe", measurement=Measurement(real_time_s=60.0))

    assert "live time is not known: real time stands for it" in (tmp_path / "eu.spe").read_text()
    assert gp.read_spectrum(tmp_path / "eu.spe").measurement.live_time_s == 60.0


@pytest.mark.parametrize("kind", ["spe", "chn", "radware", "root", "n42"])
def test_bins_that_are_left_out_are_empty_channels(tmp_path: Path, kind: str) -> None:
    sparse = pl.DataFrame({"adc": [7.0, 2.0], "counts": [5.0, 3.0], "variance": [5.0, 3.0]})
    path = tmp_path / f"sparse{FORMATS[kind]}"

    gp.save_spectrum(sparse, path, format=kind)

    assert gp.read_spectrum(path).table["counts"].to_list() == [0, 0, 3, 0, 0, 0, 0, 5]


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0, 0.1])
def test_bins_of_energy_have_a_straight_calibration(tmp_path: Path, width: float) -> None:
    hits = pl.LazyFrame({"energy_kev": [511.3, 510.9, 1274.5, 1275.2, 30.1, 30.2, 31.9]})
    table = gp.spectrum(hits, bin_kev=width, by=()).collect()

    gp.save_spectrum(table, tmp_path / "na.spe", bin_kev=width)
    found = gp.read_spectrum(tmp_path / "na.spe")

    assert found.measurement.energy == pytest.approx((width / 2, width))
    filled = found.table.filter(pl.col("counts") > 0).select("energy_kev", "counts", "variance")
    assert_frame_equal(filled, table)


def test_bins_below_0_keV_come_first(tmp_path: Path) -> None:
    table = pl.DataFrame({"energy_kev": [-1.5, 0.5, 1.5], "counts": [1.0, 2.0, 3.0], "variance": [1.0, 2.0, 3.0]})

    gp.save_spectrum(table, tmp_path / "low.spe")

    found = gp.read_spectrum(tmp_path / "low.spe")
    assert found.measurement.energy == (-1.5, 1.0)
    assert found.table["counts"].to_list() == [1, 0, 2, 3]


def test_variances_and_what_lies_beside_the_bins_are_kept_in_histograms(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"energy_kev": [0.5, 1.5, 3.5], "counts": [4.0, -1.5, 9.0], "variance": [6.0, 2.5, 9.0]},
    )

    gp.save_spectrum(table, tmp_path / "s.root", measurement=Measurement(title="x − y", underflow=3.0, overflow=8.0))

    found = gp.read_spectrum(tmp_path / "s.root")
    assert found.table.rows() == [(0.5, 4.0, 6.0), (1.5, -1.5, 2.5), (2.5, 0.0, 0.0), (3.5, 9.0, 9.0)]
    assert (found.measurement.underflow, found.measurement.overflow) == (3.0, 8.0)
    with uproot.open(tmp_path / "s.root") as file:
        histogram = file["spectrum"]
        assert histogram.title == "x − y"
        assert histogram.axis().member("fTitle") == "energy (keV)"
        assert histogram.values(flow=True).tolist() == [3, 4, -1.5, 0, 9, 8]
        assert histogram.variances(flow=True).tolist() == [3, 6, 2.5, 0, 9, 8]
        assert histogram.axis().edges().tolist() == [0, 1, 2, 3, 4]


def test_channels_of_a_curved_calibration_are_bins_of_their_own_width(tmp_path: Path, spectrum: pl.DataFrame) -> None:
    gp.save_spectrum(spectrum, tmp_path / "s.root", measurement=KNOWN)

    with uproot.open(tmp_path / "s.root") as file:
        edges = file["spectrum"].axis().edges()
    np.testing.assert_allclose(edges, energy_at(np.arange(3001) - 0.5))


def test_histograms_of_others_are_read(tmp_path: Path) -> None:
    counts, edges = np.histogram([1.2, 1.4, 3.3, 99.0, -5.0], bins=4, range=(0.0, 4.0))
    with uproot.recreate(tmp_path / "o.root") as file:
        file["folder/h"] = (counts.astype(np.float64), edges)

    table, known = gp.read_spectrum(tmp_path / "o.root")

    assert table.rows() == [(0.5, 0, 0), (1.5, 2, 2), (2.5, 0, 0), (3.5, 1, 1)]
    assert table.columns == ["adc", "counts", "variance"]
    assert known.energy is None


# Several detectors.


@pytest.fixture(scope="module")
def detectors() -> pl.DataFrame:
    columns = {"board": [0, 0, 0, 1], "channel": [2, 2, 4, 2], "adc": [1.0, 2.0, None, 0.0]}
    columns |= {"energy_kev": [None, None, 0.5, None], "counts": [1.0, 2.0, 3.0, 4.0], "variance": [1.0, 2.0, 3.0, 4.0]}
    return pl.DataFrame(columns, gp.SPECTRUM.optional | gp.SPECTRUM.columns)


EACH = {"b0_ch2": [0.0, 1.0, 2.0], "b0_ch4": [3.0], "b1_ch2": [4.0]}


def test_one_file_a_detector(tmp_path: Path, detectors: pl.DataFrame) -> None:
    known = {(0, 2): Measurement(title="two"), (1, 2): Measurement(title="three")}

    written = gp.save_spectrum(detectors.lazy(), tmp_path / "s.spe", measurement=known)

    assert written == tuple(tmp_path / f"s_{name}.spe" for name in EACH)
    assert files_in(tmp_path) == [path.name for path in written]
    found = [gp.read_spectrum(path) for path in written]
    assert [one.table["counts"].to_list() for one in found] == list(EACH.values())
    assert [one.measurement.title for one in found] == ["two", "", "three"]


@pytest.mark.parametrize("suffix", [".root", ".csv", ".parquet", ".n42"])
def test_all_detectors_in_one_file(tmp_path: Path, detectors: pl.DataFrame, suffix: str) -> None:
    path = tmp_path / f"s{suffix}"
    known = {(1, 2): Measurement(title="three", real_time_s=3.0)}

    assert gp.save_spectrum(detectors, path, measurement=known) == (path,)

    for name, counts in EACH.items():
        table, measurement = gp.read_spectrum(path, name)
        assert table["counts"].to_list()[-len(counts) :] == [
            value for value in counts if value or suffix in (".root", ".n42")
        ] or (table["counts"].to_list() == [value for value in counts if value])
        if suffix != ".csv":
            assert measurement.title == ("three" if name == "b1_ch2" else "")
    with pytest.raises(UsageError, match=r"several .*choose one of b0_ch2, b0_ch4, b1_ch2"):
        gp.read_spectrum(path)
    with pytest.raises(InputError, match=r"has no .*'b7_ch7' \(it has b0_ch2, b0_ch4, b1_ch2\)"):
        gp.read_spectrum(path, "b7_ch7")


def test_of_several_files_none_is_replaced_unasked(tmp_path: Path, detectors: pl.DataFrame) -> None:
    (tmp_path / "s_b0_ch4.spe").write_text("precious")

    with pytest.raises(OutputError, match=r"s_b0_ch4\.spe: already exists"):
        gp.save_spectrum(detectors, tmp_path / "s.spe")
    assert files_in(tmp_path) == ["s_b0_ch4.spe"]
    gp.save_spectrum(detectors, tmp_path / "s.spe", overwrite=True)

    assert gp.read_spectrum(tmp_path / "s_b0_ch4.spe").table["counts"].to_list() == [3]


# What a format cannot hold.


@pytest.mark.parametrize(
    ("kind", "count", "instead"),
    [
        ("spe", 2.0**31, r"\.root, \.csv or \.parquet"),
        ("spe", -1.0, r"\.root, \.csv or \.parquet"),
        ("spe", 0.5, r"\.root, \.csv or \.parquet"),
        ("spe", float("nan"), r"\.root, \.csv or \.parquet"),
        ("n42", -1.0, r"\.root, \.csv or \.parquet"),
        ("n42", 0.5, r"\.root, \.csv or \.parquet"),
        ("n42", float("nan"), r"\.root, \.csv or \.parquet"),
        ("chn", 2.0**31, r"\.root, \.csv or \.parquet"),
        ("chn", -1.0, r"\.root, \.csv or \.parquet"),
        ("chn", 7.25, r"\.root, \.csv or \.parquet"),
        ("radware", 2.0**24 + 1, r"\.root, \.csv or \.parquet"),
        ("radware", float("inf"), r"\.root, \.csv or \.parquet"),
    ],
)
def test_counts_that_do_not_fit(tmp_path: Path, kind: str, count: float, instead: str) -> None:
    path = tmp_path / f"s{FORMATS[kind]}"

    with pytest.raises(OutputError, match=rf"/s\.\w+: .*: write {instead}$"):
        gp.save_spectrum(raw([1, count, 3]), path, format=kind)

    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("kind", "count"), [("spe", 2**31 - 1), ("chn", 2**31 - 1), ("radware", 2**24), ("n42", 2**53)]
)
def test_the_largest_counts_fit(tmp_path: Path, kind: str, count: int) -> None:
    path = tmp_path / f"s{FORMATS[kind]}"

    gp.save_spectrum(raw([1, count]), path, format=kind)

    assert gp.read_spectrum(path).table["counts"].to_list() == [1, count]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most"), [("chn", 65535), ("radware", 16384), ("spe", 2**20), ("root", 2**20)])
def test_the_number_of_channels_has_an_end(tmp_path: Path, kind: str, most: int) -> None:
    path = tmp_path / f"s{FORMATS[kind]}"
    last = pl.DataFrame({"adc": [float(most)], "counts": [1.0], "variance": [1.0]})

    with pytest.raises(OutputError, match=rf"has {most + 1:,} channels, and the format {most:,}: .*\.parquet"):
        gp.save_spectrum(last, path, format=kind)
    gp.save_spectrum(last.with_columns(adc=pl.col("adc") - 1), path, format=kind)

    assert files_in(tmp_path) == [path.name]


def test_a_calibration_of_too_high_an_order(tmp_path: Path) -> None:
    known = Measurement(energy=(0.1, 0.2, 1e-6, 1e-9))

    with pytest.raises(
        OutputError, match=r"CHN stores three energy coefficients, but the calibration has 4: write \.spe"
    ):
        gp.save_spectrum(raw([1, 2]), tmp_path / "s.chn", measurement=known)
    gp.save_spectrum(raw([1, 2]), tmp_path / "s.spe", measurement=known)

    assert gp.read_spectrum(tmp_path / "s.spe").measurement.energy == known.energy


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"adc": [1.0, 1.0]}, "the bin at adc 1 appears twice"),
        ({"adc": [-1.0, 1.0]}, "channel -1 is below channel 0"),
        ({"energy_kev": [0.5, np.inf]}, "a bin's energy_kev is not a finite number"),
        ({"energy_kev": [0.5, 0.5 + np.pi]}, None),
        ({"dt_ns": [0.5, 1.5]}, "is not a spectrum: it needs adc or energy_kev, counts and variance"),
    ],
)
def test_tables_that_are_no_spectrum(tmp_path: Path, table: dict[str, list[float]], reason: str | None) -> None:
    frame = pl.DataFrame(table | {"counts": [1.0, 2.0], "variance": [1.0, 2.0]})

    if reason is None:
        gp.save_spectrum(frame, tmp_path / "s.spe")  # two bins have one width, whatever it is
        return
    with pytest.raises(OutputError, match=rf"/s\.spe: .*{reason}"):
        gp.save_spectrum(frame, tmp_path / "s.spe")
    assert files_in(tmp_path) == []


def test_bins_of_different_widths(tmp_path: Path) -> None:
    energies = pl.Series("energy_kev", [*np.arange(0.5, 21), 21.87])
    uneven = pl.select(energies, counts=energies.round(), variance=energies.round())

    with pytest.raises(OutputError, match=r"s\.spe: the bins of energy_kev are not of one width: write \.parquet"):
        gp.save_spectrum(uneven, tmp_path / "s.spe")
    gp.save_spectrum(uneven, tmp_path / "s.parquet")

    assert_frame_equal(gp.read_spectrum(tmp_path / "s.parquet").table, uneven)


@pytest.mark.parametrize("suffix", ["", ".xyz", ".dat"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"s{suffix}"

    spectra = pytest.raises(UsageError, match=r"unknown suffix .*\.spe, \.chn, .*\.csv, \.parquet, \.root, .*\.n42")
    with spectra:
        gp.save_spectrum(raw([1]), path)
    with spectra:
        gp.read_spectrum(path)
    matrices = pytest.raises(UsageError, match=r"unknown suffix .*\.mat, \.m4b, \.spn, \.root, \.parquet, \.csv")
    with matrices:
        gp.save_matrix(matrix_of([(1, 1, 1)]), path)
    with matrices:
        gp.scan_matrix(path)


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'cnf' of spectra: choose from spe, chn, radware, text"):
        gp.save_spectrum(raw([1]), tmp_path / "s.spe", format="cnf")
    with pytest.raises(UsageError, match=r"unknown format 'gf3' of spectra: choose from spe, .*, cnf, tka, amptek"):
        gp.read_spectrum(tmp_path / "s.spe", format="gf3")
    with pytest.raises(UsageError, match=r"unknown suffix '\.cnf': spectra stand in \.spe"):
        gp.save_spectrum(raw([1]), tmp_path / "s.cnf")


# The axis of equal bins, against its definition.


@given(
    places=st.lists(st.integers(0, 3000), min_size=2, max_size=60, unique=True),
    width=st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0, 1 / 3, 10.0]),
)
def test_equal_bins_are_found_among_sparse_ones(places: list[int], width: float) -> None:
    dense = sorted({*places, places[0] + 1})  # two neighbours tell the width
    centres = (np.array(dense) + 0.5) * width

    axis = axis_of(centres, "energy_kev")

    assert axis.width == pytest.approx(width, rel=1e-9)
    assert axis.places(centres).tolist() == dense
    np.testing.assert_allclose(axis.start + np.array(dense) * axis.width, centres, rtol=1e-9)


# Every format of one spectrum, round and round.


COUNTS = st.lists(st.integers(0, 2**24), min_size=1, max_size=80).map(np.array)
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=255, categories=["L", "N"]), max_size=30)
SECONDS = st.integers(1, 2**31).map(lambda ticks: ticks / 50)
TERMS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
RISING = st.floats(2**-7, 1e6, width=32, allow_subnormal=False)
BENDS = st.floats(0, 1e3, width=32, allow_subnormal=False)
MEASUREMENTS = st.builds(
    Measurement,
    title=TEXTS,
    detector=TEXTS,
    live_time_s=SECONDS,
    real_time_s=st.integers(1, 2**31).map(lambda ticks: ticks / 50),
    started=st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    energy=st.none() | st.tuples(TERMS, RISING.filter(lambda gain: gain not in (0.0, 1.0)), BENDS),
)


def trimmed(known: Measurement) -> Measurement:
    """As it comes back: zeros behind the last coefficient add nothing."""
    terms = list(known.energy or ())
    while terms and terms[-1] == 0:
        terms.pop()
    return Measurement(**{**vars(known), "energy": tuple(terms) or None})


@given(COUNTS, MEASUREMENTS)
def test_spe_chn_and_n42_keep_everything(counts: npt.NDArray[Any], known: Measurement) -> None:
    assume(without_times(counts, known.live_time_s, known.real_time_s).tolist() == counts.tolist())
    made = channels(counts, known)
    of_n42 = n42.decode(n42_document.encode({"one": made}))
    for found in (spe.decode(spe.encode(made)), chn.decode(chn.encode(made)), of_n42):
        assert found.table["counts"].to_list() == counts.tolist()
        assert found.measurement == trimmed(known)


@given(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32).filter(lambda x: x != round(x) or abs(x) <= 2**24), min_size=1)
)
def test_radware_keeps_24_bits_of_any_count(counts: list[float]) -> None:
    found = radware.decode(radware.encode(channels(np.array(counts), Measurement(title="abcdefghij"))))

    assert found.table["counts"].to_list() == counts
    assert found.measurement == Measurement(title="abcdefgh")


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=50), st.booleans())
def test_two_columns_keep_any_count(counts: list[float], calibrated: bool) -> None:
    known = Measurement(energy=(0.25, 0.5)) if calibrated else Measurement()

    found = tables.decode_text(tables.encode_text(channels(np.array(counts), known)))

    assert found.table["counts"].to_list() == counts
    place = np.arange(len(counts), dtype=np.float64)
    x = found.table["energy_kev" if calibrated else "adc"]
    assert x.to_list() == (0.25 + 0.5 * place if calibrated else place).tolist()


@pytest.mark.parametrize(
    ("text", "column", "rows"),
    [
        ("0 5\n1 6\n", "adc", [(0, 5), (1, 6)]),
        ("# energy keV\n0 5\r\n1\t6\r\n\n", "energy_kev", [(0, 5), (1, 6)]),
        ("E;N\n0.5;5\n1.5 ; 6", "energy_kev", [(0.5, 5), (1.5, 6)]),
        ("Channel,Counts\n3,1e3\n", "adc", [(3, 1000)]),
    ],
)
def test_two_columns_as_others_write_them(text: str, column: str, rows: list[tuple[float, float]]) -> None:
    found = tables.decode_text(text.encode()).table

    assert found.columns == [column, "counts", "variance"]
    assert found.select(column, "counts").rows() == rows


def test_a_csv_of_others_needs_channels_and_counts(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("channel,counts,comment\n0,5,a\n1,7,b\n")

    assert gp.read_spectrum(tmp_path / "o.csv").table.rows() == [(0, 5, 5), (1, 7, 7)]


# The bytes, as others write and expect them.


def test_the_lines_of_spe() -> None:
    known = Measurement("Cs", "NaI", 9.5, 10.0, STARTED, (0.5, 0.25))

    text = spe.encode(channels(np.array([0, 12, 3]), known)).decode()

    assert text.split("\r\n") == [
        *("$SPEC_ID:", "Cs", "$SPEC_REM:", "DET# 1", "DETDESC# NaI", "$DATE_MEA:", "02/29/2024 23:59:58"),
        *("$MEAS_TIM:", "9.5 10", "$DATA:", "0 2", "       0", "      12", "       3", "$ROI:", "0"),
        *("$PRESETS:", "None", "0", "0", "$ENER_FIT:", "0.5 0.25", "$MCA_CAL:", "3", "0.5 0.25 0.0 keV"),
        *("$ENDRECORD:", ""),
    ]


LINES_OF_SPE = "$SPEC_ID:\nx\n$MEAS_TIM:\n300 301\n$DATA:\n0 3\n1\n2\n3\n4\n$ENER_FIT:\n1.0 0.5\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1.0 0.5", "1.0\n0.5"),
        ("1.0 0.5", "1.0\n\n  0.5 0"),
        ("1.0 0.5", "1,0 0,5"),
        ("1.0 0.5", "1.0 0.5 keV"),
        ("1.0 0.5", "0.001 0.0005 MeV"),
        ("$ENER_FIT:\n1.0 0.5", "$MCA_CAL:\n2\n1.0\n0.5 keV"),
        ("$ENER_FIT:\n1.0 0.5", "$MCA_CAL:\n3\n1.0 0.5\n0.0"),
        ("$ENER_FIT:\n1.0 0.5", "$MCA_CAL: 2\n1.0 0.5 keV"),
        ("$ENER_FIT:\n", "$MCA_CAL:\n3\n0 0 0 keV\n$ENER_FIT:\n"),
        ("300 301", "300\n301"),
        ("$MEAS_TIM:\n300 301", "$MEAS_TIM: 300 301"),
        ("$MEAS_TIM:", "$MEAS.TIM:"),
        ("0 3\n", "0\n3\n"),
        ("$DATA:\n0 3\n1\n2\n3\n4", "$DATA: 0 3\n1 2 3\n4"),
        ("$SPEC_ID:", "\ufeff$SPEC_ID:"),
        ("\n", "\r"),
    ],
)
def test_numbers_of_spe_stand_on_lines_of_any_kind(before: str, after: str) -> None:
    table, known = spe.decode(LINES_OF_SPE.replace(before, after).encode())

    assert known == Measurement(title="x", live_time_s=300, real_time_s=301, energy=(1.0, 0.5))
    assert table["energy_kev"].to_list() == [1.0, 1.5, 2.0, 2.5]
    assert table["counts"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("fit", ["0.0 0.0", "5.0 0.0", "", "0 0 0"])
def test_energies_that_do_not_rise_are_no_calibration(fit: str) -> None:
    assert spe.decode(LINES_OF_SPE.replace("1.0 0.5", fit).encode()).measurement.energy is None


def test_one_coefficient_is_no_calibration() -> None:
    with pytest.raises(InputError, match=r"\$ENER_FIT: has one coefficient, but a calibration needs at least two"):
        spe.decode(LINES_OF_SPE.replace("1.0 0.5", "0.5").encode())


def test_counts_of_chn_are_signed() -> None:
    data = chn.encode(channels(np.array([5, 0, 7]))).replace(struct.pack("<3i", 5, 0, 7), struct.pack("<3i", 5, -3, 7))

    table = chn.decode(data).table

    assert table["counts"].to_list() == [5, -3, 7]
    assert table["variance"].null_count() == 3


def test_the_bytes_of_chn() -> None:
    data = chn.encode(channels(np.array([0, 12, 3]), KNOWN))

    assert len(data) == 32 + 3 * 4 + 512
    assert data[:32] == struct.pack("<hHH", -1, 1, 1) + b"58" + struct.pack("<II", 61725, 60025) + b"29Feb2412359" + (
        struct.pack("<HH", 0, 3)
    )
    assert struct.unpack("<3I", data[32:44]) == (0, 12, 3)
    trailer = data[44:]
    assert struct.unpack_from("<hh3f", trailer) == pytest.approx((-102, 0, 0.5, 0.25, 1e-7))
    assert trailer[256:263] == b"\x06HPGe-3"
    assert trailer[320:335] == b"\x0eEu-152 at 7 cm"


def test_the_bytes_of_radware() -> None:
    data = radware.encode(channels(np.array([0.0, 1.5]), KNOWN))

    expected = struct.pack("<i8s5i", 24, b"HPGe-3  ", 2, 1, 1, 1, 24) + struct.pack("<i2fi", 8, 0.0, 1.5, 8)
    assert data == expected
    swapped = struct.pack(">i8s5i", 24, b"HPGe-3  ", 2, 1, 1, 1, 24) + struct.pack(">i2fi", 8, 0.0, 1.5, 8)
    assert radware.decode(swapped).table.equals(radware.decode(data).table)


@pytest.mark.parametrize("stem", ["b99999_ch1", "b65536_ch0", "b0_ch65536"])
def test_names_beyond_the_numbers_of_detectors_are_names(tmp_path: Path, stem: str) -> None:
    gp.save_spectrum(raw([1, 2]), tmp_path / f"{stem}.spe")

    assert list(read_spectra(tmp_path / f"{stem}.spe")) == [(0, 0)]
    assert tables.detector_of("b65535_ch65535") == (65535, 65535)


def test_both_kinds_of_spe_are_told_apart_by_their_content(tmp_path: Path) -> None:
    gp.save_spectrum(raw([1, 2]), tmp_path / "ortec.Spe")
    gp.save_spectrum(raw([1, 2]), tmp_path / "gf3.spe", format="radware")

    assert (tmp_path / "ortec.Spe").read_bytes().startswith(b"$SPEC_ID:\r\n")
    assert (tmp_path / "gf3.spe").stat().st_size == 24 + 12 + 8 + 4
    assert gp.read_spectrum(tmp_path / "ortec.Spe").table.equals(gp.read_spectrum(tmp_path / "gf3.spe").table)


# Other programs read what is written.


def by_specutils(path: Path) -> Any:
    module = pytest.importorskip("SpecUtils", reason="SandiaSpecUtils is not installed")
    file = module.SpecFile()
    file.loadFile(str(path), module.ParserType.Auto)
    (found,) = file.measurements()
    return found


@pytest.mark.parametrize("kind", ["spe", "chn", "n42"])
def test_specutils_reads_it(tmp_path: Path, spectrum: pl.DataFrame, kind: str) -> None:
    gp.save_spectrum(spectrum, tmp_path / f"eu.{kind}", measurement=KNOWN)

    found = by_specutils(tmp_path / f"eu.{kind}")

    # SpecUtils empties the first two channels of CHN, where old analysers kept times, and the last.
    shown = slice(2, -1) if kind == "chn" else slice(None)
    assert list(found.gammaCounts())[shown] == spectrum["counts"].to_list()[shown]
    assert (found.liveTime(), found.realTime()) == (1200.5, 1234.5)
    assert found.startTime() == STARTED
    assert found.calibrationCoeffs() == pytest.approx(KNOWN.energy, rel=1e-6)
    assert kind == "chn" or found.title() == KNOWN.title


@pytest.mark.slow  # it takes 10 s to be imported
def test_becquerel_reads_spe(tmp_path: Path, spectrum: pl.DataFrame) -> None:
    becquerel = pytest.importorskip("becquerel", reason="becquerel is not installed")
    gp.save_spectrum(spectrum, tmp_path / "eu.spe", measurement=KNOWN)

    found = becquerel.Spectrum.from_file(str(tmp_path / "eu.spe"))

    assert found.counts_vals.tolist() == spectrum["counts"].to_list()
    assert (found.livetime, found.realtime, found.start_time) == (1200.5, 1234.5, STARTED)
    edges = energy_at(np.arange(3001))  # to becquerel, n is a channel's lower edge
    np.testing.assert_allclose(found.bin_edges_kev, edges, rtol=1e-12)


# Matrices.


def matrix_of(bins: list[tuple[float, float, float]], stem: str = "adc") -> pl.DataFrame:
    table = pl.DataFrame(bins, [f"{stem}_x", f"{stem}_y", "counts"], orient="row").cast(pl.Float64)
    return table.with_columns(variance=pl.col("counts")).sort(f"{stem}_y", f"{stem}_x")


@pytest.fixture(scope="module")
def matrix() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    energies = pl.DataFrame({f"energy_kev_{axis}": rng.integers(0, 700, 5000) * 2.0 + 1 for axis in "xy"})
    counted = energies.group_by(pl.all()).agg(counts=pl.len().cast(pl.Float64))
    return counted.with_columns(variance=pl.col("counts")).sort("energy_kev_y", "energy_kev_x")


@pytest.mark.parametrize("suffix", MATRIX_SUFFIXES)
def test_a_matrix_comes_back(tmp_path: Path, matrix: pl.DataFrame, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"

    gp.save_matrix(matrix.lazy(), path)

    found = gp.scan_matrix(path, energy=(1.0, 2.0))
    gp.require(found, gp.MATRIX)
    assert_frame_equal(found.collect().sort("energy_kev_y", "energy_kev_x"), matrix)
    assert found.select(pl.col("counts").sum()).collect().item() == 5000
    assert files_in(tmp_path) == [path.name]


def test_the_place_of_a_count_in_a_radware_matrix(tmp_path: Path) -> None:
    counts = {(0, 0): 1, (3, 5): 7, (4095, 4095): 65535, (1, 4): 2}

    for suffix, dtype in ((".mat", "<u2"), (".m4b", "<i4"), (".spn", "<i4")):
        path = tmp_path / f"m{suffix}"
        gp.save_matrix(matrix_of([(*place, count) for place, count in counts.items()]), path)

        data = np.fromfile(path, dtype).reshape(4096, 4096)  # all x of one y behind each other
        assert {(int(x), int(y)): int(data[y, x]) for y, x in np.argwhere(data)} == counts


@pytest.mark.parametrize("weighted", [False, True])
def test_uproot_reads_a_matrix(tmp_path: Path, matrix: pl.DataFrame, weighted: bool) -> None:
    given_ = matrix.with_columns(counts=pl.col("counts") - 0.5) if weighted else matrix
    gp.save_matrix(given_, tmp_path / "m.root", metadata={"gammapolars": "{}"})

    with uproot.open(tmp_path / "m.root") as file:
        found = file["matrix"]
        kind, values, variances, axes = found.classname, found.values(), found.variances(), found.axes
        assert str(file["gammapolars"]) == "{}"

    assert kind == ("TH2D" if weighted else "TH2I")
    x, y = ((matrix[f"energy_kev_{axis}"].to_numpy() // 2).astype(int) for axis in "xy")
    np.testing.assert_array_equal(values[x, y], given_["counts"])
    np.testing.assert_array_equal(variances[x, y], given_["variance"])
    assert values.sum() == given_["counts"].sum()
    assert axes[0].edges()[:2].tolist() == [0.0, 2.0]
    assert axes[1].member("fTitle") == "energy (keV)"
    assert_frame_equal(gp.scan_matrix(tmp_path / "m.root").collect().sort("energy_kev_y", "energy_kev_x"), given_)


@pytest.mark.parametrize(
    ("suffix", "count", "instead"),
    [
        (".mat", 65536.0, r"write \.m4b"),
        (".mat", -1.0, r"write \.m4b"),
        (".mat", 1.5, r"write \.m4b"),
        (".m4b", 2.0**31, r"write \.root or \.parquet"),
        (".spn", 0.25, r"write \.root or \.parquet"),
        (".m4b", float("nan"), r"write \.root or \.parquet"),
    ],
)
def test_counts_that_do_not_fit_a_matrix(tmp_path: Path, suffix: str, count: float, instead: str) -> None:
    with pytest.raises(OutputError, match=rf"/m\{suffix}: RadWare .* a bin has .*: {instead}"):
        gp.save_matrix(matrix_of([(1, 1, 5), (2, 2, count)]), tmp_path / f"m{suffix}")

    assert files_in(tmp_path) == []


def test_negative_counts_fit_32_bits(tmp_path: Path) -> None:
    gp.save_matrix(matrix_of([(1, 1, 65536), (2, 3, -4)]), tmp_path / "m.m4b")

    assert gp.scan_matrix(tmp_path / "m.m4b").collect().rows() == [(1, 1, 65536, 65536), (2, 3, -4, 4)]


def test_matrices_that_are_too_wide(tmp_path: Path) -> None:
    wide = matrix_of([(0, 0, 1), (4096, 1, 1), (1, 0, 1)])

    with pytest.raises(OutputError, match=r"has 4,097 × 2 channels, and RadWare \.mat 4,096 a side: .*\.parquet"):
        gp.save_matrix(wide, tmp_path / "m.mat")
    with pytest.raises(OutputError, match=r"bins, too many for a histogram .*\.parquet"):
        gp.save_matrix(matrix_of([(0, 0, 1), (1, 1, 1), (5000, 5000, 1)]), tmp_path / "m.root")
    gp.save_matrix(wide, tmp_path / "m.parquet")

    assert files_in(tmp_path) == ["m.parquet"]


def test_a_bin_that_stands_twice(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"m\.m4b: a bin of the matrix appears twice"):
        gp.save_matrix(matrix_of([(1, 2, 1), (1, 2, 1), (2, 2, 1)]), tmp_path / "m.m4b")


def test_wide_bins_of_adc_are_the_channels_of_a_matrix(tmp_path: Path) -> None:
    gp.save_matrix(matrix_of([(8, 8, 1), (24, 8, 2), (16376, 40, 3)]), tmp_path / "m.m4b", bin_adc=16)

    found = gp.scan_matrix(tmp_path / "m.m4b").collect()
    assert found.rows() == [(0, 0, 1, 1), (1, 0, 2, 2), (1023, 2, 3, 3)]


# Damage.


def outcome(path: Path) -> RecordedSpectrum | None:
    """What a file gives: a spectrum of finite numbers, or one clear error that begins with its name."""
    error = ""
    try:
        found = gp.read_spectrum(path)
    except GammapolarsError as raised:
        error = str(raised)
    if error:
        assert error.startswith(f"{path}: ")
        assert "\n" not in error
        return None
    assert found.table.height > 0
    assert found.table["counts"].is_finite().all()
    return found


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("originals")
    paths = {kind: folder / f"{kind}{suffix}" for kind, suffix in FORMATS.items()}
    for kind, path in paths.items():
        gp.save_spectrum(raw(np.arange(40) ** 2), path, measurement=KNOWN, format=kind)
    return paths


@given(data=st.data())
@examples(100)
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "parquet"])
def test_damaged_files(originals: dict[str, Path], kind: str, data: st.DataObject) -> None:
    original = originals[kind].read_bytes()
    places = st.dictionaries(st.integers(0, len(original) - 1), st.integers(1, 255), max_size=4)
    damaged = bytearray(original)
    for place, mask in data.draw(places).items():
        damaged[place] ^= mask
    path = originals[kind].with_name(f"damaged{FORMATS[kind]}")
    path.write_bytes(damaged[: data.draw(st.integers(0, len(original)))])

    outcome(path)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("left", [0.0, 0.3, 0.7])
def test_files_that_are_cut_short(originals: dict[str, Path], kind: str, left: float) -> None:
    original = originals[kind].read_bytes()
    path = originals[kind].with_name(f"cut{FORMATS[kind]}")
    path.write_bytes(original[: int(left * len(original))])

    found = outcome(path)

    # The rows that a text has left are a spectrum of their own.
    assert found is None or kind in ("text", "csv")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.spe", b"hello", "is not an SPE file: it has no section"),
        ("a.spe", b"$DATA:\n0 4000000\n1\n2\n", "announces 4000001 counts, but 2 follow: is it cut short"),
        ("a.spe", b"$DATA:\n0 1\n1\nx\n", "channel 1 has no number"),
        ("a.spe", b"$DATA:\n5 1\n1\n2\n", "should begin with the numbers of the first and last channel"),
        ("a.spe", b"$MEAS_TIM:\nten\n$DATA:\n0 0\n1\n", "MEAS_TIM: contains no number where one is expected: 'ten'"),
        ("a.spe", b"$DATA:\n0 0\n1\n$MCA_CAL:\n3\n1 2 keV\n", "MCA_CAL: should be a number of coefficients"),
        ("a.spe", struct.pack("<i8s6i", 24, b"x", 2**30, 1, 1, 1, 24, 0) + bytes(20), "its header is damaged"),
        ("a.chn", b"hello" * 10, "is not a CHN file: it does not begin with -1"),
        ("a.chn", struct.pack("<h", -1) + bytes(28) + b"\xff\xff" + bytes(40), "announces 65535 channels, but 10"),
        ("a.txt", b"1 2\n3\n", "line 2 does not hold two numbers"),
        ("a.txt", b"# nothing\n", "no line contains numbers"),
        ("a.csv", b"adc,counts\n1,2\n3,\n", "line 3 contains no number in the column 'counts': ''"),
        ("a.csv", b"time,value\n1,2\n", "its columns are those of hits .time., and no spectrum's"),
        ("a.csv", b"adc,counts\n1,x\n", "line 2 contains no number in the column 'counts': 'x'"),
        ("a.parquet", b"PAR1" * 10, "cannot be read as Parquet"),
        ("a.root", b"toor" * 10, "is not a ROOT file"),
        ("a.root", b"root" * 10, "is truncated: it has 40 of the"),
        ("a.root", b"root" + bytes(60), "has no TH1 histogram"),
        ("a.chn", b"", "is empty"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=rf"^{tmp_path / name}: \$?.*{reason}"):
        gp.read_spectrum(tmp_path / name)


def test_matrices_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "m.mat").write_bytes(bytes(1000))
    (tmp_path / "m.csv").write_text("adc_x,adc_y,counts\n1,2,3\n1,2,x\n")
    (tmp_path / "n.csv").write_text("a,b\n1,2\n")
    (tmp_path / "m.parquet").write_bytes(b"PAR1PAR1")
    reasons = {
        "m.mat": "is not a RadWare matrix, or is cut short: it has 1,000 bytes",
        "m.csv": "cannot be read as a matrix",
        "n.csv": "is not a matrix: it has no columns",
        "m.parquet": "cannot be read as Parquet; is it damaged?",
        "none.m4b": "no such file",
    }

    for name, reason in reasons.items():
        with pytest.raises(InputError, match=rf"^{tmp_path / name}: {reason}"):
            gp.scan_matrix(tmp_path / name).collect()


def test_no_such_file_or_folder(tmp_path: Path) -> None:
    for suffix in (".spe", ".chn", ".txt", ".csv", ".parquet", ".root"):
        with pytest.raises(InputError, match=rf"/s\{suffix}: no such file$"):
            gp.read_spectrum(tmp_path / f"s{suffix}")
        with pytest.raises(OutputError, match=r"there is no folder"):
            gp.save_spectrum(raw([1]), tmp_path / "none" / f"s{suffix}")


@pytest.mark.parametrize("suffix", MATRIX_SUFFIXES)
def test_a_matrix_without_counts(tmp_path: Path, suffix: str) -> None:
    empty = pl.DataFrame(schema={"energy_kev_x": pl.Float64, "energy_kev_y": pl.Float64, **dict(gp.SPECTRUM.columns)})

    gp.save_matrix(empty, tmp_path / f"m{suffix}")

    assert gp.scan_matrix(tmp_path / f"m{suffix}").collect().height == 0


@pytest.mark.parametrize("suffix", [".spe", ".chn", ".root", ".parquet", ".csv"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    noise = raw(np.random.default_rng(1).integers(0, 2**31, 50_000))

    with files_limited_to(20_000), pytest.raises(OutputError, match=rf"/s\{suffix}: cannot be written: ") as caught:
        gp.save_spectrum(noise, tmp_path / f"s{suffix}")

    assert "\n" not in str(caught.value)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("suffix", MATRIX_SUFFIXES)
def test_a_full_disk_for_a_matrix(tmp_path: Path, matrix: pl.DataFrame, suffix: str) -> None:
    with files_limited_to(10_000), pytest.raises(OutputError, match=rf"/m\{suffix}: cannot be written: "):
        gp.save_matrix(matrix, tmp_path / f"m{suffix}")

    assert files_in(tmp_path) == []


# Provenance.


@pytest.mark.parametrize("suffix", [".root", ".parquet"])
def test_provenance_is_kept(tmp_path: Path, suffix: str) -> None:
    from gammapolars.io import provenance

    told = {provenance.KEY: json.dumps({"inputs": []})}
    gp.save_spectrum(raw([1, 2]), tmp_path / f"s{suffix}", metadata=told)
    gp.save_matrix(matrix_of([(1, 1, 1)]), tmp_path / f"m{suffix}", metadata=told)

    for name in ("s", "m"):
        assert provenance.of_file(tmp_path / f"{name}{suffix}") == {"inputs": []}


# Recorded spectra. They belong to others and are not part of this package.


FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")
EUROPIUM = Path(FOLDER) / "eu152-hpge" / "eu_calib_7cm.Spe"
CALIB = Path(FOLDER) / "iaea-1995" / "CALIB.CHN"


@recorded
def test_a_recorded_spe_file() -> None:
    table, known = gp.read_spectrum(EUROPIUM)

    assert table.height == 16384
    assert known == Measurement(
        detector="HPGE",
        live_time_s=2289.0,
        real_time_s=2454.0,
        started=datetime(2018, 9, 13, 8, 39, 8),
        energy=(0.33973, 0.18297, 5.5683e-09),
    )
    strongest = table.filter(pl.col("energy_kev") > 100).sort("counts")[-1]
    assert strongest["energy_kev"].item() == pytest.approx(121.78, abs=0.3)  # Eu-152's strongest line
    found = by_specutils(EUROPIUM)
    assert list(found.gammaCounts()) == table["counts"].to_list()
    assert found.calibrationCoeffs() == pytest.approx(known.energy)


@recorded
def test_a_recorded_chn_file() -> None:
    table, known = gp.read_spectrum(CALIB)

    numbers = np.loadtxt(CALIB.with_suffix(".ASC"))
    assert numbers[:2].tolist() == [2000, 2000]  # the times that the header tells, too
    assert table["counts"].to_list() == [0, 0, *numbers[2:].tolist()]
    assert table.columns == ["adc", "counts", "variance"]
    assert known == Measurement(live_time_s=2000.0, real_time_s=2000.0, started=datetime(1999, 1, 19, 16, 12))
    found = by_specutils(CALIB)
    assert list(found.gammaCounts())[2:-1] == table["counts"].to_list()[2:-1]
    assert (found.liveTime(), found.realTime(), found.startTime()) == (2000.0, 2000.0, known.started)


@recorded
@pytest.mark.parametrize("kind", FORMATS)
def test_a_recorded_spectrum_goes_through_every_format(tmp_path: Path, kind: str) -> None:
    table, known = gp.read_spectrum(EUROPIUM)

    gp.save_spectrum(table, tmp_path / f"eu{FORMATS[kind]}", measurement=known, format=kind)

    assert gp.read_spectrum(tmp_path / f"eu{FORMATS[kind]}").table["counts"].equals(table["counts"])


@recorded
def test_the_histograms_of_compass_are_read() -> None:
    (path,) = (Path(FOLDER) / "na22-two-nai" / "FILTERED").glob("Hcompass*.root")

    with uproot.open(path) as file:
        expected = file["Energy/_F_EnergyCH4@V1725_292"].values()
    table, _ = gp.read_spectrum(path, "Energy/_F_EnergyCH4@V1725_292")

    assert table["counts"].to_list() == expected.tolist()
    assert table["adc"].to_list()[:2] == [0.5, 1.5]
    with pytest.raises(
        UsageError, match=r"several histograms that can be a spectrum: choose one of Energy/_F_EnergyCH4@"
    ):
        gp.read_spectrum(path)
    counts = gp.scan_matrix(path, "PSD_E/_F_PSDvsECH4@V1725_292").select(pl.col("counts").sum()).collect().item()
    assert counts > 0
