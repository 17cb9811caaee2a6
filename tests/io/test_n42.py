"""N42 files as CoMPASS and handheld instruments write them."""

import os
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import gammapolars as gp
from gammapolars.core.errors import InputError, UsageError
from gammapolars.io.spectra import n42, n42_document
from gammapolars.io.spectra.channels import Axis, Channels
from gammapolars.io.spectra.measurement import Measurement
from gammapolars.io.spectrum_files import read_spectra
from tests.commandline import gammapolars
from tests.spectrumfiles import measured, written

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


def test_times_are_those_of_the_spectrum_and_of_nothing_next_to_it() -> None:
    counter = "<GrossCounts><LiveTimeDuration>PT3S</LiveTimeDuration><CountData>7</CountData></GrossCounts>"
    text = OF_2012.replace("<LiveTimeDuration>PT1H0.5S</LiveTimeDuration>", "").replace(
        "<Spectrum", f"{counter}<Spectrum"
    )
    derived = """<DerivedData id="d"><StartDateTime>2021-01-01T00:00:00</StartDateTime><RealTimeDuration>PT100S
</RealTimeDuration><Spectrum id="sum"><ChannelData>4 5</ChannelData></Spectrum></DerivedData></RadInstrumentData>"""

    spectra = n42.spectra_of(text.replace("</RadInstrumentData>", derived).encode())

    first, total = (spectra[name]().measurement for name in ("first", "sum"))
    assert (first.live_time_s, first.real_time_s) == (None, 519.127)
    assert (total.started, total.live_time_s, total.real_time_s) == (datetime(2021, 1, 1), None, 100.0)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("P0Y0M0DT0H0M9.5S", 9.5), ("PT1.5M", 90.0), ("P1DT1H", 90000.0), ("PT0.5H0S", 1800.0), ("P1M", None)],
)
def test_durations(duration: str, seconds: float | None) -> None:
    assert n42.decode(OF_2012.replace("PT1H0.5S", duration).encode()).measurement.live_time_s == seconds


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
    with pytest.raises(UsageError, match=r"s\.N42: contains several spectra: choose one of first, b"):
        gp.read_spectrum(path)
    with pytest.raises(InputError, match=r"s\.N42: has no spectrum 'c' \(it has first, b\)"):
        gp.read_spectrum(path, "c")
    assert gammapolars("peaks", path, "-o", tmp_path / "p.csv").code == 0


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("</Spectrum>", "", "cannot be read as N42: mismatched tag"),
        ("3 1 4", "3 x 4", "counts are not numbers"),
        ("3 1 4", "3 inf 4", "counts are not finite numbers"),
        ('"None">\n3 1 4', '"CountedZeroes">0 999999999 0 9', "announces more than 1,048,576 channels"),
        ("1 5\n", "1 0\n", None),
        ('"None">\n3 1 4\n1 5', '"CountedZeroes">1 0', "its counted zeros are damaged"),
        ("<RadInstrumentData>", "<!DOCTYPE a><RadInstrumentData>", "declares a document type"),
        ("0.5 3.0 0", "0.5 a", "energy coefficients are not numbers"),
        ("ChannelData", "Data", "is not an N42 file, or contains no spectrum"),
    ],
)
def test_damage_is_named(tmp_path: Path, before: str, after: str, reason: str | None) -> None:
    (tmp_path / "s.n42").write_text(OF_2012.replace(before, after))

    if reason is None:
        assert gp.read_spectrum(tmp_path / "s.n42").table["counts"].to_list() == [3, 1, 4, 1, 0]
        return
    with pytest.raises(InputError, match=rf"s\.n42: .*{reason}"):
        gp.read_spectrum(tmp_path / "s.n42")


def test_bounds_of_energy_give_the_middles_of_channels() -> None:
    bounds = "<EnergyBoundaryValues>0 10 30 60 100 150</EnergyBoundaryValues>"
    text = OF_2012.replace("<CoefficientValues>0.5 3.0 0</CoefficientValues>", bounds)

    table, known = n42.decode(text.encode())

    assert known.energy is None
    assert table.columns == ["adc", "energy_kev", "counts", "variance"]
    assert table["energy_kev"].to_list() == [5, 20, 45, 80, 125]
    lower = n42.decode(text.replace(" 150", "").encode()).table
    assert lower["energy_kev"].to_list() == [5, 20, 45, 80, 120]
    with pytest.raises(InputError, match=r"its 5 channels have 3 bounds of energy"):
        n42.decode(text.replace(" 60 100 150", "").encode())


