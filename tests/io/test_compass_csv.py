"""CoMPASS CSV files in all their forms, and our own: every line is read, or named."""

import os
import time
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.detectors.columns import Column
from gammapolars.io.columnar import scan_csv
from gammapolars.io.compass.csv import FIELDS
from gammapolars.io.reading import Losses, Reading
from gammapolars.io.text import blocks as text_blocks
from gammapolars.io.text import table as text_table
from tests.compassfiles import read_line, write_csv
from tests.hits import runs
from tests.rootfiles import made_hits

PLAIN = "BOARD;CHANNEL;TIMETAG;ENERGY;ENERGYSHORT;FLAGS"
LINE = "0;4;60508999;704;470;0x4000"
ORDER = [field.column for field in FIELDS.values()]


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    """Hits of all columns, in our order."""
    made = made_hits(3000)
    return made.with_columns(
        adc_short=pl.col("adc") // 2, energy_kev=(pl.col("adc") * 0.3671).round(3).cast(pl.Float64)
    ).select(name for name in ORDER if name != "probe_code")


def keeping() -> Reading:
    return Reading(losses=Losses())


def old(path: Path) -> Path:
    """A file that nobody is writing any more."""
    os.utime(path, (1, 1))
    return path


def written(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode())
    return old(path)


def error_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        scan_csv(path).collect()
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


# The forms.


@pytest.mark.parametrize("samples", [0, 3, 200])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("dropped", [(), ("energy_kev",), ("energy_kev", "adc_short"), ("adc",), ("adc_short",)])
def test_every_form(tmp_path: Path, hits: pl.DataFrame, dropped: tuple[str, ...], samples: int, end: str) -> None:
    expected = hits.drop(dropped)

    path = write_csv(tmp_path / "run.CSV", expected, samples=samples, end=end)

    # Looking at each line would give the same, slowly.
    with patch.object(text_table.TextTable, "_exact", side_effect=AssertionError):
        assert_frame_equal(gp.scan(path).collect(), expected)


@pytest.mark.parametrize("samples", [0, 30])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("dropped", [(), ("energy_kev",), ("energy_kev", "adc_short"), ("adc",), ("adc_short",)])
def test_segments_without_header(
    tmp_path: Path, hits: pl.DataFrame, dropped: tuple[str, ...], samples: int, first: bool
) -> None:
    expected = hits.drop(dropped)
    if first:
        write_csv(tmp_path / "run.csv", expected.head(0), samples=samples)

    path = write_csv(tmp_path / "run_12.CSV", expected, samples=samples, header=False)

    assert_frame_equal(scan_csv(path).collect(), expected)


def test_the_header_of_the_first_segment_counts_more_than_what_lines_look_like(tmp_path: Path) -> None:
    written(tmp_path / "run.CSV", "BOARD;CHANNEL;TIMETAG;ENERGY;CALIB_ENERGY;FLAGS")
    path = written(tmp_path / "run_1.CSV", "0;4;60508999;704;511;0x4000")

    assert scan_csv(path).select("adc", "energy_kev").collect().rows() == [(704, 511.0)]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("0;4;60508999;704;0x4000", ["board", "channel", "timestamp_ps", "adc", "flags"]),
        ("0;4;60508999;704.5;0x4000", ["board", "channel", "timestamp_ps", "energy_kev", "flags"]),
        ("60508999;704;0x4000", ["board", "channel", "timestamp_ps", "adc", "flags"]),
        ("60508999;704;470;0x4000", ["board", "channel", "timestamp_ps", "adc", "adc_short", "flags"]),
    ],
)
def test_fields_told_by_their_form(tmp_path: Path, line: str, names: list[str]) -> None:
    assert scan_csv(written(tmp_path / "x.csv", line, line)).collect().columns == names


