"""The live matrix in a report, and the command that gates the file next to it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from gammapolars.report import content, drawing
from tests import analyses
from tests.commandline import REPOSITORY, gammapolars
from tests.drawing import daily
from tests.report.live.browsers import opened
from tests.report.live.test_live_gates import by_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the example run, with figures of one pixel, net of random coincidences."""
    folder = tmp_path_factory.mktemp("report") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "png", lambda plot, **_: b"\x89PNG")
        data = REPOSITORY / "data"
        run = data / "co60-four-hpge.root", "--detectors", data / "detectors.toml"
        gammapolars("report", *run, "--random", "400ns:900ns", "-o", folder)
    return folder


def test_the_report_of_the_example_run_is_small(example: Path) -> None:
    html = (example / "index.html").read_text(encoding="utf-8")

    assert len(html) < 250_000
    assert 'id="live-total"' in html
    assert "Content-Security-Policy" in html
    assert "style=" not in html


def test_the_matrix_next_to_the_page_has_its_bins(example: Path) -> None:
    centres = pl.read_parquet(example / "matrix.parquet")["energy_kev_x"]

    assert ((centres - 0.5) % 1.0 == 0).all()


@pytest.mark.parametrize("of", daily(1, ["run", "pairs"]))
def test_a_matrix_of_few_bins_says_how_wide_they_are(tmp_path: Path, of: str) -> None:
    """Two bins 300 keV apart do not tell that they are 1 keV wide."""
    hits = pl.DataFrame(
        {"board": 0, "channel": [0, 1] * 2, "timestamp_ps": [0, 9, 10**9, 10**9 + 9], "adc": [1, 4] * 2, "flags": 0},
        {"board": pl.UInt16, "channel": pl.UInt16, "timestamp_ps": pl.Int64, "adc": pl.UInt16, "flags": pl.UInt32},
    )
    energies = pl.Series("energy_kev", [100.5, 400.5] * 2)
    hits.with_columns(energies).write_parquet(tmp_path / "run.parquet")
    if of == "pairs":
        gammapolars("coincidences", tmp_path / "run.parquet", "-o", tmp_path / "pairs.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "png", lambda plot, **_: b"\x89PNG")
        gammapolars("report", tmp_path / f"{of}.parquet", "-o", tmp_path / "report")

    gate = ("gate", tmp_path / "report" / "matrix.parquet", "--on", "100.5", "--width", "3")
    outcome = gammapolars(*gate, "-o", tmp_path / "gated.csv", "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)

    assert (found["bin_width"], found["counts"]) == (1.0, 2.0)
    assert '"width": 1.0' in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_a_report_without_live_matrix_has_no_script() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "png", lambda plot, **_: b"\x89PNG")
        html = content.contents(analyses.cobalt(), NOW, is_live=False)["index.html"].decode()

    assert "<script" not in html
    assert "script-src &#x27;none&#x27;" in html
    assert html.count("<img") == 4


@pytest.mark.browser
def test_a_gate_on_the_report_is_the_commands(browser: "Browser", example: Path) -> None:
    with opened(browser, example / "index.html") as live:
        assert not live.page.is_visible(".live-still")
        live.type_gate(1329, 1336, [(1310, 1320), (1345, 1360)])
        rows, counts, unc = by_command(example / "matrix.parquet", live.command)

        assert live.spectrum() == rows
        assert (live.total[0], np.sqrt(live.total[1])) == (counts, unc)
        assert live.total[0] > 1000


EVIL = "</script><!--<script> \u2028 \"'><img src=x onerror=alert(1)><svg onload=alert(2)>"


@pytest.mark.slow
@pytest.mark.browser
def test_hostile_detectors_and_files_stay_text_on_the_whole_page(browser: "Browser", tmp_path: Path) -> None:
    names = [EVIL, "=1+1", "<b>x</b>", "HPGe-4"]
    run = analyses.cobalt(names=names, warnings=(EVIL,), parameters={EVIL: EVIL})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gammapolars.report.drawing.png", lambda *plot, **how: b"\x89PNG")
        pages = content.contents(replace(run, inputs=(EVIL,)), NOW)
    (tmp_path / "index.html").write_bytes(pages["index.html"])
    with opened(browser, tmp_path / "index.html") as live:
        live.page.check("[data-single] >> nth=0")
        live.type_gate(1326, 1339)

        assert live.page.locator("img:not([src^='data:image/png']), svg, main script[src]").count() == 0
        assert live.page.locator("h1").inner_text().startswith("</script>")
        assert live.page.locator("label", has_text="onerror").count() == 1