@pytest.mark.parametrize(
    ("calibration", "energies"),
    [
        ('<Calibration Type="Energy" EnergyUnits="MeV"><Equation Model="Polynomial"><Coefficients>0.001 0.002', [1, 3]),
        ('<Calibration EnergyUnits="keV"><Equation Model="LowerChannelEdge"><Coefficients>0 1 3 6 10 15 21', [0.5, 2]),
        (
            '<Calibration EnergyUnits="keV"><Equation Model="FullRangeFraction"><Coefficients>0 12 6',
            [1.083333, 3.416667],
        ),
        ('<Calibration EnergyUnits="keV"><Equation Model="Other"><Coefficients>0 3000 0', "Other"),
        ('<Calibration EnergyUnits="channels"><Equation Model="Polynomial"><Coefficients>0 3', "channels"),
    ],
)
def test_units_and_models_of_calibrations(calibration: str, energies: list[float] | str) -> None:
    before = '<Calibration Type="Energy"><Equation><Coefficients>1 2'
    data = OF_2006.replace(before, calibration).encode()

    if isinstance(energies, str):
        with pytest.raises(InputError, match=f"its calibration has the model .*{energies}.*: write polynomials"):
            n42.decode(data)
    else:
        assert n42.decode(data).table["energy_kev"].to_list()[:2] == pytest.approx(energies)


def test_a_spectrum_names_several_calibrations_in_any_order() -> None:
    width = '<Calibration ID="w" Type="FWHM"><Equation><Coefficients>5 6</Coefficients></Equation></Calibration>'
    energy = '<Calibration ID="e" Type="Energy"><Equation><Coefficients>0 3</Coefficients></Equation></Calibration>'
    counts = "<ChannelData>1 2</ChannelData></Spectrum>"
    beside, inside = f'{width}{energy}<Spectrum CalibrationIDs="w e">{counts}', f"<Spectrum>{width}{energy}{counts}"

    for text in (beside, inside):
        assert n42.decode(f"<N42>{text}</N42>".encode()).measurement.energy == (0.0, 3.0)


@pytest.mark.parametrize("terms", [[-5.0, 3000.0, 20.0], [-5.0, 3000.0, 20.0, 1.0, 4.0]])
def test_energies_are_those_of_specutils_by_fractions_of_the_range(tmp_path: Path, terms: list[float]) -> None:
    module = pytest.importorskip("SpecUtils", reason="gammapolars[spectra] is not installed")
    one = measured(calibration=module.EnergyCalibration.fromFullRangeFraction(1024, terms))

    table, _ = n42.decode(written(tmp_path / "s.n42", "N42_2006", one).read_bytes())

    bounds = np.asarray(one.channelEnergies())
    assert table["energy_kev"].to_numpy() == pytest.approx((bounds[1:] + bounds[:-1]) / 2, rel=1e-5)


def test_deviations_from_a_polynomial_are_no_polynomial() -> None:
    deviations = (
        "</CoefficientValues><EnergyValues>0 9</EnergyValues><EnergyDeviationValues>0 {}</EnergyDeviationValues>"
    )

    def read(last: str) -> tuple[float, ...] | None:
        data = OF_2012.replace("</CoefficientValues>", deviations.format(last)).encode()
        return n42.decode(data).measurement.energy

    assert read("0") == (0.5, 3.0)
    with pytest.raises(InputError, match=r"its calibration has deviations.*write polynomials, or \.pcf"):
        read("2.5")


def test_titles_and_detectors_are_read() -> None:
    information = '<RadDetectorInformation id="d"><RadDetectorName>HPGe 3</RadDetectorName></RadDetectorInformation>'
    text = OF_2012.replace("  <EnergyCalibration", f"{information}<EnergyCalibration")
    text = text.replace('id="first"', 'id="first" radDetectorInformationReference="d"')
    text = text.replace("<LiveTimeDuration>", "<Remark>Title: Cs &amp; Co\nand more</Remark><LiveTimeDuration>")

    known = n42.decode(text.encode()).measurement

    assert (known.title, known.detector) == ("Cs & Co", "HPGe 3")
    assert n42.decode(text.replace("Title: ", "").encode()).measurement.title == ""


def test_names_that_stand_twice_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "s.n42"
    again = '<Spectrum id="first"><ChannelData>{}</ChannelData></Spectrum>'
    path.write_text(
        OF_2012.replace("  </RadMeasurement>", f"{again.format('7 8')}{again.format('9 10')}</RadMeasurement>")
    )

    assert gp.read_spectrum(path, "first-2").table["counts"].to_list() == [7, 8]
    assert gp.read_spectrum(path, "first-3").table["counts"].to_list() == [9, 10]
    assert gp.read_spectrum(path, "first").table["counts"].to_list() == [3, 1, 4, 1, 5]


