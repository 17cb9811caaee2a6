"""Small files that tell of much: they are unpacked in bounded batches or refused, and come out as they are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.core.schema import HITS
from gammapolars.io import arrow_batches, untrusted
from gammapolars.io.arrow_footer import read_blocks
from gammapolars.io.row_ranges import Rows
from gammapolars.streaming.slices import WIDE_ROWS, batches_of
from tests.commandline import gammapolars
from tests.rootfiles import made_hits

TEXT = "x" * 1_000_000


def unpacked(path: Path) -> list[int]:
    """What each batch of an Arrow IPC file unpacks to."""
    with path.open("rb") as file:
        return [arrow_batches.unpacked_bytes(file, place) for place, _ in read_blocks(file)[0]]


@pytest.fixture(params=[pa.string(), pa.large_string()])
def texts(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """80 hits with a text of 1 MB each, stored once: 5 kB."""
    table = made_hits(80).to_arrow().append_column("note", pa.array([TEXT] * 80, request.param))
    path = tmp_path / "bomb.parquet"
    pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=2**30)
    return path


@pytest.mark.slow
def test_repeated_texts_are_unpacked_a_part_at_a_time(texts: Path) -> None:
    assert texts.stat().st_size < 10_000

    rows = []
    for frame in untrusted._parquet_batches(texts, ["adc", "note"]):
        assert frame.height * len(TEXT) <= untrusted.BATCH_BYTES + len(TEXT)
        assert frame["note"].dtype == pl.String
        assert frame["note"].str.len_bytes().to_list() == [len(TEXT)] * frame.height
        rows += frame["adc"].to_list()

    assert rows == made_hits(80)["adc"].to_list()


def test_info_reads_what_hits_can_have(texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither texts nor lists; other numbers are, so that damage in them does not go unnoticed."""
    read: list[str] = []
    batches = untrusted._parquet_batches

    def watched(path: Path, columns: list[str], rows: Rows | None) -> Iterator[pl.DataFrame]:
        read.extend(columns)
        yield from batches(path, columns, rows)

    monkeypatch.setattr(untrusted, "_parquet_batches", watched)
    table = pq.read_table(texts, columns=list(HITS.columns)).append_column("further", pa.array([0.5] * 80))
    pq.write_table(table.append_column("waveform", pa.array([[1, 2]] * 80)), tmp_path / "further.parquet")

    assert "80 hits" in gammapolars("info", texts).out
    assert set(read) == set(HITS.columns)
    assert "80 hits" in gammapolars("info", tmp_path / "further.parquet").out
    assert set(read) == {*HITS.columns, "further"}


def test_lists_are_unpacked_a_few_rows_at_a_time(tmp_path: Path) -> None:
    ends = pa.array(np.arange(13) * 1_000_000, pa.int32())
    lists = pa.ListArray.from_arrays(ends, pa.array(np.zeros(12_000_000, np.int8)))
    path = tmp_path / "bomb.parquet"
    pq.write_table(made_hits(12).to_arrow().append_column("waveform", lists), path, compression="zstd")

    assert max(frame.height for frame in untrusted._parquet_batches(path, ["adc", "waveform"])) <= 8
    assert [frame.height for frame in untrusted._parquet_batches(path, ["adc", "flags"])] == [12]


def test_rows_with_texts_are_held_by_the_thousand(tmp_path: Path) -> None:
    hits = made_hits(20_000).with_columns(note=pl.lit("n"))
    hits.write_parquet(tmp_path / "run.parquet")

    assert gammapolars("convert", tmp_path / "run.parquet", "-o", tmp_path / "out.parquet").code == 0
    assert max(frame.height for frame in batches_of(gp.scan(tmp_path / "run.parquet"))) <= WIDE_ROWS
    groups = pq.read_metadata(tmp_path / "out.parquet")
    assert max(groups.row_group(number).num_rows for number in range(groups.num_row_groups)) <= WIDE_ROWS
    assert pl.read_parquet(tmp_path / "out.parquet").equals(hits)