@pytest.mark.parametrize(
    "line",
    [
        *("0;4;60508999;704;470;16384", "0;0x4;60508999;704;470;0x4000", "60508999;0x4000", "60508999;704.5;0x4000"),
        *("0;4;60508999;704.1;470.1;0x4000", "0;1;2;3;4;5;6;7;0x4000", "a;b;c", ";", "0;4;60508999;704.5;1;1;0x1"),
    ],
)
def test_fields_that_cannot_be_told(tmp_path: Path, line: str) -> None:
    assert "has no header with its fields" in error_of(written(tmp_path / "x.csv", line, line))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("BOARD;CHANNEL;TIMETAG;ENERGI;FLAGS", "unknown field 'ENERGI' in its header"),
        ("BOARD;CHANNEL;TIMETAG;SAMPLES;FLAGS", "unknown field 'SAMPLES' in its header"),
        ("BOARD;BOARD;CHANNEL;TIMETAG;ENERGY;FLAGS", "field BOARD appears twice"),
        ("BOARD;CHANNEL;TIMETAG;ENERGY", "field FLAGS is missing"),
        ("BOARD;CHANNEL;TIMETAG;FLAGS", "field ENERGY is missing"),
        ("BOARD;TIMETAG;ENERGY;FLAGS", "field CHANNEL is missing"),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, header: str, reason: str) -> None:
    assert reason in error_of(written(tmp_path / "x.csv", header, LINE))


@pytest.mark.parametrize(
    ("name", "channel"), [("Data_CH5@V1725_292_run.CSV", 5), ("3@DT5730 #2-11_run.csv", 3), ("run_CH7.csv", 0)]
)
def test_files_without_board_and_channel(tmp_path: Path, hits: pl.DataFrame, name: str, channel: int) -> None:
    expected = hits.drop("energy_kev")
    reading = keeping()

    found = scan_csv(write_csv(tmp_path / name, expected, old=True, samples=9), reading).collect()

    constants = {"board": pl.lit(0, pl.UInt16), "channel": pl.lit(channel, pl.UInt16)}
    assert_frame_equal(found, expected.with_columns(**constants))
    assert f"channel {channel} for all hits" in reading.losses.notes[0]


def test_the_column_tells_the_channel_and_not_the_name(tmp_path: Path) -> None:
    assert scan_csv(written(tmp_path / "Data_CH9@V1_run.CSV", PLAIN, LINE)).collect()["channel"].to_list() == [4]


def test_a_byte_order_mark_and_no_hits(tmp_path: Path) -> None:
    assert scan_csv(written(tmp_path / "a.csv", f"\ufeff{PLAIN}", LINE)).collect().height == 1
    assert scan_csv(written(tmp_path / "b.csv", f"\ufeff{LINE}")).collect().height == 1
    assert scan_csv(written(tmp_path / "c.csv", PLAIN)).collect().height == 0
    assert scan_csv(written(tmp_path / "d.csv", PLAIN, end="")).collect().height == 0


def test_queries_get_the_columns_that_they_ask_for(tmp_path: Path, hits: pl.DataFrame) -> None:
    found = scan_csv(write_csv(tmp_path / "run.csv", hits))

    assert_frame_equal(found.select("flags", "adc").collect(), hits.select("flags", "adc"))
    assert found.select(pl.len()).collect().item() == 3000
    assert_frame_equal(found.filter(pl.col("channel") == 1).head(7).collect(), hits.filter(channel=1).head(7))


@given(table=runs(), samples=st.sampled_from([0, 0, 1, 40]), size=st.integers(1, 400))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: pl.DataFrame, samples: int, size: int
) -> None:
    table = table.with_columns(pl.col("timestamp_ps").abs()).select(n for n in ORDER if n in table.columns)
    path = write_csv(tmp_path_factory.mktemp("csv") / "run.csv", table, samples=samples)

    with patch.object(text_blocks, "BLOCK_BYTES", max(size, 300 if samples else 60)):
        assert_frame_equal(scan_csv(path).collect(), table)


# Damage.

