"""Files on a server, read in parts: a real server on this machine, one that cannot give parts, and none at all."""

import pickle
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gammapolars as gp
from gammapolars.core.errors import InputError
from gammapolars.io import Reading, open_runs
from gammapolars.io.input_file import open_file
from gammapolars.io.places import times_at
from gammapolars.io.remote import BLOCK_BYTES, is_remote
from gammapolars.io.root.writer import Layout
from tests.ranges import borders
from tests.rootfiles import made_hits, write_hits

pytest.importorskip("aiohttp", reason="the extra 'remote' is not installed")


class Ranges(SimpleHTTPRequestHandler):
    """Gives files, and the parts of them that are asked for."""

    asked: list[int] = []  # noqa: RUF012 - bytes of each answer, shared on purpose

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        begin, end = 0, len(data)
        if wanted and wanted[1]:
            begin, end = int(wanted[1]), int(wanted[2] or len(data) - 1) + 1
        elif wanted:
            begin = max(len(data) - int(wanted[2]), 0)
        part = data[begin:end]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{begin + len(part) - 1}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)
        self.asked.append(len(part))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    Ranges.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=str(tmp_path))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_names_of_servers_are_told_from_paths() -> None:
    assert is_remote("https://host/run.root")
    assert is_remote("s3://bucket/run.root")
    assert is_remote("root://host//run.root")
    assert not is_remote("run.root")
    assert not is_remote(Path("https://host/run.root"))


@pytest.mark.parametrize("entries", [None, 5000])
def test_a_root_file_on_a_server_gives_the_same_hits(tmp_path: Path, server: str, entries: int | None) -> None:
    hits = made_hits(40_000)
    path = write_hits(tmp_path / "run.root", hits, Layout(first_bytes=None, entries=entries))

    runs = open_runs(f"{server}/run.root")

    assert_frame_equal(runs.hits.collect(), hits)
    assert runs.all[0].name == f"{server}/run.root"
    assert runs.count() == hits.height
    assert runs.files[0].size_bytes == path.stat().st_size
    assert runs.files[0].fingerprint == open_runs(path).files[0].fingerprint
    assert_frame_equal(
        gp.pairs(gp.scan(f"{server}/run.root"), "1us").collect(), gp.pairs(gp.scan(path), "1us").collect()
    )


def test_entries_of_a_file_on_a_server_are_read_in_ranges_in_another_process(tmp_path: Path, server: str) -> None:
    hits = made_hits(400_000)
    path = write_hits(tmp_path / "run.root", hits, Layout(entries=200_000))
    (file,) = open_runs(f"{server}/run.root").files

    elsewhere = pickle.loads(pickle.dumps(file.path))
    Ranges.asked.clear()
    part = open_file(elsewhere, Reading(rows=(200_000, 200_900))).hits.collect()

    assert str(elsewhere) == f"{server}/run.root"
    assert elsewhere.stat().st_size == path.stat().st_size
    assert borders(file) == [0, 200_000, 400_000]
    assert times_at(file, [200_000]) == [hits["timestamp_ps"][200_000]]
    assert_frame_equal(part, hits[200_000:200_900])
    of_baskets = [count for count in Ranges.asked if count < BLOCK_BYTES]  # others are metadata
    assert sum(of_baskets) < path.stat().st_size / 5


def test_a_server_that_gives_no_parts_is_refused(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_hits(tmp_path / "run.root", made_hits(40_000))

    def whole(self: Ranges) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(path.read_bytes())

    monkeypatch.setattr(Ranges, "do_GET", whole)
    monkeypatch.setattr(Ranges, "do_HEAD", whole)

    with pytest.raises(InputError, match=r"run\.root: .*server"):
        gp.scan(f"{server}/run.root").collect()


def test_only_the_branches_of_the_query_come_over_the_network(tmp_path: Path, server: str) -> None:
    hits = made_hits(400_000)
    path = write_hits(tmp_path / "run.root", hits)
    frame = gp.scan(f"{server}/run.root")

    found = frame.select("channel").collect()

    assert_frame_equal(found, hits.select("channel"))
    assert sum(Ranges.asked) < path.stat().st_size / 2


def test_files_on_a_server_and_here_are_one_run(tmp_path: Path, server: str) -> None:
    hits = made_hits(4000)
    write_hits(tmp_path / "a.root", hits[:2000])
    here = write_hits(tmp_path / "b.root", hits[2000:])

    assert_frame_equal(gp.scan(f"{server}/a.root", here).collect(), hits)


def test_what_is_not_there_is_one_clear_error(tmp_path: Path, server: str) -> None:
    with pytest.raises(InputError, match=r"http://127.*/gone\.root: there is no such file on the server"):
        gp.scan(f"{server}/gone.root")
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9/run\.root: cannot be read from its server"):
        gp.scan("http://127.0.0.1:9/run.root")
    (tmp_path / "run.root").write_bytes(b"no ROOT file at all" * 10)
    with pytest.raises(InputError, match=r"http://127.*/run\.root: is not a ROOT file"):
        gp.scan(f"{server}/run.root")


def test_a_scheme_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(url: str) -> None:
        raise ImportError("Please install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)

    with pytest.raises(
        InputError, match=r"s3://bucket/run\.root: cannot be read without .*gammapolars\[remote\].*s3fs"
    ):
        gp.scan("s3://bucket/run.root")


def test_a_file_that_vanishes_from_the_server(tmp_path: Path, server: str) -> None:
    path = write_hits(tmp_path / "run.root", made_hits(4000))
    frame = gp.scan(f"{server}/run.root")
    path.unlink()

    with pytest.raises(InputError, match=r"run\.root: cannot be read from its server"):
        frame.collect()


def test_formats_that_are_read_as_a_whole_are_refused(tmp_path: Path, server: str) -> None:
    made_hits(10).write_csv(tmp_path / "run.csv")

    with pytest.raises(InputError, match=r"run\.csv: only \.root and \.parquet files can be read from a server"):
        gp.scan(f"{server}/run.csv")


def test_a_parquet_file_on_a_server(tmp_path: Path, server: str) -> None:
    hits = made_hits(1000)
    hits.write_parquet(tmp_path / "run.parquet")

    assert_frame_equal(
        gp.scan(f"{server}/run.parquet").filter(pl.col("adc") > 5).collect(), hits.filter(pl.col("adc") > 5)
    )
