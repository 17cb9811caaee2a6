"""Spectra recorded by others, each against a reading in a few lines that knows nothing of ours."""

import os
import re
import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import gammapolars as gp
from gammapolars.core.types import Floats

DATA, CASES = Path(os.environ.get("GAMMAPOLARS_REAL_DATA", "")), Path(os.environ.get("GAMMAPOLARS_CASES", ""))
needs_data = pytest.mark.skipif("GAMMAPOLARS_REAL_DATA" not in os.environ, reason="GAMMAPOLARS_REAL_DATA is not set")
needs_cases = pytest.mark.skipif("GAMMAPOLARS_CASES" not in os.environ, reason="GAMMAPOLARS_CASES is not set")

CHN = [
    pytest.param(DATA / "iaea-1995" / "CALIB.CHN", 2, marks=needs_data),
    pytest.param(CASES / "spectra" / "mix2neqlong.Chn", 0, marks=needs_cases),
    pytest.param(CASES / "03_net.chn", 0, marks=needs_cases),
]
"""With how many channels hold times."""

SPE = [
    pytest.param(DATA / "eu152-hpge" / "eu_calib_7cm.Spe", marks=needs_data),
    pytest.param(CASES / "spectra" / "hpge-cave-background.spe", marks=needs_cases),
    pytest.param(CASES / "spectra" / "csi-ba133-cs137.spe", marks=needs_cases),
    pytest.param(CASES / "03_net.spe", marks=needs_cases),
    pytest.param(CASES / "16_fit_two_lines.spe", marks=needs_cases),
]

TEXTS = [
    pytest.param(DATA / "iaea-1995" / "CALIB.ASC", None, 0, marks=needs_data),
    pytest.param(DATA / "iaea-1995" / "STRAIGHT.ASC", None, 0, marks=needs_data),
    pytest.param(CASES / "spectra" / "background-no-peak.csv", ",", 1, marks=needs_cases),
    pytest.param(CASES / "03_net.txt", None, 0, marks=needs_cases),
    pytest.param(CASES / "02_one.txt", None, 0, marks=needs_cases),
    pytest.param(CASES / "09_Channel_Counts.csv", ",", 1, marks=needs_cases),
    pytest.param(CASES / "09_semicolon.csv", ";", 1, marks=needs_cases),
]
"""With the separator, and the lines of names."""


@pytest.mark.parametrize(("path", "times"), CHN)
def test_chn(path: Path, times: int) -> None:
    data = path.read_bytes()
    real, live = struct.unpack_from("<II", data, 8)
    (number,) = struct.unpack_from("<H", data, 30)
    counts = np.array(struct.unpack_from(f"<{number}i", data, 32), np.float64)
    stamp = data[16:28].decode() + data[6:8].decode()
    counts[:times] = 0

    table, known = gp.read_spectrum(path)

    assert table["counts"].to_list() == counts.tolist()
    assert (known.live_time_s, known.real_time_s) == (live / 50, real / 50)
    assert known.started == datetime.strptime(stamp[:7] + stamp[8:], "%d%b%y%H%M%S")
    terms = (
        np.trim_zeros(struct.unpack_from("<3f", data, 32 + 4 * number + 4), "b") if len(data) > 4 * number + 32 else ()
    )
    assert (known.energy or ()) == (() if list(terms) == [0.0, 1.0] else tuple(terms))
    if times:  # what the header says, too, in seconds
        assert struct.unpack_from("<2i", data, 32) == (live / 50, real / 50)


@pytest.mark.parametrize("path", SPE)
def test_spe(path: Path) -> None:
    text = path.read_text()
    sections = {name: body.split() for name, body in re.findall(r"^\$(\w+):\s*\n([^$]*)", text, re.MULTILINE)}
    first, last, *counts = map(float, sections["DATA"])

    table, known = gp.read_spectrum(path)

    assert table["adc"].to_list() == list(range(int(first), int(last) + 1))
    assert table["counts"].to_list() == counts
    assert [known.live_time_s, known.real_time_s] == [float(word) for word in sections["MEAS_TIM"]]
    stamp = " ".join(sections.get("DATE_MEA", []))
    assert known.started == (datetime.strptime(stamp, "%m/%d/%Y %H:%M:%S") if stamp else None)
    terms = [float(word) for word in sections.get("MCA_CAL", sections.get("ENER_FIT", [])) if word != "keV"]
    assert (known.energy or ()) == tuple(terms[1:] if "MCA_CAL" in sections else terms)
    if terms:
        np.testing.assert_allclose(
            table["energy_kev"], np.polynomial.polynomial.polyval(table["adc"].to_numpy(), known.energy or ())
        )


@pytest.mark.slow  # it takes 10 s to be imported
@pytest.mark.parametrize("path", SPE[:3])
def test_becquerel_reads_the_same_of_spe(path: Path) -> None:
    becquerel = pytest.importorskip("becquerel", reason="becquerel is not installed")
    other = becquerel.Spectrum.from_file(str(path))

    table, known = gp.read_spectrum(path)

    assert table["counts"].to_list() == other.counts_vals.tolist()
    assert (known.live_time_s, known.real_time_s, known.started) == (other.livetime, other.realtime, other.start_time)
    if known.energy is not None:
        np.testing.assert_allclose(other.bin_edges_kev[:-1], table["energy_kev"], rtol=1e-12)


@needs_cases
def test_n42() -> None:
    (path,) = (CASES / "spectra").glob("CH0*.n42")
    text = path.read_text()
    counts = re.findall(r"<ChannelData[^>]*>([^<]*)<", text)[0].split()
    hours, minutes, seconds = re.findall(r"<RealTimeDuration>PT(\d+)H(\d+)M([\d.]+)S<", text)[0]

    table, known = gp.read_spectrum(path)

    assert table["counts"].to_list() == [float(count) for count in counts]
    assert known.real_time_s == pytest.approx(int(hours) * 3600 + int(minutes) * 60 + float(seconds))
    assert known.started is not None
    assert known.started.isoformat() == re.findall(r"<StartDateTime>([^<+]*)", text)[0]
    assert re.findall(r"<CoefficientValues>([^<]*)<", text) == ["0 1 0"]
    assert known.energy is None


@needs_cases
def test_specutils_reads_the_same_of_n42() -> None:
    module = pytest.importorskip("SpecUtils", reason="SandiaSpecUtils is not installed")
    (path,) = (CASES / "spectra").glob("CH0*.n42")
    file = module.SpecFile()
    file.loadFile(str(path), module.ParserType.N42_2012)
    (other,) = file.measurements()

    table, known = gp.read_spectrum(path)

    assert table["counts"].to_list() == list(other.gammaCounts())
    assert known.live_time_s == pytest.approx(other.liveTime(), rel=1e-6)
    assert known.real_time_s == pytest.approx(other.realTime(), rel=1e-6)


def columns(path: Path, separator: str | None, names: int) -> Floats:
    return np.atleast_2d(np.loadtxt(path, delimiter=separator, skiprows=names, ndmin=2))


@pytest.mark.parametrize(("path", "separator", "names"), TEXTS)
def test_texts(path: Path, separator: str | None, names: int) -> None:
    numbers = columns(path, separator, names)

    table = gp.read_spectrum(path).table

    if numbers.shape[1] == 1:
        assert table["counts"].to_list() == numbers[:, 0].tolist()
        assert table["adc"].to_list() == list(range(len(numbers)))
    else:
        assert table["counts"].to_list() == numbers[:, 1].tolist()
        assert table.to_series(0).to_list() == numbers[:, 0].tolist()
