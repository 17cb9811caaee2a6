"""N42 files as CoMPASS and handheld instruments write them."""

import os
from datetime import datetime
from pathlib import Path

import pytest

import gammapolars as gp
from gammapolars.core.errors import InputError, UsageError
from gammapolars.io.spectra import n42
from gammapolars.io.spectra.measurement import Measurement
from tests.commandline import gammapolars

CASES = Path(os.environ.get("GAMMAPOLARS_CASES", ""))
needs_cases = pytest.mark.skipif("GAMMAPOLARS_CASES" not in os.environ, reason="GAMMAPOLARS_CASES is not set")

OF_2012 = """<?xml version="1.0"?>\r
<RadInstrumentData>
  <EnergyCalibration id="e"><CoefficientValues>0.5 3.0 0</CoefficientValues></EnergyCalibration>
  <RadMeasurement id="m">
    <StartDateTime>2024-05-03T18:02:56+02:00</StartDateTime>
    <RealTimeDuration>PT0H8M39.127S</RealTimeDuration>
    <Spectrum id="first" energyCalibrationReference="e">
      <LiveTimeDuration>PT1H0.5S</LiveTimeDuration>
      <ChannelData compressionCode="None">
3 1 4
1 5
</ChannelData>
    </Spectrum>
  </RadMeasurement>
</RadInstrumentData>
"""

OF_2006 = """<N42InstrumentData xmlns="http://physics.nist.gov/N42/2006"><Measurement><Spectrum ID="a">
<StartTime>2010-01-02T03:04:05</StartTime><RealTime>PT10S</RealTime><LiveTime>PT9.5S</LiveTime>
<Calibration Type="FWHM"><Equation><Coefficients>9 9</Coefficients></Equation></Calibration>
<Calibration Type="Energy"><Equation><Coefficients>1 2</Coefficients></Equation></Calibration>
<ChannelData Compression="CountedZeroes">7 0 3 2 0 1</ChannelData></Spectrum></Measurement></N42InstrumentData>
"""

TWO = OF_2012.replace(
    "  </RadMeasurement>", '<Spectrum id="b"><ChannelData>8 9</ChannelData></Spectrum>\n  </RadMeasurement>'
)


def test_a_spectrum_of_2012() -> None:
    table, known = n42.decode(OF_2012.encode())

    assert table["counts"].to_list() == [3, 1, 4, 1, 5]
    assert table["energy_kev"].to_list() == [0.5, 3.5, 6.5, 9.5, 12.5]
    assert known == Measurement(
        live_time_s=3600.5, real_time_s=519.127, started=datetime(2024, 5, 3, 18, 2, 56), energy=(0.5, 3.0)
    )


def test_a_spectrum_of_2006_with_counted_zeros() -> None:
    table, known = n42.decode(OF_2006.encode())

    assert table["counts"].to_list() == [7, 0, 0, 0, 2, 0]
    assert known == Measurement(
        live_time_s=9.5, real_time_s=10, started=datetime(2010, 1, 2, 3, 4, 5), energy=(1.0, 2.0)
    )


def test_one_of_several_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.N42"
    path.write_text(TWO)

    assert gp.read_spectrum(path, "b").table["counts"].to_list() == [8, 9]
    with pytest.raises(UsageError, match=r"s\.N42: holds several spectra: name one of first, b"):
        gp.read_spectrum(path)
    with pytest.raises(InputError, match=r"s\.N42: has no spectrum 'c' \(it has first, b\)"):
        gp.read_spectrum(path, "c")
    assert gammapolars("peaks", path, "-o", tmp_path / "p.csv").code == 0


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("</Spectrum>", "", "cannot be read as N42: mismatched tag"),
        ("3 1 4", "3 x 4", "counts are no numbers"),
        ("3 1 4", "3 inf 4", "counts are no finite numbers"),
        ('"None">\n3 1 4', '"CountedZeroes">0 999999999 0 9', "announces more than 1,048,576 channels"),
        ("1 5\n", "1 0\n", None),
        ('"None">\n3 1 4\n1 5', '"CountedZeroes">1 0', "its counted zeros are damaged"),
        ("<RadInstrumentData>", "<!DOCTYPE a><RadInstrumentData>", "declares a document type"),
        ("0.5 3.0 0", "0.5 a", "energy coefficients are no numbers"),
        ("ChannelData", "Data", "is no N42 file, or holds no spectrum"),
    ],
)
def test_damage_is_named(tmp_path: Path, before: str, after: str, reason: str | None) -> None:
    (tmp_path / "s.n42").write_text(OF_2012.replace(before, after))

    if reason is None:
        assert gp.read_spectrum(tmp_path / "s.n42").table["counts"].to_list() == [3, 1, 4, 1, 0]
        return
    with pytest.raises(InputError, match=rf"s\.n42: .*{reason}"):
        gp.read_spectrum(tmp_path / "s.n42")


@pytest.mark.parametrize("coefficients", ["0 1 0", "0 0 0", "5", ""])
def test_no_calibration(coefficients: str) -> None:
    assert n42.decode(OF_2012.replace("0.5 3.0 0", coefficients).encode()).measurement.energy is None


def test_none_is_written(tmp_path: Path) -> None:
    spectrum = n42.decode(OF_2012.encode()).table

    with pytest.raises(UsageError, match=r"s\.n42: unknown suffix '\.n42': spectra stand in \.spe"):
        gp.save_spectrum(spectrum, tmp_path / "s.n42")


@needs_cases
def test_the_spectrum_that_compass_writes() -> None:
    (path,) = (CASES / "spectra").glob("CH0*.n42")

    table, known = gp.read_spectrum(path)

    assert table.height == 16384
    assert table["counts"].sum() == 10_867  # the hits of channel 0 in the run's ROOT file
    assert (known.live_time_s, known.real_time_s) == (519.127, 519.127)
    assert known.started == datetime(2024, 5, 3, 18, 2, 56)