def test_of_many_spectra_a_few_are_named(tmp_path: Path) -> None:
    spectra = "".join(f'<Spectrum id="s{place}"><ChannelData>1 2</ChannelData></Spectrum>' for place in range(30))
    (tmp_path / "s.n42").write_text(OF_2012.replace("  </RadMeasurement>", f"{spectra}</RadMeasurement>"))

    with pytest.raises(UsageError, match=r"choose one of first, s0, s1, s2, s3, s4, s5, s6, …$"):
        gp.read_spectrum(tmp_path / "s.n42")


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["b1_ch2", "b1_ch4"], [(1, 2), (1, 4)]),
        (["left", "right"], [(0, 0), (0, 1)]),
        (["left", "b0_ch0"], [(0, 0), (0, 1)]),
        (["left", "b2_ch7"], [(0, 0), (2, 7)]),
    ],
)
def test_no_spectrum_takes_the_place_of_another(tmp_path: Path, names: list[str], keys: list[tuple[int, int]]) -> None:
    (tmp_path / "s.n42").write_bytes(n42_document.encode({name: channels(Measurement(name)) for name in names}))

    found = read_spectra(tmp_path / "s.n42")

    assert [*found] == keys
    assert [one.measurement.title for one in found.values()] == names


def channels(known: Measurement) -> Channels:
    counts = np.arange(40.0)
    return Channels(Axis("adc", 0.0, 1.0, 40), counts, counts, known)


KNOWN = Measurement(
    "Eu-152 at 7 cm", "HPGe-3", 98.5, 100.25, datetime(2024, 2, 29, 23, 59, 58), (0.5, 0.25, 1e-7, 1e-12)
)


@pytest.mark.parametrize(
    "known",
    [
        KNOWN,
        Measurement(),
        Measurement(title="< & > \" '"),
        Measurement(real_time_s=1e-9),
        Measurement(live_time_s=1e9),
    ],
)
def test_what_is_written_is_read(known: Measurement) -> None:
    data = n42_document.encode({"b0_ch1": channels(known), "b0_ch2": channels(KNOWN)})

    for name, expected in {"b0_ch1": known, "b0_ch2": KNOWN}.items():
        table, measurement = n42.decode(data, name)
        assert measurement == expected
        assert table["counts"].to_list() == list(range(40))


@pytest.mark.parametrize("parser", ["N42_2012", "Auto"])
def test_specutils_reads_all_that_is_written(tmp_path: Path, parser: str) -> None:
    module = pytest.importorskip("SpecUtils", reason="SandiaSpecUtils is not installed")
    other = Measurement("two", "NaI", 9.0, 10.0, datetime(2024, 3, 1))
    data = n42_document.encode({"b0_ch1": channels(KNOWN), "b0_ch2": channels(other)})
    (tmp_path / "s.n42").write_bytes(data)
    file = module.SpecFile()

    file.loadFile(str(tmp_path / "s.n42"), getattr(module.ParserType, parser))

    first, second = file.measurements()
    assert [first.title(), second.title()] == ["Eu-152 at 7 cm", "two"]
    assert [first.detectorName(), second.detectorName()] == ["detector-b0_ch1", "detector-b0_ch2"]  # its word for ids
    assert [first.startTime(), second.startTime()] == [KNOWN.started, other.started]
    assert (first.liveTime(), first.realTime(), second.liveTime()) == (98.5, 100.25, 9.0)
    assert first.calibrationCoeffs() == pytest.approx(KNOWN.energy, rel=1e-6)
    assert list(first.gammaCounts()) == list(second.gammaCounts()) == list(range(40))


def test_what_is_written_is_xml_of_the_standard() -> None:
    tree = ElementTree.fromstring(n42_document.encode({"b0_ch1": channels(KNOWN)}))

    space = {"n": "http://physics.nist.gov/N42/2011/N42"}
    (spectrum,) = tree.findall("n:RadMeasurement/n:Spectrum", space)
    ids = {element.get("id") for element in tree.iter() if element.get("id")}
    assert tree.tag == "{http://physics.nist.gov/N42/2011/N42}RadInstrumentData"
    assert {spectrum.get("radDetectorInformationReference"), spectrum.get("energyCalibrationReference")} <= ids
    assert tree.findtext("n:RadMeasurement/n:RealTimeDuration", namespaces=space) == "PT100.25S"
    assert len(ids) == 5


@pytest.mark.parametrize("coefficients", ["0 1 0", "0 0 0", "5", ""])
def test_no_calibration(coefficients: str) -> None:
    assert n42.decode(OF_2012.replace("0.5 3.0 0", coefficients).encode()).measurement.energy is None


@needs_cases
def test_the_spectrum_that_compass_writes() -> None:
    (path,) = (CASES / "spectra").glob("CH0*.n42")

    table, known = gp.read_spectrum(path)

    assert table.height == 16384
    assert table["counts"].sum() == 10_867  # the hits of channel 0 in the run's ROOT file
    assert (known.live_time_s, known.real_time_s) == (519.127, 519.127)
    assert known.started == datetime(2024, 5, 3, 18, 2, 56)
