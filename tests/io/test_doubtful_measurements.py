"""Dates, times and first channels of spectrum files that can be read in more than one way."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.io.spectra import amptek, chn, iec, n42, spe
from gammapolars.io.spectra.channels import Axis, Channels
from gammapolars.io.spectra.dates import start_of
from gammapolars.io.spectra.measurement import Measurement, from_json, to_json, without_times
from tests.commandline import gammapolars
from tests.spectrumfiles import AMPTEK, IEC_HEAD, iec_of

SPE = "$DATE_MEA:\n07/23/2013 11:48:32\n$MEAS_TIM:\n{} {}\n$DATA:\n0 3\n1\n2\n3\n4\n$ROI:\n0\n"


@pytest.mark.parametrize(
    ("start", "sample", "moment"),
    [
        ("09/12/21 10:54:31", "08/25/21 11:34:36", datetime(2021, 9, 12, 10, 54, 31)),  # 25 is no month
        ("09/12/21 10:54:31", "25/08/21 11:34:36", datetime(2021, 12, 9, 10, 54, 31)),
        ("23/07/13 11:48:32", "01/07/13 00:00:00", datetime(2013, 7, 23, 11, 48, 32)),
        ("02/09/21 10:54:31", "03/08/21 11:34:36", datetime(2021, 9, 2, 10, 54, 31)),  # else sampled a month later
        ("09/12/21 10:54:31", "10/11/21 11:34:36", datetime(2021, 12, 9, 10, 54, 31)),
        ("09.12.2021 10:54:31", "", datetime(2021, 12, 9, 10, 54, 31)),
        ("2021-09-12 10:54:31", "", datetime(2021, 9, 12, 10, 54, 31)),
        ("09/09/21 10:54:31", "", datetime(2021, 9, 9, 10, 54, 31)),  # the same in both orders
        ("13/13/21 10:54:31", "", None),
        ("", "", None),
    ],
)
def test_both_dates_of_a_file_have_the_same_order(start: str, sample: str, moment: datetime | None) -> None:
    assert start_of(start, sample) == (moment, ())
    line = f"{start} {sample}"
    assert iec.decode(iec_of([*IEC_HEAD[:2], line, *IEC_HEAD[3:]])).measurement.started == moment


@pytest.mark.parametrize("sample", ["", "01/02/03 00:00:00", "01/01/70 00:00:00", "05/06/22 08:00:00"])
def test_a_date_that_can_be_two_is_none_with_a_warning(sample: str) -> None:
    known = iec.decode(iec_of([*IEC_HEAD[:2], f"09/12/21 10:54:31 {sample}", *IEC_HEAD[3:]])).measurement

    assert known.started is None
    assert known.warnings == (
        "the date 09/12/21 can be 12 Sep 2021 or 9 Dec 2021: the start of the measurement is taken as unknown",
    )


def test_a_live_time_of_zero_is_unknown() -> None:
    said = ("live time is 0 s in 3600 s of real time: it is taken as unknown",)
    of_iec = iec.decode(iec_of([IEC_HEAD[0], "     0.00  3600.00    12", *IEC_HEAD[2:]])).measurement
    of_amptek = amptek.decode(AMPTEK.replace("3983.720000", "0.0").replace("4000.000000", "3600").encode()).measurement
    of_spe = spe.decode(SPE.format(0, 3600).encode()).measurement
    of_chn = chn.decode(
        chn.encode(
            Channels(Axis("adc", 0.0, 1.0, 3), np.ones(3), np.ones(3), Measurement(live_time_s=0.0, real_time_s=3600.0))
        )
    ).measurement

    for known in (of_iec, of_amptek, of_spe, of_chn):
        assert (known.live_time_s, known.real_time_s, known.warnings) == (None, 3600, said)


def test_without_any_times_there_is_nothing_to_warn_of() -> None:
    of_iec = iec.decode(iec_of([IEC_HEAD[0], "     0.00     0.00    12", *IEC_HEAD[2:]])).measurement
    of_amptek = amptek.decode(AMPTEK.replace("3983.720000", "0").replace("4000.000000", "0").encode()).measurement

    for known in (of_iec, of_amptek, spe.decode(SPE.format(0, 0).encode()).measurement):
        assert (known.live_time_s, known.real_time_s, known.warnings) == (None, None, ())


@pytest.mark.parametrize(
    ("live", "real", "said"),
    [
        ("301.5", "300", "live time, 301.5 s, exceeds the real time of 300 s: rates and activities use the live time"),
        ("300.01", "300", None),
        ("300", "300", None),
        ("299", "300", None),
    ],
)
def test_a_live_time_above_the_real_one_is_kept_with_a_warning(live: str, real: str, said: str | None) -> None:
    known = spe.decode(SPE.format(live, real).encode()).measurement

    assert (known.live_time_s, known.real_time_s) == (float(live), float(real))
    assert known.warnings == ((said,) if said else ())


def test_commands_warn_of_what_is_doubtful_in_a_file(tmp_path: Path) -> None:
    channels = np.arange(400)
    counts = np.rint(20 + 500 * np.exp(-(((channels - 200) / 4) ** 2))).astype(int)
    data = "\n".join(map(str, counts))
    (tmp_path / "s.spe").write_text(f"$MEAS_TIM:\n301 300\n$DATA:\n0 399\n{data}\n$ENER_FIT:\n0 2\n$ROI:\n0\n")

    done = gammapolars("peaks", tmp_path / "s.spe", "-o", tmp_path / "p.csv")

    assert done.code == 0, done.err
    assert f"Warning: {tmp_path / 's.spe'}: live time, 301 s, exceeds the real time of 300 s" in done.out


def test_doubts_are_not_written_to_other_files() -> None:
    known = Measurement(live_time_s=5.0, warnings=("something",))

    assert to_json({"b0_ch0": known}) == '{"b0_ch0": {"live_time_s": 5.0}}'
    assert from_json('{"b0_ch0": {"live_time_s": 5.0, "warnings": ["x"]}}', "b0_ch0").warnings == ()
    assert known == Measurement(live_time_s=5.0)


@pytest.mark.parametrize(
    ("counts", "left"),
    [
        ([3, 3, 2, 4, 3, 3], [3, 3]),  # as many as in all other channels
        ([3, 3, 0, 0, 0, 0], [3, 3]),  # few enough for counts above no others
        ([60, 61, 55, 70, 63, 58], [60, 61]),
        ([60, 61, 3, 2, 3, 4], [0, 0]),
        ([60, 61, 1000, 1100, 1050, 990], [0, 0]),
        ([300, 300, 0, 0, 0, 0], [0, 0]),
    ],
)
def test_counts_that_equal_the_times_by_chance_stay(counts: list[int], left: list[int]) -> None:
    live, real = float(counts[0]), float(counts[1])

    assert without_times(np.array(counts), live, real).tolist() == [*left, *counts[2:]]
    axis, values = Axis("adc", 0.0, 1.0, len(counts)), np.array(counts, np.float64)
    made = chn.encode(Channels(axis, values, values, Measurement(live_time_s=live, real_time_s=real)))
    assert chn.decode(made).table["counts"].to_list() == [*left, *counts[2:]]


N42 = """<RadInstrumentData xmlns="http://physics.nist.gov/N42/2011/N42"><RadMeasurement id="m"><RealTimeDuration>{}
</RealTimeDuration><Spectrum id="s"><ChannelData>1 2 3</ChannelData></Spectrum></RadMeasurement></RadInstrumentData>"""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1E2S", 100.0),
        ("PT1.5e+03S", 1500.0),
        ("PT1H2M3.5S", 3723.5),
        ("P1DT2H", 93_600.0),
        ("P2W", 1_209_600.0),
        ("PT3,5S", 3.5),
        ("P0Y0M1DT0H0M0.25S", 86_400.25),
        ("PT90M", 5400.0),
    ],
)
def test_durations_of_n42(text: str, seconds: float) -> None:
    known = n42.decode(N42.format(text).encode()).measurement

    assert (known.real_time_s, known.warnings) == (seconds, ())


@pytest.mark.parametrize("text", ["P1M", "P1Y", "-PT5S", "5", "PTxS", "P", "PT1E999S", "P1WT1S"])
def test_a_time_that_is_no_duration_is_unknown_with_a_warning(text: str) -> None:
    known = n42.decode(N42.format(text).encode()).measurement

    assert known.real_time_s is None
    assert known.warnings == (f"real time '{text}' cannot be read as a duration: it is taken as unknown",)


@pytest.mark.filterwarnings("error")
def test_energies_beyond_all_numbers_are_no_calibration() -> None:
    line = " 1.00000000E+99 8.00000000E+00 1.00000000E+308 1.00000000E+308"

    assert iec.decode(iec_of([*IEC_HEAD[:3], line, *IEC_HEAD[4:]])).measurement.energy is None


def test_warnings_are_at_hand_in_python(tmp_path: Path) -> None:
    (tmp_path / "s.spe").write_text(SPE.format(301, 300))

    table, known = gp.read_spectrum(tmp_path / "s.spe")

    assert table["counts"].sum() == pl.Series([1, 2, 3, 4]).sum()
    assert len(known.warnings) == 1