BAD = {
    "a field missing": "0;4;60508999;704;0x4000",
    "a field too many": f"{LINE};1",
    "a separator at the end": f"{LINE};",
    "an empty line": "",
    "a blank line": " ",
    "an empty field": "0;4;60508999;;470;0x4000",
    "empty flags": "0;4;60508999;704;470;",
    "text": "0;4;60508999;7o4;470;0x4000",
    "a fraction": "0;4;60508999;704.0;470;0x4000",
    "a blank before": "0;4;60508999; 704;470;0x4000",
    "a plus": "0;4;60508999;+704;470;0x4000",
    "decimal flags": "0;4;60508999;704;470;16384",
    "signed flags": "0;4;60508999;704;470;0x+1",
    "cut flags": "0;4;60508999;704;470;0x",
    "a quote": '0;4;60508999;704;"470;0x4000',
    "a NUL": "0;4;60508999;704;47\0;0x4000",
    "NULs": "\0" * 200,
    "two lines in one": LINE + LINE,
    "a carriage return": "0;4;60508999;704\r;470;0x4000",
    "another alphabet": "0;4;60508999;７04;470;0x4000",
    "a header": PLAIN,
    "what looks compressed": "x^9c;1;2;3;4;0x1",
}
OUTSIDE = {
    "ENERGY": "0;4;60508999;70000;470;0x4000",
    "CHANNEL": "0;-4;60508999;704;470;0x4000",
    "TIMETAG": "0;4;9223372036854775808;704;470;0x4000",
    "BOARD": "99999999999999999999999;4;60508999;704;470;0x4000",
    "FLAGS": "0;4;60508999;704;470;0x100000000",
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
@pytest.mark.parametrize("after", [0, 3])
def test_a_damaged_line(tmp_path: Path, line: str, after: int) -> None:
    path = written(tmp_path / "x.csv", PLAIN, LINE, LINE, line, *[LINE] * after)
    reading = keeping()

    assert error_of(path).startswith("line 4 is not BOARD;CHANNEL;")
    for columns in (["adc"], ["flags", "board"]):  # whichever columns are read
        assert scan_csv(path, reading).select(columns).collect().height == 2 + after
    assert [(loss.hits, loss.kind) for loss in reading.losses.all] == [(1, "damaged")]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_number_that_no_hit_can_have(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "x.csv", PLAIN, LINE, OUTSIDE[name], LINE)
    reading = keeping()

    assert error_of(path).startswith(f"line 3 has a value in {name} that is impossible for a hit")
    assert scan_csv(path, reading).collect().height == 2
    assert reading.losses.count("out_of_range") == 1
    assert reading.losses.count("damaged") == 0


def test_many_bad_lines_are_few_losses_with_exact_numbers(tmp_path: Path) -> None:
    lines = [LINE] * 50_000
    for place in (700, 701, 49_990):
        lines[place] = "0;4"
    lines[17] = OUTSIDE["ENERGY"]
    path = written(tmp_path / "x.csv", PLAIN, *lines)
    reading = keeping()

    assert error_of(path).startswith("line 19 has")
    for _ in range(2):
        assert scan_csv(path, reading).collect().height == 49_996

    outside, damaged = reading.losses.all
    assert outside.what.startswith("line 19 has a value in ENERGY that is impossible for a hit: '0;4;60508999;70000;")
    assert damaged.what.startswith("3 of the lines 702 to 49992 cannot be read: line 702 is not BOARD;CHANNEL;")
    assert (outside.hits, damaged.hits) == (1, 3)


def test_line_numbers_in_later_blocks(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", PLAIN, *[LINE] * 400, "", *[LINE] * 400, "0;4")
    reading = keeping()

    with patch.object(text_blocks, "BLOCK_BYTES", 1000):
        assert scan_csv(path, reading).collect().height == 800
    assert [loss.what.split(" is ")[0] for loss in reading.losses.all] == ["line 402", "line 803"]


def test_a_damaged_line_with_samples(tmp_path: Path) -> None:
    good = f"{LINE};1;10;11;12;-3"
    for bad in (LINE, f"{LINE};x;1", f"{LINE};1;10;a", good + good, f"0;4;5;6;7;;1;2;{'0' * 200}", "", "1;" * 300):
        path = written(tmp_path / "x.csv", f"{PLAIN};PROBE_CODE;SAMPLES", good, bad, good)

        assert error_of(path).startswith("line 3 is not")
        assert scan_csv(path, keeping()).collect().height == 2


def test_a_line_longer_than_a_block(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", PLAIN, LINE, LINE + "0" * 5000, LINE, "\0" * 9000, LINE)
    reading = keeping()

    with patch.object(text_blocks, "BLOCK_BYTES", 300):
        assert error_of(path).startswith("line 3 is not")
        assert scan_csv(path, reading).collect().height == 3
    assert [loss.what.split(" is not ")[0] for loss in reading.losses.all] == ["line 3", "line 5"]


def test_a_long_line_among_short_ones_comes_apart_from_them(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", PLAIN, *[LINE] * 300, "1" * 500_000, *[LINE] * 300)

    assert scan_csv(path, keeping()).collect().height == 600


LINES = "\n".join([PLAIN, *(f"{i % 2};{i};{9 * 10**17 + i};{i * 13000};{i};0x{i * 0x1234:x}" for i in range(1, 6)), ""])
CALIBRATED = "BOARD;CHANNEL;TIMETAG;ENERGY;CALIB_ENERGY;FLAGS\n" + "".join(
    f"0;1;{i};{i};{text};0x1\n" for i, text in enumerate(["1.5", "-2e-05", "3", ".5", "1e+2"])
)
WAVES = f"{PLAIN};PROBE_CODE;SAMPLES\n" + "".join(f"0;1;{i};2;3;0x4000;1;10;11;{i}\n" for i in range(4))
EDITS = st.lists(
    st.tuples(
        st.integers(0, 10**4), st.sampled_from(["set", "insert", "delete"]), st.sampled_from(b'019;x.-+e"\n\r\0\xff a')
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("text", [LINES, CALIBRATED, WAVES], ids=["plain", "calibrated", "waveforms"])
@given(edits=EDITS, block=st.sampled_from([50, 120, 10**6]), piece=st.sampled_from([1, 60, 10**6]))
def test_damage_is_what_a_reader_of_single_lines_finds(
    tmp_path_factory: pytest.TempPathFactory, text: str, edits: list[tuple[int, str, int]], block: int, piece: int
) -> None:
    header, _, body = text.encode().partition(b"\n")
    data = bytearray(body)
    for drawn, edit, value in edits:
        place = drawn % len(data)
        data[place : place + (edit != "insert")] = b"" if edit == "delete" else bytes([value])
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_bytes(header + b"\n" + bytes(data))
    old(path)
    names = header.decode().split(";")
    *lines, rest = bytes(data).split(b"\n")
    expected = [read_line(line, names) for line in lines] + (["damaged"] if rest else [])
    reading = keeping()

    with patch.object(text_blocks, "BLOCK_BYTES", block), patch.object(text_table, "PIECE_BYTES", piece):
        found = scan_csv(path, reading).collect()
        bad = [number for number, line in enumerate(expected, 2) if isinstance(line, str)]
        if bad:
            assert error_of(path).startswith(f"line {bad[0]} ") or f" line {bad[0]} " in error_of(path)
        else:
            assert_frame_equal(scan_csv(path).collect(), found)

    rows = [line for line in expected if isinstance(line, dict)]
    names = [name for name in FIELDS if name in names and name != "PROBE_CODE"]
    assert_frame_equal(found, pl.DataFrame([[row[name] for name in names] for row in rows], found.schema, orient="row"))
    for kind in ("damaged", "out_of_range"):
        assert reading.losses.count(kind) == expected.count(kind)


# The end of a file.


def test_a_last_line_without_end(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", PLAIN, LINE, LINE)
    path.write_bytes(path.read_bytes()[:-3])
    reading = keeping()

    assert error_of(old(path)).startswith("line 3 is cut short: '0;4;60508999;704;470;0x40'")
    assert scan_csv(path, reading).collect().height == 1
    assert reading.losses.count("damaged") == 1
    assert reading.losses.notes == ()


def test_a_file_that_is_still_being_written(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", PLAIN, LINE, LINE[:-2])
    path.write_bytes(path.read_bytes()[:-1])
    os.utime(path, (time.time() - 1,) * 2)
    reading = Reading()

    assert scan_csv(path, reading).collect().height == 1
    assert reading.losses.notes == ("x.csv: is still being written: read up to line 2",)


def test_what_is_added_while_reading_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", PLAIN, *[LINE] * 100)
    path.write_bytes(path.read_bytes() + b"0;4;6")
    blocks = text_blocks.TextFile(path).blocks(header=True)

    with patch.object(text_blocks, "BLOCK_BYTES", 500):
        first = next(blocks)
        with path.open("ab") as file:
            file.write(b"0508999;704;470;0x4000\n" * 50)
        os.utime(path, (1, 1))
        others = list(blocks)

    assert first.first_line == 2
    assert sum(block.lines for block in (first, *others)) == 100
    assert others[-1] == text_blocks.Block(b"0;4;6", 102, 0, growing=True)


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", PLAIN, *[LINE] * 100)
    blocks = text_blocks.TextFile(path).blocks(header=True)

    with patch.object(text_blocks, "BLOCK_BYTES", 500):
        next(blocks)
        path.write_text(PLAIN)
        with pytest.raises(InputError, match="became shorter while it was being read"):
            list(blocks)


# Our own CSV.


def test_our_own_files(tmp_path: Path, hits: pl.DataFrame) -> None:
    pairs = gp.pairs(hits.lazy(), "10us").collect()
    unknown = hits.with_columns(energy_kev=pl.when(pl.col("adc") > 9000).then("energy_kev"))
    for name, table in {"hits": unknown, "pairs": pairs}.items():
        gp.save(table.lazy(), tmp_path / f"{name}.csv")
        assert_frame_equal(scan_csv(tmp_path / f"{name}.csv").collect(), table)


@pytest.mark.parametrize("line", ["0,1,3,4", "0,1,3,4,5,6", "", "0,1,,4,5", "0,x,3,4,5", '0,1,3,4,"5', "0,1, 3,4,5"])
def test_damage_in_our_own_files(tmp_path: Path, line: str) -> None:
    path = written(tmp_path / "x.csv", "board,channel,timestamp_ps,adc,flags", "0,1,2,3,4", line, "0,1,-3,4,5")
    reading = keeping()

    assert error_of(path).startswith("line 3 is not board,channel,timestamp_ps,adc,flags: ")
    assert scan_csv(path, reading).collect()["timestamp_ps"].to_list() == [2, -3]
    assert reading.losses.count("damaged") == 1


def test_a_cut_line_does_not_pass_for_one_of_unknown_energy(tmp_path: Path) -> None:
    names = "board,channel,timestamp_ps,adc,flags,energy_kev"
    path = written(tmp_path / "x.csv", names, "0,1,2,3,4,", "0,1,2,3,4", "0,1,2,3,4,5.5")

    assert error_of(path).startswith("line 3 is not board,")
    assert scan_csv(path, keeping()).collect()["energy_kev"].to_list() == [None, 5.5]


def test_a_last_line_of_our_own_that_only_lacks_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("board,channel,timestamp_ps,adc,flags\n0,1,2,3,4\n0,1,3,4,5")

    assert scan_csv(path).collect()["flags"].to_list() == [4, 5]


def test_further_columns(tmp_path: Path) -> None:
    text = 'board,channel,timestamp_ps,adc,flags,name,x,gate\n0,1,2,3,4,"a ""b"", c",1.5,true\n0,1,2,3,4,é,,false\n'
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")

    found = scan_csv(tmp_path / "x.csv").select("name", "x", "gate").collect()

    assert found.rows() == [('a "b", c', 1.5, True), ("é", None, False)]


def test_a_foreign_table_keeps_the_types_of_columns_that_a_map_names(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "t;adc", "1.5;2.5")

    found = scan_csv(path, Reading(columns={"timestamp_ps": Column("t", "ns"), "energy_kev": Column("adc", "keV")}))

    assert found.collect().rows() == [(1.5, 2.5)]


# Recorded runs.

FOLDER = os.environ.get("GAMMAPOLARS_REAL_DATA", "")
recorded = pytest.mark.skipif(not FOLDER, reason="GAMMAPOLARS_REAL_DATA does not name the folder of recorded runs")


@recorded
def test_sodium_in_csv_gives_the_pairs_of_the_root_file() -> None:
    folder = Path(FOLDER) / "na22-two-nai"
    files = sorted((folder / "UNFILTERED").glob("*.CSV"))
    hits = gp.scan(*files)
    root = gp.scan(folder / "SDataR_na22_two_nai.root").collect()

    found = hits.collect()
    assert found.height == 200_000
    assert_frame_equal(found.filter(pl.col("timestamp_ps") <= root["timestamp_ps"][-1]), root)
    assert_frame_equal(gp.pairs(hits, "50ns").collect(), gp.pairs(root.lazy(), "50ns").collect())
    assert gp.pairs(hits, "50ns", reject="none").collect().height == 36_842


@recorded
def test_cobalt_and_caesium_in_csv() -> None:
    for path in sorted((Path(FOLDER) / "co60-cs137-nai").glob("*/UNFILTERED/*.CSV")):
        found = gp.scan(path).collect()
        assert found.height == 100_000

        expected = [read_line(line, PLAIN.split(";")) for line in path.read_bytes().splitlines()[1:10_001]]
        for name in PLAIN.split(";"):
            assert found[FIELDS[name].column][:10_000].to_list() == [
                line[name] for line in expected if isinstance(line, dict)
            ]
