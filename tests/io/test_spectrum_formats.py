"""CNF, TKA, IEC 61455, Amptek MCA, SPC and PCF: files that other programs write, or that are made here byte by byte."""

import builtins
import struct
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gammapolars as gp
from gammapolars.core.errors import InputError, UsageError
from gammapolars.io.spectra import amptek, cnf, iec, tka
from gammapolars.io.spectra.measurement import Measurement
from tests.commandline import gammapolars
from tests.spectrumfiles import AMPTEK, COUNTS, IEC_COUNTS, IEC_HEAD, STARTED, TERMS, cnf_of, iec_of, measured, written

# SpecUtils writes, and the bytes are read here.


def spec_utils() -> Any:
    return pytest.importorskip("SpecUtils", reason="SandiaSpecUtils is not installed")


WRITTEN = [
    ("Cnf", "s.cnf"),
    ("Tka", "s.tka"),
    ("SpcBinaryInt", "s.spc"),
    ("SpcBinaryInt", "s.An1"),
    ("SpcBinaryFloat", "s.SPC"),
    ("SpcAscii", "s.spc"),
    ("Pcf", "s.pcf"),
    ("N42_2012", "s.n42"),
    ("N42_2006", "s.n42"),
    ("SpeIaea", "s.spe"),
    ("Chn", "s.chn"),
]


@pytest.mark.parametrize(("kind", "name"), WRITTEN)
def test_what_specutils_writes_is_read(tmp_path: Path, kind: str, name: str) -> None:
    spec_utils()
    table, known = gp.read_spectrum(written(tmp_path / name, kind))

    assert table["counts"].to_list() == COUNTS.tolist()
    assert table["variance"].to_list() == COUNTS.tolist()
    assert table["adc"].to_list() == list(range(1024))
    assert known.live_time_s == 98.5
    assert known.real_time_s == pytest.approx(100.25, abs=0.011)  # CHN holds steps of 20 ms
    if kind == "Tka":
        assert known == Measurement(live_time_s=98.5, real_time_s=100.25)
        return
    assert known.started == STARTED
    middle = 0.5 if kind == "Pcf" else 0.0  # which gives the lower bounds of channels
    energies = np.polynomial.Polynomial(TERMS)(np.arange(1024) + middle)
    np.testing.assert_allclose(table["energy_kev"], energies, rtol=1e-6)
    assert known.title == ("" if kind == "SpcAscii" else "Eu152 at 7 cm")


@pytest.mark.parametrize("name", ["s.spc", "s.pcf", "s.cnf", "s.n42"])
def test_commands_take_them(tmp_path: Path, name: str) -> None:
    kind = {"s.spc": "SpcBinaryInt", "s.pcf": "Pcf", "s.cnf": "Cnf", "s.n42": "N42_2012"}[name]
    spec_utils()
    channel = np.arange(1024)
    counts = COUNTS + np.rint(5000 * np.exp(-(((channel - 500) / 5) ** 2)))

    done = gammapolars("peaks", written(tmp_path / name, kind, measured(counts=counts)), "-o", tmp_path / "p.csv")

    assert done.code == 0, done.err
    assert "125.5" in done.out.replace("125.6", "125.5")


def test_spectra_of_a_pcf_are_named(tmp_path: Path) -> None:
    spec_utils()
    spectra = [measured(title=title, counts=COUNTS + place) for place, title in enumerate(("left", "right"))]
    path = written(tmp_path / "s.pcf", "Pcf", *spectra)

    assert gp.read_spectrum(path, "right").table["counts"].to_list() == (COUNTS + 1).tolist()
    with pytest.raises(UsageError, match=r"s\.pcf: contains several spectra: choose one of left, right"):
        gp.read_spectrum(path)
    with pytest.raises(InputError, match=r"s\.pcf: has no spectrum 'up' \(it has left, right\)"):
        gp.read_spectrum(path, "up")
    twice = written(tmp_path / "t.pcf", "Pcf", measured(), measured(), measured())
    with pytest.raises(UsageError, match=r"choose one of spectrum-1, spectrum-2, spectrum-3"):
        gp.read_spectrum(twice)