@pytest.mark.parametrize("packing", ["lz4", "zstd"])
def test_an_arrow_batch_is_not_unpacked_to_hundreds_of_times_its_size(tmp_path: Path, packing: str) -> None:
    """25 million hits, all alike."""
    hits = made_hits(1).to_arrow().take(pa.array(np.zeros(25_000_000, np.int8)))
    path = tmp_path / "bomb.arrow"
    options = ipc.IpcWriteOptions(compression=packing)
    with ipc.new_file(path, hits.schema, options=options) as file:
        file.write_table(hits.combine_chunks())

    assert path.stat().st_size < 3_000_000
    for command in ("info", "rates"):
        assert "unpacks to 0.5 GB, too much to unpack at once" in gammapolars(command, path).err


def test_a_batch_that_is_larger_itself_is_judged_too(tmp_path: Path) -> None:
    """3 MB that unpack to 0.9 GB: what is stored may be of any size."""
    hits = made_hits(1).to_arrow().take(pa.array(np.zeros(45_000_000, np.int8)))
    path = tmp_path / "bomb.arrow"
    with ipc.new_file(path, hits.schema, options=ipc.IpcWriteOptions(compression="lz4")) as file:
        file.write_table(hits.combine_chunks())

    assert path.stat().st_size > arrow_batches.PACKED_BYTES / arrow_batches.MOST_PACKED
    assert "too much to unpack at once" in gammapolars("info", path).err


@pytest.mark.parametrize("packing", ["lz4", "zstd", None])
def test_arrow_batches_that_are_packed_as_hits_are_come_out_as_they_are(tmp_path: Path, packing: str | None) -> None:
    hits = made_hits(30_000)
    options = ipc.IpcWriteOptions(compression=packing)
    with ipc.new_file(tmp_path / "run.arrow", hits.to_arrow().schema, options=options) as file:
        file.write_table(hits.to_arrow(), max_chunksize=7000)

    found = unpacked(tmp_path / "run.arrow")
    assert not any(found) if packing is None else sum(found) >= hits.estimated_size()
    assert gp.scan(tmp_path / "run.arrow").collect().equals(hits)


@pytest.mark.parametrize("row_group_size", [1, 7, 100])
@pytest.mark.parametrize("dictionaries", [True, False])
def test_texts_come_out_as_they_are(tmp_path: Path, row_group_size: int, *, dictionaries: bool) -> None:
    notes = ["a", None, "", "γ", "a", None, "long" * 500] * 10
    hits = made_hits(70).with_columns(note=pl.Series(notes), raw=pl.Series([str(n).encode() for n in notes]))
    path = tmp_path / "run.parquet"
    pq.write_table(hits.to_arrow(), path, row_group_size=row_group_size, use_dictionary=dictionaries)

    assert gp.scan(path).collect().equals(hits)
    assert gp.scan(path).select("note").collect()["note"].to_list() == notes


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("s.n42", "<R><Spectrum><ChannelData>{}</ChannelData></Spectrum></R>", "counts are more than 1,048,576"),
        ("s.mca", "<<PMCA SPECTRUM>>\n<<DATA>>\n{}\n<<END>>\n", "<<DATA>> contains no finite numbers, or too many"),
        ("s.tka", "1\n1\n{}", "has .* lines, and TKA has a live time, a real time and counts"),
    ],
)
def test_more_channels_than_any_spectrum_has_are_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text.format("7\n" * (2**20 + 2)))

    with pytest.raises(InputError, match=reason):
        gp.read_spectrum(tmp_path / name)


@pytest.mark.parametrize("suffix", [".n42", ".cnf", ".spc", ".pcf", ".tka", ".mca", ".iec", ".spe", ".chn"])
def test_larger_files_than_any_spectrum_has_are_not_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"s{suffix}"
    with path.open("wb") as file:
        file.truncate(2**26 + 1)

    with pytest.raises(InputError, match=rf"s\{suffix}: is larger than 64 MB, the limit for this kind of file"):
        gp.read_spectrum(path)
