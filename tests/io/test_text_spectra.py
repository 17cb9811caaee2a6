"""Spectra in text, as programs of all countries write them: the counts that were written are read, or none are."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.io.spectra import tables
from gammapolars.io.spectrum_files import holds_spectra
from tests.commandline import gammapolars
from tests.drawing import examples

CASES = Path(os.environ.get("GAMMAPOLARS_CASES", ""))
needs_cases = pytest.mark.skipif("GAMMAPOLARS_CASES" not in os.environ, reason="GAMMAPOLARS_CASES is not set")

CENTRES = (1173.2, 1332.5)


def cobalt(seed: int = 3) -> np.ndarray:
    """2048 channels with two peaks of 20,000 counts."""
    channel = np.arange(2048.0)
    expected = 50 * np.exp(-channel / 900) + sum(
        20_000 * np.exp(-0.5 * ((channel - at) / 8.4) ** 2) / (8.4 * np.sqrt(2 * np.pi)) for at in CENTRES
    )
    counts: np.ndarray = np.random.default_rng(seed).poisson(expected)
    return counts


def lines(numbers: np.ndarray, form: str = "{count}\n", *, first: int = 0) -> str:
    """A line for each channel."""
    return "".join(form.format(channel=channel, count=count) for channel, count in enumerate(numbers.tolist(), first))


def counts_of(data: str | bytes, encoding: str = "utf-8") -> list[float]:
    return tables.decode_text(data.encode(encoding) if isinstance(data, str) else data).table["counts"].to_list()


# Written in any layout, the counts come back.


@dataclass(frozen=True)
class Layout:
    """How a spectrum is written."""

    separator: str
    sign: str
    channels: str
    first: int
    names: tuple[str, str] | None
    title: str
    remarks: bool
    blank_lines: bool
    encoding: str
    line_end: str
    decimals: int

    @property
    def is_certain(self) -> bool:
        """Whether the file can be read in one way alone."""
        has_commas = self.sign == "," and self.decimals > 0
        if self.channels == "none":
            return self.names is not None or not has_commas
        return self.separator.strip(" ") != "," or (self.names is not None and not has_commas)

    def number(self, value: float) -> str:
        return f"{value:.{self.decimals}f}".replace(".", self.sign)

    def row(self, channel: str, count: str) -> str:
        cells = {"none": [count], "first": [channel, count], "last": [count, channel]}
        return self.separator.join(cells[self.channels])

    def written(self, counts: list[float]) -> bytes:
        text = [self.title] if self.title else []
        if self.names:
            text.append(self.row(*self.names))
        for channel, count in enumerate(counts, self.first):
            text.append(self.row(str(channel), self.number(count)))
            text += [f"# {channel}"] * (self.remarks and channel % 7 == 3) + [""] * (
                self.blank_lines and channel % 5 == 2
            )
        return (self.line_end.join(text) + self.line_end).encode(self.encoding)


NAMES = [
    ("Channel", "Counts"),
    ("CHANNEL", "COUNTS"),
    ("ch", "counts"),
    ("Kanal", "Impulse"),
    ("Canal", "Coups"),
    ("adc", "N"),
]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    separator = draw(st.sampled_from([",", ";", "\t", " ", "  ", " ; ", ", "]))
    channels = draw(st.sampled_from(["none", "first", "first", "last"]))
    names = draw(st.none() | st.sampled_from(NAMES)) if channels != "last" else draw(st.sampled_from(NAMES))
    sign = draw(st.sampled_from(".,"))
    if separator == ", " and sign == ",":
        separator = ","
    decimals = draw(st.sampled_from([0, 0, 1, 2]))
    title = draw(st.sampled_from(["", "", "Spectrum of Co-60", "# Eu-152 at 7 cm", "Live time: 300 s"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    return Layout(
        separator.strip(" ") or separator if not decimals else separator,
        sign,
        channels,
        draw(st.sampled_from([0, 1])),
        names,
        title,
        draw(st.booleans()),
        draw(st.booleans()),
        encoding,
        draw(st.sampled_from(["\n", "\r\n"])),
        decimals,
    )


def hundredths(layout: Layout) -> st.SearchStrategy[list[float]]:
    """Counts with as many decimals as the layout has."""
    scale = 10**layout.decimals
    return st.lists(st.integers(-500, 99_999), min_size=1, max_size=60).map(lambda n: [value / scale for value in n])


@given(st.data())
@examples(100)
def test_the_counts_that_were_written_are_read_or_none(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    counts = data.draw(hundredths(layout))
    written = layout.written(counts)

    try:
        table = tables.decode_text(written).table
    except InputError as error:
        text = str(error)
        assert "\n" not in text
        is_length = len(counts) > 16 and counts[0] == len(counts) - 1
        assert is_length or not layout.is_certain, (text, written)
        return
    assert table["counts"].to_list() == counts, written
    first = layout.first if layout.channels != "none" else 0
    assert table["adc"].to_list() == [first + place for place in range(len(counts))]


@given(st.lists(st.integers(0, 9999), min_size=16, max_size=80), st.sampled_from(["\t", ";", " ", ","]))
@examples(60)
def test_counts_in_one_line(counts: list[int], separator: str) -> None:
    assume(counts[0] != len(counts) - 1)  # which may be their number: see below

    assert counts_of(separator.join(map(str, counts))) == counts


def test_a_number_of_counts_in_front_of_them_is_not_taken_for_one() -> None:
    with pytest.raises(InputError, match="its first number, 23, is that of the numbers behind it"):
        counts_of("\t".join(["23", *["0"] * 23]))


# Members of the kinds that are known to go wrong.


@pytest.mark.parametrize("mark", ["", "\ufeff", "\u200b", "\ufeff\ufeff", "\n\n", "# counts of Co-60\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_first_channel_is_never_lost(mark: str, encoding: str) -> None:
    written = (mark + lines(cobalt())).encode(encoding)

    assert counts_of(written) == cobalt().tolist()


@pytest.mark.parametrize("first", ["\u00ef54", "u4", "\x0154", "nan", "-", "54 x", "?"])
def test_a_first_line_that_is_damaged_is_no_title(first: str) -> None:
    with pytest.raises(InputError, match=r"line 1|first|contains the byte 1"):
        counts_of(f"{first}\n58\n37\n56\n")


@pytest.mark.parametrize(
    "head",
    [
        "",
        "Spectrum of Co-60\n",
        "Live time: 300 s\nReal time: 301 s\n",
        "sep=;\n",
        "! Title\n",
        "Counts\n",
        "Zählungen\n",
    ],
)
def test_titles_of_any_kind(head: str) -> None:
    assert counts_of(head + "54\n58\n37\n") == [54, 58, 37]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Channel,Counts\n0,54\n1,58\n", {"adc": [0, 1], "counts": [54, 58]}),
        ("channel;counts\n0;54\n1;58\n", {"adc": [0, 1], "counts": [54, 58]}),
        ("COUNTS\tCHANNEL\n54\t1\n58\t2\n", {"adc": [1, 2], "counts": [54, 58]}),
        ("Channel Energy Counts\n0 0.00 54\n1 0.50 58\n", {"adc": [0, 1], "energy_kev": [0, 0.5], "counts": [54, 58]}),
        ('"Energie (keV)";"Impulse"\n"0,25";"1,5"\n"0,75";"58"\n', {"energy_kev": [0.25, 0.75], "counts": [1.5, 58]}),
        ("Energy [MeV], Counts\n0.5, 54\n1.5, 58\n", {"energy_kev": [500, 1500], "counts": [54, 58]}),
        ("# energy_kev counts\n1 54\n2 58\n", {"energy_kev": [1, 2], "counts": [54, 58]}),
        ("Channel No.;Counts;\n0;54;\n1;58;\n", {"adc": [0, 1], "counts": [54, 58]}),
        ("channel,counts,comment\n0,54,a b\n1,58,\n", {"adc": [0, 1], "counts": [54, 58]}),
        ("channel\tcounts\terror\n0\t54\t3\n1\t58\t2\n", {"adc": [0, 1], "counts": [54, 58], "variance": [9, 4]}),
        ("0,5 54,0\n1,5 58,5\n", {"energy_kev": [0.5, 1.5], "counts": [54, 58.5]}),
        ("1.0D+00 5.4D+01\n2.0D+00 5.8D+01\n", {"adc": [1, 2], "counts": [54, 58]}),
        ("   0      54\n   1      58\n", {"adc": [0, 1], "counts": [54, 58]}),
        ("0 \u221254\n1 58\n", {"adc": [0, 1], "counts": [-54, 58]}),
    ],
)
def test_tables_of_other_programs(text: str, columns: dict[str, list[float]]) -> None:
    table = tables.decode_text(text.encode()).table

    assert {name: table[name].to_list() for name in columns} == columns
    assert set(table.columns) == {*columns, "variance"}


def test_channels_and_energies_are_known_by_their_steps() -> None:
    text = "".join(f"{n} {0.5 * n:.2f} {count}\n" for n, count in enumerate(cobalt().tolist()))

    table = tables.decode_text(text.encode()).table

    assert table["energy_kev"].to_list() == [0.5 * n for n in range(2048)]
    assert table["counts"].to_list() == cobalt().tolist()


def test_rows_of_a_spreadsheet_may_be_longer_than_the_table() -> None:
    assert counts_of("Kanal;Impulse;;\r\n;;;\r\n0;54;;\r\n1;58;;\r\n;;;\r\n") == [54, 58]


@pytest.mark.parametrize("separator", ["", ","])
def test_a_decimal_comma_is_no_separator(separator: str) -> None:
    rates = cobalt() / 100
    text = "".join(f"{rate:.2f}\n".replace(".", ",") for rate in rates.tolist())

    assert counts_of(text) == pytest.approx(rates.tolist(), abs=1e-12)
    assert separator in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0,54\n1,58\n2,37\n", "'0,54' may be 54 counts in channel 0, or 0.54 counts: name the columns"),
        (lines(np.arange(40), "{channel},{count}\n") + "7,5\n", "may be 0 counts in channel 0, or"),
        ("0 54\n1 58\n1 37\n", "channel 1 appears twice, in line 2 and line 3"),
        ("channel,counts\n0,54\n0,58\n", "channel 0 appears twice, in line 2 and line 3"),
        ("0 0 54\n1 0.5 58\n", "which of its 3 columns are the counts"),
        ("channel;a;b\n0;1;54\n1;2;58\n", r"which of its columns \(channel, a, b\) are the counts"),
        ("a;b;counts\n0;1;54\n1;2;58\n", r"which of its columns \(a, b, counts\) are channels or energies"),
        ("channel;net;gross\n0;1;54\n1;2;58\n", "which of its columns"),
        ("54\n1,234\n987\n", "'1,234' may be 1234 or a decimal number"),
        ("0;54\n1;1.234\n2;987\n", "'1.234' may be 1234 or a decimal number"),
        ("54 1\n58 2\n", None),
        ("58 1\n54 2\n60 3\n", "its first column is neither rising nor falling"),
        ("0;54\n1\n2;37\n", "line 2 does not hold two numbers, as line 1 does: '1'"),
        ("54\n58\nTotal 112\n", "line 3 contains no number, although the numbers began in line 1: 'Total 112'"),
        ("17\n" + "5\n" * 17, "its first number, 17, is that of the numbers behind it"),
        ("54 1e999\n", "contains a number that is too large"),
        ("channel,counts\n0,54\n1,5_8\n", "line 3 contains no number in the column 'counts': '5_8'"),
        ("channel,counts\n0,54\n1,\n", "line 3 contains no number in the column 'counts'"),
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused(text: str, reason: str | None) -> None:
    if reason is None:
        assert len(counts_of(text)) >= 2
        return
    with pytest.raises(InputError, match=reason):
        counts_of(text)


@pytest.mark.parametrize("header", ["", "Channel,Counts\n"])
@pytest.mark.parametrize(
    ("before", "after"), [("\n7,", "\n7"), ("\n7,", "\n7,\n"), ("\n7,", "\n#7,"), ("\n7,", "\n7,,")]
)
def test_one_damaged_line_does_not_make_decimals_of_two_columns(header: str, before: str, after: str) -> None:
    written = header + lines(300 + np.arange(40) % 7, "{channel},{count}\n")

    with pytest.raises(InputError):
        counts_of(written.replace(before, after))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Channel;Countsx0;54\n1;58\n2;37\n", "a line contains column names and numbers"),
        ("Counts54\n58\n37\n", "a line contains column names and numbers"),
        ("Channel;Counts\np;54\n1;58\n", "line 2 contains neither a number nor words"),
        ("54\n#8\n37\n", "line 2 may be a remark or a channel's number: '#8': put a blank behind #"),
        ("#4\n58\n37\n", "line 1 may be a remark"),
        ('0 54\n1 "8\n', "a quote without its other|contains no number"),
        ('0;"54"\n1;"8\n', "a quote without its other|contains no number"),
        ("54 58 #37 " + "5 " * 20, "contains no number"),
    ],
)
def test_a_damaged_line_is_neither_title_nor_remark(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        counts_of(text)


# Spectra and hits are told apart.


@pytest.mark.parametrize(
    ("text", "is_spectrum"),
    [
        ("Channel,Counts\n0,54\n1,58\n", True),
        ("Kanal;Impulse\n0;54\n1;58\n", True),
        ("0,54\n1,58\n", True),
        ("54\n58\n", True),
        ("Foo;Bar\n0;54\n1;58\n2;37\n", True),
        ("Energy,Counts,Error\n0.5,54,7\n1.5,58,8\n", True),
        ("board,channel,adc,energy_kev,counts,variance\n0,1,0,,5,5\n", True),
        ("channel,counts\n0,54\n1,x\n", True),
        ("BOARD;CHANNEL;TIMETAG;ENERGY;ENERGYSHORT;FLAGS\n0;0;1;2;3;0x0\n", False),
        ("0;0;2418435423;5000;0;0x0\n0;1;2418458258;5678;0;0x0\n", False),
        ("board,channel,timestamp_ps,adc,flags\n0,0,5,100,0\n", False),
        ("ch,tag,E\n0,26377726,5000\n1,26377729,5678\n", False),
        ("clock;pulse\n0;54\n7;58\n19;37\n", False),
        ("time_ns det E\n373074966 0 5000\n", False),
        ("", False),
    ],
)
def test_a_csv_of_spectra_is_told_from_one_of_hits(tmp_path: Path, text: str, is_spectrum: bool) -> None:
    (tmp_path / "s.csv").write_text(text)

    assert holds_spectra(tmp_path / "s.csv") is is_spectrum


@pytest.mark.parametrize("command", ["convert", "coincidences", "rates"])
@pytest.mark.parametrize("name", ["s.csv", "s.CSV", "s.txt", "s.spe"])
def test_a_spectrum_is_no_run(tmp_path: Path, command: str, name: str) -> None:
    text = "$DATA:\n0 1\n54\n58\n" if name == "s.spe" else "Kanal;Impulse\n0;54\n1;58\n"
    (tmp_path / name).write_text(text)
    words = (command, tmp_path / name) + (("-o", tmp_path / "p.parquet") if command != "rates" else ())

    found = gammapolars(*words)

    assert f"{name}: contains a spectrum, not hits: spectra are read by peaks and calibrate" in found.error
    assert "112 " in gammapolars("info", tmp_path / name).out  # counts


def test_a_csv_of_one_long_line_is_a_spectrum(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(",".join(str(100_000 + n % 7) for n in range(16_384)))

    assert holds_spectra(tmp_path / "s.csv")
    assert gp.read_spectrum(tmp_path / "s.csv").table.height == 16_384


def test_hits_are_no_spectrum(tmp_path: Path) -> None:
    (tmp_path / "h.txt").write_text("BOARD;CHANNEL;TIMETAG;ENERGY;FLAGS\n0;0;5;100;0\n")

    found = gammapolars("peaks", tmp_path / "h.txt", "-o", tmp_path / "p.csv")

    assert found.code == 1
    assert "h.txt: its columns are those of hits (TIMETAG, FLAGS), and no spectrum's" in found.error


@pytest.mark.parametrize("name", ["S.csv", "s.txt"])
def test_peaks_of_a_table_of_another_program(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Kanal;Impulse\r\n" + lines(cobalt(), "{channel};{count}\r\n", first=1))

    gammapolars("peaks", tmp_path / name, "-o", tmp_path / "p.csv")

    peaks = pl.read_csv(tmp_path / "p.csv")
    assert peaks["centroid_adc"].to_list() == pytest.approx([at + 1 for at in CENTRES], abs=0.5)
    assert peaks["area"].to_list() == pytest.approx([20_000] * 2, abs=800)


def test_our_tables_as_spreadsheets_save_them(tmp_path: Path) -> None:
    text = "board;channel;adc;counts;variance\r\n0;1;0;5,5;5,5\r\n0;1;1;7;7\r\n0;2;0;9;9\r\n"
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())

    assert gp.read_spectrum(tmp_path / "s.csv", "b0_ch1").table["counts"].to_list() == [5.5, 7]
    assert gp.read_spectrum(tmp_path / "s.csv", "b0_ch2").table["counts"].to_list() == [9]


# The files of the collection of cases.


@needs_cases
@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("02_one.txt", 1),
        ("02_bom_one.txt", 1),
        ("08_deccomma_one.txt", 0.01),
        ("09_Channel_Counts.csv", 1),
        ("09_semicolon.csv", 1),
        ("09_three.txt", 1),
    ],
)
def test_the_cases_have_two_peaks(name: str, scale: float, tmp_path: Path) -> None:
    gammapolars("peaks", CASES / name, "-o", tmp_path / "p.csv")

    peaks = pl.read_csv(tmp_path / "p.csv")
    assert peaks["centroid_adc"].to_list() == pytest.approx([1173.37, 1332.48], abs=0.02)
    assert peaks["area"].to_list() == pytest.approx([19_782 * scale, 20_185 * scale], rel=0.01)
