"""Damaged files of all formats, a few hundred each, and what the fuzzer has found so far."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pyarrow.parquet as pq
import pytest
import uproot
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.io.arrow_footer import read_blocks
from gammapolars.io.root.writer import Layout
from gammapolars.io.untrusted import CRASHES
from gammapolars.streaming.slices import guarded
from tests.commandline import gammapolars
from tests.drawing import repetitions
from tests.fuzz import cases, outcomes, runner
from tests.fuzz.cases import formats
from tests.fuzz.outcomes import Read, Wrong
from tests.fuzz.runner import Summary, Worker
from tests.fuzz.worker import case_of, run_case
from tests.rootfiles import made_hits, write_hits

CASES = 12
"""Of each format every day; the slow test goes on where these end."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process for the cases of all formats, because it takes a second to start."""
    process = Worker(limit_s=30)
    yield process
    process.close()


@pytest.mark.parametrize("name", formats())
def test_damaged_files_give_what_they_hold_or_one_clear_error(worker: Worker, name: str) -> None:
    found = Summary()
    for number in range(CASES):
        found.add(number, worker.run(name, 1, number))

    assert found.failures == {}
    assert found.cases == CASES
    assert found.counts["read"] > 0
    assert name == "notes" or found.counts["refused"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", formats())
def test_more_damaged_files_do_so_too(name: str) -> None:
    """A release runs 10,000 of each: `python -m tests.fuzz --cases 10000`."""
    found = runner.run(name, range(CASES, CASES + repetitions(34 * CASES)), seed=1, workers=1, limit_s=30)

    assert found.failures == {}


# The fuzzer itself: a check that cannot fail is none.


@pytest.mark.parametrize("name", formats())
def test_a_case_is_always_the_same(name: str) -> None:
    bases = {base.name: base for base in [case_of(name, 3, number).base for number in range(40)]}
    assert len(bases) > 1

    for number in range(20):
        one, other = (
            cases.make_case(name, list(bases.values()), seed=3, number=number, text=formats()[name].text)
            for _ in range(2)
        )
        assert (one.data, one.steps, one.rng.random()) == (other.data, other.steps, other.rng.random())


def changed(read: Read, change: str) -> Read:
    if change == "a value":
        read.hits = read.hits.with_columns(adc=pl.col("adc") ^ 1)
    elif change == "a hit less":
        read.hits = read.hits.head(-1)
    elif change == "a hit more":
        read.hits = pl.concat([read.hits, read.hits.tail(1)])
    return read


@pytest.mark.parametrize("name", ["root", "csv", "bin", "parquet", "arrow"])
@pytest.mark.parametrize("change", ["a value", "a hit less", "a hit more"])
def test_a_wrong_answer_is_noticed(name: str, change: str) -> None:
    read_hits = outcomes.read_hits

    def read_wrongly(path: Path, **how: Any) -> Any:
        read = read_hits(path, **how)
        return changed(read, change) if isinstance(read, Read) else read

    with patch.object(cases, "read_hits", read_wrongly), patch.object(cases, "COMMANDS", 0):
        whole = run_case(name, 0, 0)
        assert any("failure" in run_case(name, 0, number) for number in range(1, 50))

    assert "failure" in whole


@pytest.mark.parametrize("error", [ValueError("x"), pl.exceptions.PanicException("x"), InputError("two\rlines")])
def test_any_other_error_is_noticed(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(Wrong):
        outcomes.attempt(tmp_path / "run.root", fail)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("print(1); input(); import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with exit code -11"),
        ("print(1); input(); import time; time.sleep(60)", "no end within 1 s"),
        ("print(1); input(); import sys; sys.exit('out of memory')", "exit code 1: out of memory"),
    ],
)
def test_a_process_that_dies_or_hangs_is_noticed_and_replaced(script: str, what: str) -> None:
    worker = Worker([sys.executable, "-c", script], limit_s=1)

    for number in range(2):
        assert what in worker.run("root", 0, number)["failure"]
    worker.close()


@pytest.mark.slow
def test_a_case_that_takes_too_much_memory_fails() -> None:
    script = (
        "from tests.fuzz.worker import limit_memory; limit_memory(); print(1, flush=True); input(); bytearray(2**31)"
    )
    worker = Worker([sys.executable, "-c", script], limit_s=30)

    assert "MemoryError" in worker.run("root", 0, 0)["failure"]
    worker.close()


# What it found in Parquet and Arrow files; what it found in ROOT files stands in test_root_damage.py and
# test_recovery.py.


@pytest.fixture(scope="module")
def hits() -> pl.DataFrame:
    return made_hits(3000)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_guarded_tables_answer_like_others(tmp_path: Path, hits: pl.DataFrame, suffix: str) -> None:
    path = tmp_path / f"run.{suffix}"
    gp.save(hits.lazy(), path)
    table = gp.scan(path)

    assert_frame_equal(table.collect(), hits)
    assert_frame_equal(table.collect(engine="streaming"), hits)
    assert_frame_equal(table.select("flags", "adc").collect(), hits.select("flags", "adc"))
    assert table.select(pl.len()).collect().item() == 3000
    busy = table.filter(pl.col("channel") == 1).select("adc")
    assert_frame_equal(busy.collect(), hits.filter(pl.col("channel") == 1).select("adc"))
    assert_frame_equal(table.head(7).collect(), hits.head(7))
    assert_frame_equal(table.slice(2990, 20).collect(), hits.slice(2990, 20))
    assert_frame_equal(table.head(50).filter(pl.col("channel") == 1).collect(), hits.head(50).filter(channel=1))