def test_energies_that_are_no_polynomial_lie_between_the_bounds(tmp_path: Path) -> None:
    bent = spec_utils().EnergyCalibration.fromPolynomial(1024, [0.0, 3.0], [(0.0, 0.0), (661.0, 20.0), (2614.0, 0.0)])
    bounds = np.array(bent.channelEnergies())

    table, known = gp.read_spectrum(written(tmp_path / "s.pcf", "Pcf", measured(calibration=bent)))

    assert known.energy is None
    np.testing.assert_allclose(table["energy_kev"], (bounds[:-1] + bounds[1:]) / 2, atol=0.01)


@pytest.mark.parametrize("name", ["s.spc", "s.pcf", "s.an1"])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).write_bytes(b"\1\0" + bytes(600))
    real = builtins.__import__

    def without(wanted: str, *rest: Any, **more: Any) -> Any:
        if wanted == "SpecUtils":
            raise ImportError(wanted)
        return real(wanted, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)

    refused = gammapolars("peaks", tmp_path / name, "-o", tmp_path / "p.csv")

    what = "PCF" if name == "s.pcf" else "SPC"
    assert refused.code == 1
    assert refused.error == (
        f"Error: {tmp_path / name}: {what} is read by the package SandiaSpecUtils, which is not installed: "
        f"pip install 'gammapolars[spectra]'"
    )


@pytest.mark.parametrize("name", ["s.spc", "s.pcf"])
@pytest.mark.parametrize("content", [b"hello", b"\1\0" + bytes(10), b"\1\0" + b"\xff" * 3000, b"SpectrumName : x\n"])
def test_what_specutils_cannot_read(tmp_path: Path, name: str, content: bytes) -> None:
    spec_utils()
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=rf"{name}: cannot be read as {name[2:].upper()}"):
        gp.read_spectrum(tmp_path / name)


# CNF, made byte by byte.


def test_every_number_of_cnf() -> None:
    counts = [*range(255), 2**32 - 1]

    table, known = cnf.decode(cnf_of(counts, terms=(-1.5, 0.25, 1e-7, -1e-12)))

    assert table["counts"].to_list() == counts
    assert known.energy == pytest.approx((-1.5, 0.25, 1e-7, -1e-12), rel=1e-7)
    assert (known.live_time_s, known.real_time_s, known.started) == (98.5, 100.25, STARTED)
    assert known.title == "Csµg"


@pytest.mark.slow  # it takes 10 s to be imported
def test_becquerel_reads_the_same_of_cnf_and_iec(tmp_path: Path) -> None:
    pytest.importorskip("becquerel", reason="becquerel is not installed")
    parsers = import_module("becquerel.parsers")
    terms = (0.5, 0.25, 1e-7)
    (tmp_path / "s.cnf").write_bytes(cnf_of([98, 100, *range(254)], terms=terms) + bytes(2**17))
    (tmp_path / "s.iec").write_bytes(iec_of())

    for name, read in {"s.cnf": parsers.cnf.read, "s.iec": parsers.iec1455.read}.items():
        other, calibration = read(tmp_path / name)
        table, known = gp.read_spectrum(tmp_path / name)
        assert table["counts"].to_list() == list(other["counts"])
        assert (known.live_time_s, known.real_time_s) == pytest.approx((other["livetime"], other["realtime"]), abs=1e-6)
        assert known.started == other["start_time"]
        np.testing.assert_allclose(calibration(np.arange(table.height)), table["energy_kev"], rtol=1e-9)


@pytest.mark.parametrize("terms", [(0.0, 1.0), (0.0, 0.0), (5.0, 0.0)])
def test_cnf_without_a_calibration(terms: tuple[float, ...]) -> None:
    assert cnf.decode(cnf_of([1] * 256, terms=terms)).measurement.energy is None


