"""The command `view`: a page for this machine alone, whose matrices and fits are those of the commands."""

import http.client
import json
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest

from gammapolars.commands.view.parse import ViewOptions
from gammapolars.commands.view.run import opened as opened_input
from gammapolars.commands.view.server import PageServer
from tests.commandline import REPOSITORY, gammapolars
from tests.report.live.browsers import opened
from tests.report.live.test_live_gates import by_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXAMPLE = REPOSITORY / "data" / "co60-four-hpge.root", "--detectors", REPOSITORY / "data" / "detectors.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pairs of the example run, and their matrix."""
    folder = tmp_path_factory.mktemp("view")
    gammapolars("coincidences", *EXAMPLE, "-o", folder / "pairs.parquet")
    gammapolars("matrix", folder / "pairs.parquet", "--bin-kev", "1", "-o", folder / "matrix.parquet")
    return folder


@contextmanager
def served(*names: Path) -> Iterator[PageServer]:
    with opened_input(ViewOptions(names=[str(name) for name in names])) as shown:
        server = shown.server()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            server.server_close()


def asked(server: PageServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())


def test_only_this_machine_and_who_knows_the_address_see_the_page(folder: Path) -> None:
    with served(folder / "matrix.parquet") as server:
        path = urlsplit(server.url).path
        status, page, headers = asked(server, path)
        assert status == 200
        assert b'id="live-total"' in page
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert server.server_address[0] == "127.0.0.1"

        wrong = [
            ("/", "GET", {}, 404),
            ("/index.html", "GET", {}, 404),
            (path[:-2] + "/", "GET", {}, 404),
            (path + "../matrix.parquet", "GET", {}, 404),
            (path + "matrix", "GET", {}, 404),
            (path, "GET", {"Host": "evil.example"}, 403),
            (path, "GET", {"Host": f"localhost:{server.server_address[1]}"}, 403),
            (path, "GET", {"Origin": "https://evil.example"}, 403),
            (path, "GET", {"Origin": "null"}, 403),
            (path, "POST", {}, 501),
            (path, "DELETE", {}, 501),
        ]
        for place, method, sent, expected in wrong:
            status, said, _ = asked(server, place, method, **sent)
            assert (place, sent, status) == (place, sent, expected)
            assert b"live" not in said


def test_what_cannot_be_asked_is_said_in_one_line(folder: Path) -> None:
    with served(folder / "pairs.parquet") as server:
        path = urlsplit(server.url).path
        for query, message in [
            ("matrix?x=nobody", "no pair has a hit of nobody"),
            ("matrix?dt=0ns:1ms", "its pairs were formed within"),
            ("matrix?dt=x", "x"),
            ("gate?side=x&low=9&high=5", "from a lower to a higher energy"),
            ("gate?side=x&low=9", "high"),
            ("gate?side=x&low=a&high=b", "could not convert"),
            ("gate?side=x&low=5&high=9&x=HPGe-1&x=HPGe-2&y=HPGe-2", "must be identical or have none in common"),
        ]:
            status, said, _ = asked(server, path + query)
            assert (query, status) == (query, 400)
            assert message in said.decode()


def test_pairs_net_of_chance_have_one_window(folder: Path) -> None:
    gammapolars("coincidences", *EXAMPLE, "--random", "400ns:900ns", "-o", folder / "net.parquet")
    with served(folder / "net.parquet") as server:
        path = urlsplit(server.url).path
        status, said, _ = asked(server, path + "matrix?dt=0ns:50ns")
        assert status == 400
        assert said.startswith(b"random coincidences were subtracted from these pairs")

        _, said, _ = asked(server, path + "gate?side=y&low=1326&high=1338&background=1300:1316,1348:1360")
        assert json.loads(said)["counts"] == pytest.approx(1587, abs=10)  # as in whole bins of the matrix


def test_a_fault_is_one_line_and_ends_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fault(query: object) -> None:
        raise RuntimeError("the\x1b[31m disk\nis gone")

    with served(folder / "matrix.parquet") as server:
        server.answers = {"fault": fault}
        path = urlsplit(server.url).path
        with pytest.raises(http.client.RemoteDisconnected):
            asked(server, path + "fault")
        assert asked(server, path)[0] == 200

    err = capsys.readouterr().err
    assert err.startswith("Error: unexpected RuntimeError: the")
    assert "\x1b" not in err


@pytest.mark.slow
def test_the_pairs_of_two_detectors_are_gated_as_the_commands_do(folder: Path) -> None:
    with served(folder / "pairs.parquet") as server:
        status, said, _ = asked(
            server, urlsplit(server.url).path + "gate?side=x&low=1326&high=1339&background=1310:1320&x=HPGe-1&y=HPGe-2"
        )

    assert status == 200
    found = json.loads(said)
    pairs = pl.read_parquet(folder / "pairs.parquet").filter(channel_a=1, channel_b=2)
    pairs = pl.concat([pairs, pl.read_parquet(folder / "pairs.parquet").filter(channel_a=2, channel_b=1)])
    pairs.write_parquet(folder / "two.parquet")
    gate = ("--on", "1332.5", "--width", "13", "--background", "1310:1320", "--in", "HPGe-1")
    done = gammapolars("gate", folder / "two.parquet", *EXAMPLE[1:], *gate, "-o", folder / "two.csv", "--json")
    expected = json.loads(done.out)
    assert found["counts"] == pytest.approx(expected["counts"])
    assert found["unc"] == pytest.approx(expected["counts_unc"])
    assert [peak["centroid_kev"] for peak in found["peaks"]] == pytest.approx([1173.2], abs=0.5)


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_asks_for_other_pairs_and_fits(browser: "Browser", folder: Path, tmp_path: Path) -> None:
    with served(folder / "pairs.parquet") as server, opened(browser, server.url, offline=False) as live:
        live.page.click("summary >> text=Detectors")
        live.page.check("[data-side=x][value=HPGe-1]")
        live.page.check("[data-side=y][value=HPGe-2]")
        live.page.fill("#live-dt", "0ns:100ns")
        live.page.click("#live-ask")
        live.page.wait_for_function("() => document.querySelector('#live-made').textContent.includes('0ns:100ns')")
        live.page.select_option("#live-side", "y")
        live.type_gate(1326, 1339, [(1310, 1320)])

        words = shlex.split(live.page.text_content("#live-made") or "")[1:]
        words[words.index("matrix.parquet")] = str(tmp_path / "matrix.parquet")
        gammapolars(*words)
        rows, counts, unc = by_command(tmp_path / "matrix.parquet", live.command)
        assert live.spectrum() == rows
        assert (live.total[0], np.sqrt(live.total[1])) == (counts, unc)

        live.page.click("#live-fit")
        live.page.wait_for_selector("#live-fits tr >> text=1,173.")

        server.shutdown()
        server.server_close()
        live.page.click("#live-fit")
        live.page.wait_for_selector("#live-message >> text=has ended; start it again")
        live.problems.clear()


def test_it_ends_by_itself(folder: Path, tmp_path: Path) -> None:
    ended = gammapolars("view", folder / "matrix.parquet", "--no-browser", "--idle-min", "0", "--json")

    assert ended.code == 0
    assert json.loads(ended.out)["url"].startswith("http://127.0.0.1:")
    assert "Ctrl-C ends it" in ended.err


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_cannot_be_is_an_error(folder: Path, port: int) -> None:
    done = gammapolars("view", folder / "matrix.parquet", "--no-browser", "--port", str(port))

    assert "choose another --port" in done.err