def test_filters_reach_what_a_guarded_frame_reads(tmp_path: Path, hits: pl.DataFrame) -> None:
    """Row groups that a filter excludes are not read: here they are damaged."""
    path = tmp_path / "run.parquet"
    hits.write_parquet(path, row_group_size=1000, compression="zstd")
    known = pq.read_metadata(path)
    data = bytearray(path.read_bytes())
    begin = known.row_group(2).column(0).data_page_offset
    data[begin : begin + 200] = bytes(200)
    path.write_bytes(data)
    table = guarded(pl.scan_parquet(path), CRASHES, lambda error: InputError(f"told: {error}"))

    early = table.filter(pl.col("timestamp_ps") < hits["timestamp_ps"][1500])

    assert_frame_equal(early.collect(), hits.head(1500))
    assert_frame_equal(early.select("adc").head(3).collect(), hits.select("adc").head(3))
    with pytest.raises(InputError, match="told: "):
        table.collect()


@pytest.mark.parametrize("codec", ["uncompressed", "zstd", "snappy"])
def test_a_damaged_page_is_an_error_and_not_the_end_of_the_process(
    tmp_path: Path, hits: pl.DataFrame, codec: Any
) -> None:
    """A page's own lengths once asked polars for 2 exabytes, and the process was gone."""
    path = tmp_path / "run.parquet"
    hits.write_parquet(path, row_group_size=1000, compression=codec)
    whole = path.read_bytes()
    begin = pq.read_metadata(path).row_group(1).column(2).data_page_offset

    refused = 0
    for place in range(begin, begin + 40, 3):
        data = bytearray(whole)
        data[place : place + 8] = b"\xff" * 8
        path.write_bytes(data)
        try:
            assert gp.scan(path).collect().height == 3000
        except InputError:
            refused += 1
    assert refused > 3


def test_a_footer_that_leads_beyond_the_file_is_refused_before_polars_follows_it(
    tmp_path: Path, hits: pl.DataFrame
) -> None:
    """Its threads would panic, and print so."""
    whole = tmp_path / "whole.parquet"
    hits.write_parquet(whole)
    data = whole.read_bytes()
    path = tmp_path / "run.parquet"
    path.write_bytes(data[:4] + data[2000:])

    outcome = gammapolars("info", path)

    assert "is outside the file" in outcome.error
    assert outcome.code == 1


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_batches_that_an_arrow_footer_forgets_are_missed(tmp_path: Path, hits: pl.DataFrame, lost: int) -> None:
    path = tmp_path / "run.arrow"
    hits.write_ipc(path, record_batch_size=800, compression="uncompressed")
    with path.open("rb") as file:
        blocks, footer = read_blocks(file)
    data = bytearray(path.read_bytes())
    listed = data.index(blocks[0][0].to_bytes(8, "little"), footer.start) - 4
    assert data[listed] == len(blocks) == 4
    data[listed] -= lost
    path.write_bytes(data)

    with pytest.raises(InputError, match=r"run\.arrow: .*its footer (lists none|does not list all) of its content"):
        gp.scan(path)


def test_a_panic_that_nobody_expects_is_one_line(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = tmp_path / "run.parquet"
    hits.write_parquet(path)

    with patch("gammapolars.commands.info.run.inspect", side_effect=pl.exceptions.PanicException("threads died")):
        outcome = gammapolars("info", path)

    assert outcome.code == 1
    assert outcome.err == "Error: polars stopped with an internal error: is an input file damaged?\n"


def test_a_parquet_file_that_gives_fewer_rows_than_it_tells_is_refused(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = tmp_path / "run.parquet"
    hits.write_parquet(path)

    with (
        patch("gammapolars.io.untrusted._parquet_batches", lambda *_: iter([hits.head(10)])),
        pytest.raises(InputError, match="it contains 10 of 3000 rows"),
    ):
        gp.scan(path).collect()


def test_provenance_that_cannot_be_read_does_not_stop_what_can(tmp_path: Path, hits: pl.DataFrame) -> None:
    path = write_hits(tmp_path / "run.root", hits, Layout(entries=500))
    data = bytearray(path.read_bytes())
    with uproot.open(path) as file:
        data[file.fSeekKeys : file.fSeekKeys + 60] = b"\xff" * 60
    path.write_bytes(data)

    outcome = gammapolars("info", path, "--keep-going", "--json")

    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out)["hits"] == hits.height


@pytest.mark.slow
def test_metadata_that_are_no_text_do_not_matter(
    tmp_path: Path, hits: pl.DataFrame, capfd: pytest.CaptureFixture[str]
) -> None:
    """Handed to polars, they would make it panic."""
    path = tmp_path / "run.parquet"
    hits.write_parquet(path)
    path.write_bytes(path.read_bytes().replace(b"ARROW:schema", b"ARROW:sc\xe8ema"))

    assert_frame_equal(gp.scan(path).collect(), hits)
    assert capfd.readouterr().err == ""
