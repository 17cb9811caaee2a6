"""SPE and CHN as programs of all kinds write them: forms that were seen in public repositories, in a few channels."""

import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.core.types import Floats
from gammapolars.io.spectra import chn, spe
from gammapolars.io.spectra.channels import Axis, Channels
from gammapolars.io.spectra.dates import moment_of
from gammapolars.io.spectra.measurement import Measurement, without_times
from tests.commandline import gammapolars

HEAD = "$SPEC_ID:\nx\n$MEAS_TIM:\n300 301\n$DATA:\n0 3\n1\n2\n3\n4\n"

FIT = "$ENER_FIT:\n9 9\n"

END = "$SHAPE_CAL:\n3\n1 2 3\n"


@pytest.mark.parametrize(
    ("calibration", "energy"),
    [
        ("$MCA_CAL:\n%2\n1.0 0.5\n", (1.0, 0.5)),
        ("$MCA_CAL:\n%3\n1.0 0.5 0.001 keV\n", (1.0, 0.5, 0.001)),
        ("$MCA_CAL:\n2\n1.0 0.5 0.001 keV\n", (1.0, 0.5, 0.001)),  # the order, in place of the number
        ("$MCA_CAL:\n1.0000 0.5000 0.0010\n", (1.0, 0.5, 0.001)),
        ("$MCA_CAL:\n0 0.5\n", (0.0, 0.5)),
        ("$MCA_CAL:\n3\n1.0 0.5 keV\n", (1.0, 0.5)),
        ("$MCA_CAL:\n3\n1.0E+000 5.0E-001 1.0E-003keV\n", (1.0, 0.5, 0.001)),
        ("$MCA_CAL:\n3\n0.001 0.0005 0.000001 MeV\n", (1.0, 0.5, 0.001)),
        ("$mca_cal:\n3\n1.0 0.5 0.001 KEV\n", (1.0, 0.5, 0.001)),
        ("$MCA_CAL\n3\n1.0 0.5 0.001 keV\n", (1.0, 0.5, 0.001)),
        ("$MCA_CAL: 3 1.0 0.5 0.001 keV\n", (1.0, 0.5, 0.001)),
        ("$MCA_CAL:\n3\n0.0 0.0 0.0\n", (9.0, 9.0)),
        ("", (9.0, 9.0)),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_calibrations_of_spe(calibration: str, energy: tuple[float, ...], newline: str) -> None:
    text = HEAD + FIT + calibration + END

    table, known = spe.decode(text.replace("\n", newline).encode())

    assert known.energy == pytest.approx(energy)
    assert (known.live_time_s, known.real_time_s) == (300, 301)
    assert table["counts"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("calibration", ["$MCA_CAL:\n3\n1.0 0.5", "$MCA_CAL:\n%3\n1.0", "$MCA_CAL:\n3"])
def test_a_calibration_that_may_be_cut_short_is_none(calibration: str) -> None:
    with pytest.raises(InputError, match=r"\$MCA_CAL: should be a number of coefficients"):
        spe.decode((HEAD + calibration).encode())


@pytest.mark.parametrize(
    ("section", "times"),
    [
        ("$MEAS_TIM:\n300 301\n", (300, 301)),
        ("$MEAS_TIM\n300.5 301.25\n", (300.5, 301.25)),
        ("$MEAS_TIM:\n300 000\n", (300, None)),
        ("$MEAS_TIM:\n300\n", (300, None)),
        ("$MEAS_TIM:\n0 301\n", (None, 301)),
        ("$MEAS_TIM:\n0 0\n", (None, None)),
        ("$MEAS_TIM:\n\n", (None, None)),
        ("", (None, None)),
    ],
)
def test_times_of_spe(section: str, times: tuple[float | None, float | None]) -> None:
    known = spe.decode(HEAD.replace("$MEAS_TIM:\n300 301\n", section).encode()).measurement

    assert (known.live_time_s, known.real_time_s) == times


@pytest.mark.parametrize(
    ("data", "first", "counts"),
    [
        ("$DATA:\n0,3\n1\n2\n3\n4\n$ROI:\n0\n", 0, [1, 2, 3, 4]),
        ("$DATA\n0 3\n1 2 3 4\n$ROI:\n0\n", 0, [1, 2, 3, 4]),
        ("$DATA:\n0 4\n1\n2\n3\n4\n$ROI:\n0\n", 0, [1, 2, 3, 4]),  # the number of channels, in place of the last one
        ("$DATA:\n1 4\n1\n2\n3\n4\n$ROI:\n0\n", 1, [1, 2, 3, 4]),
        ("$TEMPER 24\n$CPS:\n7\n$DATA:\n0 3\n1\n2\n3\n4", 0, [1, 2, 3, 4]),
    ],
)
def test_channels_of_spe(data: str, first: int, counts: list[float]) -> None:
    table = spe.decode(data.encode()).table

    assert table["counts"].to_list() == counts
    assert table["adc"].to_list() == [first + place for place in range(4)]


@pytest.mark.parametrize("data", ["$DATA:\n0 4\n1\n2\n3\n4\n", "$DATA:\n0 5\n1\n2\n3\n4\n$ROI:\n0\n"])
def test_counts_that_are_missing_are_not_made_up(data: str) -> None:
    with pytest.raises(InputError, match=r"announces [56] counts, but 4 follow: is it cut short"):
        spe.decode(data.encode())


def tabled(energies: Floats, counts: Floats, *, before: str = "") -> bytes:
    """An SPE file with the energy of every channel, rounded to keV, beside a straight line that is off."""
    pairs = "\n".join(f"{place} {energy:.0f}" for place, energy in enumerate(energies))
    return (
        f"$DATA:\n0 {len(counts) - 1}\n"
        + "\n".join(f"{count:8.0f}" for count in counts)
        + f"\n$ENER_FIT:\n0.000000 3.096774\n{before}$ENER_TABLE:\n{len(energies)}\n{pairs}\n{END}"
    ).encode()


CHANNELS = np.arange(600.0)
BENT = 2.95 * CHANNELS + 1e-4 * CHANNELS**2 + 4 * np.tanh((CHANNELS - 35) / 15) + 4


def test_a_table_of_energies_comes_before_the_line(tmp_path: Path) -> None:
    counts = np.rint(100 + 4000 * np.exp(-(((CHANNELS - 220) / 7) ** 2)))
    (tmp_path / "s.spe").write_bytes(tabled(BENT, counts))

    table, known = gp.read_spectrum(tmp_path / "s.spe")

    off = table["energy_kev"].to_numpy() - BENT
    assert known.energy is None
    assert np.abs(off).max() < 0.75
    assert off.std() < 0.15  # rounding alone is 0.29
    assert np.abs(np.diff(table["energy_kev"].to_numpy()) - np.diff(BENT)).max() < 0.3
    assert gammapolars("peaks", tmp_path / "s.spe", "-o", tmp_path / "p.csv").code == 0
    (energy,) = pl.read_csv(tmp_path / "p.csv").sort("area")["centroid_kev"].tail(1)
    assert energy == pytest.approx(BENT[220], abs=0.5)  # the line says 681.3


@pytest.mark.parametrize(
    "data",
    [
        tabled(BENT[:-1], CHANNELS),
        tabled(BENT[::-1], CHANNELS),
        tabled(np.zeros(600), CHANNELS),
        tabled(BENT, CHANNELS, before="$MCA_CAL:\n2\n0.0 3.096774\n"),
        tabled(BENT[:4], CHANNELS[:4]),
    ],
)
def test_another_table_of_energies_is_no_calibration(data: bytes) -> None:
    assert spe.decode(data).measurement.energy == (0.0, 3.096774)


def test_several_spectra_in_one_file_are_refused() -> None:
    with pytest.raises(InputError, match=r"\$DATA: appears 2 times: write each spectrum to a file of its own"):
        spe.decode((HEAD + FIT + "$ENDRECORD:\n" + HEAD).encode())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("09/13/2018 08:39:08", datetime(2018, 9, 13, 8, 39, 8)),
        ("07/11/2018 00:00:00", datetime(2018, 7, 11)),
        ("23/07/2013 11:48:32", datetime(2013, 7, 23, 11, 48, 32)),
        ("2013/07/23 11:48:32", datetime(2013, 7, 23, 11, 48, 32)),
        ("2013-07-23T11:48:32.5+02:00", datetime(2013, 7, 23, 11, 48, 32)),
        ("2013-07-23T11:48:32Z", datetime(2013, 7, 23, 11, 48, 32)),
        ("07.11.2018 08:00:01", datetime(2018, 11, 7, 8, 0, 1)),
        ("9/3/2018 8:39:08 PM", datetime(2018, 9, 3, 20, 39, 8)),
        ("9/3/2018 12:39:08 am", datetime(2018, 9, 3, 0, 39, 8)),
        ("29-Feb-2024 23:59:58", datetime(2024, 2, 29, 23, 59, 58)),
        ("19-JAN-99 16:12:00", datetime(1999, 1, 19, 16, 12)),
        ("09/12/21   10:54:31", datetime(2021, 9, 12, 10, 54, 31)),
        ("01/01/1970 00:00:00", None),
        ("13/13/2018 08:39:08", None),
        ("09/13/2018 25:39:08", None),
        ("09/13/2018", None),
        ("9/3/2018 13:39:08 PM", None),
        ("31-Foo-2024 23:59:58", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(text: str, moment: datetime | None) -> None:
    assert moment_of(text) == moment


def chn_of(counts: list[int], live_s: float, real_s: float, **known: str) -> bytes:
    values = np.array(counts, np.float64)
    measurement = Measurement(live_time_s=live_s, real_time_s=real_s, **known)  # type: ignore[arg-type]
    return chn.encode(Channels(Axis("adc", 0.0, 1.0, len(counts)), values, values, measurement))


@pytest.mark.parametrize(
    ("live", "real", "first", "left"),
    [
        (1998.4, 2000.0, [2000, 1998], [0, 0]),
        (1998.4, 2000.0, [1998, 2000], [0, 0]),
        (1998.6, 2000.0, [1999, 2000], [0, 0]),
        (2000.0, 2000.0, [2000, 2000], [0, 0]),
        (1998.4, 2000.0, [1998, 77], [1998, 77]),
        (1998.4, 2000.0, [77, 2000], [77, 2000]),
        (0.0, 0.0, [0, 0], [0, 0]),
        (0.3, 0.4, [0, 0], [0, 0]),
    ],
)
def test_times_in_the_first_channels_of_chn_are_no_counts(
    live: float, real: float, first: list[int], left: list[int]
) -> None:
    table = chn.decode(chn_of([*first, 5, 6], live, real)).table

    assert table["counts"].to_list() == [*left, 5, 6]
    assert table["adc"].to_list() == [0, 1, 2, 3]


def test_times_in_the_first_channels_of_spe_are_no_counts() -> None:
    times = HEAD.replace("1\n2\n3\n4\n", "{}\n{}\n3\n4\n")

    assert spe.decode(times.format(300, 301).encode()).table["counts"].to_list() == [0, 0, 3, 4]
    assert spe.decode(times.format(300, 302).encode()).table["counts"].to_list() == [300, 302, 3, 4]
    later = times.replace("0 3\n", "1 4\n").format(300, 301)  # channels 1 and 2
    assert spe.decode(later.encode()).table["counts"].to_list() == [300, 301, 3, 4]


def test_one_channel_holds_no_times() -> None:
    assert without_times(np.array([300]), 300, 300).tolist() == [300]


@pytest.mark.parametrize(
    ("flag", "year"),
    [(b"1", 2002), (b"0", 1902), (b" ", 1902), (b"\0", 1902)],
)
def test_the_century_of_chn(flag: bytes, year: int) -> None:
    data = bytearray(chn_of([1, 2, 3], 5, 6))
    data[16:28] = b"07Nov02" + flag + b"1748"
    struct.pack_into("2s", data, 6, b"59")

    assert chn.decode(bytes(data)).measurement.started == datetime(year, 11, 7, 17, 48, 59)


@pytest.mark.parametrize("calibration", ["0 1", "0 1 0", "3000 -1.2", "10 0.5 -0.1"])
def test_channels_and_falling_energies_are_no_calibration(tmp_path: Path, calibration: str) -> None:
    terms = calibration.split()
    path = tmp_path / "x.spe"
    path.write_text(f"$DATA:\n0 7\n1\n2\n3\n4\n5\n6\n7\n8\n$MCA_CAL:\n{len(terms)}\n{calibration} keV\n")

    found = gp.read_spectrum(path)

    assert found.measurement.energy is None
    assert "energy_kev" not in found.table.columns


def test_a_calibration_that_turns_behind_the_last_count_is_one(tmp_path: Path) -> None:
    path = tmp_path / "x.spe"
    path.write_text("$DATA:\n0 7\n1\n2\n3\n0\n0\n0\n0\n0\n$MCA_CAL:\n3\n10 1 -0.2 keV\n")

    assert gp.read_spectrum(path).table["energy_kev"].to_list()[:3] == pytest.approx([10, 10.8, 11.2])