def test_times_in_the_first_channels_of_cnf_are_no_counts() -> None:
    table, known = cnf.decode(cnf_of([98, 100, *[7] * 254]))

    assert table["counts"].to_list()[:3] == [0, 0, 7]
    assert cnf.decode(cnf_of([1] * 256, live=0, real=0)).measurement.live_time_s is None
    assert known.live_time_s == 98.5


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:100], "is not a CNF file"),
        (lambda data: data[:4200], "is not a CNF file"),
        (lambda data: data[:-1], "announces 256 channels, but 255 follow: is it cut short"),
        (lambda data: data.replace(struct.pack("<I", cnf.COUNTS), bytes(4)), "is not a CNF file"),
        (lambda data: data[:4282] + b"\0\0" + data[4284:], "announces 0 channels"),
        (lambda data: data[:4282] + b"\xff\xff" + data[4284:], "announces 16,776,960 channels"),
    ],
)
def test_damage_of_cnf(damage: Callable[[bytes], bytes], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        cnf.decode(damage(cnf_of([1] * 256)))


# Texts.


def test_tka() -> None:
    table, known = tka.decode(b"60\r\n116.5\r\n0\r\n3\r\n20000001\r\n\r\n")

    assert table["counts"].to_list() == [0, 3, 20_000_001]
    assert known == Measurement(live_time_s=60, real_time_s=116.5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("60\n116\n", "has 2 lines"),
        ("60\n116\n1\nx\n", "line 4 contains no number, unlike every line of a TKA file: 'x'"),
        ("60\n116\n1 2\n", "line 3 contains no number"),
        ("60\n50\n1\n", "begins with 60 and 50, which are not a live and a real time"),
        ("-1\n50\n1\n", "begins with -1 and 50"),
        ("hello", "line 1 contains no number"),
    ],
)
def test_damage_of_tka(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        tka.decode(text.encode())


def test_iec_61455() -> None:
    table, known = iec.decode(iec_of())

    assert table["counts"].to_list()[:6] == [40680, 41390, 41100, 40900, 41720, 41790]
    assert table.height == 12
    assert known == Measurement(
        title="Dummy data Test case 1 0.000000000E+00 0.000000000E+00 0.000000000E+00 0.000000000E+00 "
        "0.000000000E+00 0.000000000E+00 0.000000000E+00 0.000000000E+00",
        detector="NUCICA HPGE",
        live_time_s=3564,
        real_time_s=3600,
        started=datetime(2021, 9, 12, 10, 54, 31),
        energy=(-1.55656e-2, 0.8, -2.97939e-8),
    )


@pytest.mark.parametrize(
    ("line", "energy"),
    [
        ("-1.5E-02 8.0E-001 0.0E+00 0.0E+00", (-0.015, 0.8)),
        ("-1.5E-028.0E-01", (-0.015, 0.8)),
        ("0.5 0.25", (0.5, 0.25)),
        (" 0.00000000E+00 0.00000000E+00", None),
        ("", None),
    ],
)
def test_coefficients_of_iec(line: str, energy: tuple[float, ...] | None) -> None:
    assert iec.decode(iec_of([*IEC_HEAD[:3], line, *IEC_HEAD[4:]])).measurement.energy == energy


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", "is not an IEC 61455 file"),
        (iec_of(counts=[]), "has 58 lines, of which the first 58 are not counts"),
        (iec_of(counts=IEC_COUNTS[:2]), "announces 12 channels, but 10 follow"),
        (iec_of(counts=[IEC_COUNTS[0], IEC_COUNTS[2]]), "line 60 should hold 5 counts behind the first one's channel"),
        (iec_of(counts=[IEC_COUNTS[0].replace("41390", "4139x"), *IEC_COUNTS[1:]]), "counts that are not numbers"),
        (
            iec_of().replace(b"3600.00    12", b"3600.00      "),
            "line 2 should hold live time, real time and the number",
        ),
        (iec_of().replace(b"-1.55656000E-02", b"-1.55656000X-02"), "contains no numbers where some are expected"),
        (iec_of().replace(b"A004     5", b"A005     5"), "line 60 does not begin with A004"),
    ],
)
def test_damage_of_iec(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        iec.decode(data)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_amptek(newline: str) -> None:
    table, known = amptek.decode(AMPTEK.replace("\n", newline).encode())

    assert table["counts"].to_list() == [0, 5, 20_000_001, 7]
    gain = 13.95 / 321
    assert known.energy == pytest.approx((-gain, gain))  # and not GAIN, which is the amplifier's
    assert (known.live_time_s, known.real_time_s) == (3983.72, 4000)
    assert known.started == datetime(1998, 10, 20, 12, 17, 17)
    assert (known.title, known.detector) == ("Am-241 foil", "serial number 1199")


@pytest.mark.parametrize(
    ("calibration", "energy"),
    [
        ("<<CALIBRATION>>\nLABEL - keV\n10 20\n20 40\n30 60\n", (0.0, 2.0)),
        ("<<CALIBRATION>>\nLABEL - Energy [MeV]\n10 0.02\n20 0.04\n", (0.0, 2.0)),
        ("<<CALIBRATION>>\nLABEL - Channel\n10 20\n20 40\n", None),
        ("<<CALIBRATION>>\nLABEL - keV\n10 20\n", None),
        ("<<CALIBRATION>>\nLABEL - keV\n", None),
        ("<<CALIBRATION>>\n", None),
        ("", None),
    ],
)
def test_calibrations_of_amptek(calibration: str, energy: tuple[float, ...] | None) -> None:
    begin, end = AMPTEK.index("<<CALIBRATION>>"), AMPTEK.index("<<ROI>>")

    known = amptek.decode((AMPTEK[:begin] + calibration + AMPTEK[end:]).encode()).measurement

    assert known.energy == (energy if energy is None else pytest.approx(energy, abs=1e-12))


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("<<PMCA", "<<XMCA", "is not an Amptek MCA file"),
        ("<<END>>", "", "ends before <<END>>: is it cut short"),
        ("20000001", "2x", "<<DATA>> contains something other than numbers"),
        ("0\n5\n20000001\n7\n", "", "<<DATA>> contains no finite numbers"),
        ("3983.720000", "long", "LIVE_TIME is not a time: 'long'"),
        ("322 13950.0", "322", "<<CALIBRATION>> contains no pairs"),
        ("3983.720000", "-1", "cannot be read as an Amptek MCA file: live_time_s must be 0 or more"),
    ],
)
def test_damage_of_amptek(before: str, after: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        amptek.decode(AMPTEK.replace(before, after).encode())


@pytest.mark.parametrize("name", ["s.cnf", "s.tka", "s.mca", "s.iec", "s.pcf", "s.spc", "s.n42"])
def test_files_that_are_empty_or_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: no such file"):
        gp.read_spectrum(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=rf"{name}: is empty"):
        gp.read_spectrum(tmp_path / name)


def test_an_unknown_suffix_names_those_of_spectra(tmp_path: Path) -> None:
    (tmp_path / "s.xyz").write_text("1\n")

    refused = gammapolars("peaks", tmp_path / "s.xyz", "-o", tmp_path / "p.csv")

    assert refused.code == 2
    assert (
        "hits are read from .root, .bin, .csv, .parquet, .arrow, and spectra, by peaks and calibrate" in refused.error
    )
    assert all(suffix in refused.error for suffix in (".spe", ".chn", ".n42", ".cnf", ".tka", ".mca", ".spc", ".pcf"))


def test_a_spectrum_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "s.cnf").write_bytes(cnf_of([1] * 256))

    refused = gammapolars("rates", tmp_path / "s.cnf")

    assert gammapolars("info", tmp_path / "s.cnf").out.startswith(f"{tmp_path / 's.cnf'}: ")
    assert "contains a spectrum, not hits: spectra are read by peaks and calibrate" in refused.error
