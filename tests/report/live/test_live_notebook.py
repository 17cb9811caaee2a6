"""A live matrix in a notebook: the page in a frame that may do nothing else."""

from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import gammapolars as gp
from tests.report.live.browsers import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAIRS = pl.LazyFrame({"energy_kev_a": [20.5, 20.5, 30.5], "energy_kev_b": [40.5, 41.5, 40.5]})


def test_a_notebook_shows_the_page_in_a_frame() -> None:
    live = gp.live(PAIRS.pipe(gp.matrix, bin_kev=1.0), title='<i>"x"</i>', lines={40.0: "A"})
    frame = live._repr_html_()

    assert frame.count("<") == 2
    assert unescape(frame.partition('srcdoc="')[2].partition('" width')[0]) == live.html
    assert "allow-same-origin" not in frame
    assert len(repr(live)) < 100


@pytest.mark.slow
@pytest.mark.browser
def test_gates_are_drawn_in_the_frame(browser: "Browser", tmp_path: Path) -> None:
    live = gp.live(PAIRS.pipe(gp.matrix, bin_kev=1.0, symmetric=False), width=1.0)
    page = tmp_path / "notebook.html"
    page.write_text(f"<!DOCTYPE html><title>n</title>{live._repr_html_()}", encoding="utf-8")
    with opened(browser, page, in_frame=True) as shown:
        frame = shown.page.frames[1]
        frame.wait_for_selector(".live-on")
        frame.select_option("#live-side", "x")
        frame.fill("#live-low", "20")
        frame.fill("#live-high", "21")
        frame.press("#live-high", "Tab")
        frame.wait_for_selector("#live-result >> text=Gate 20 to 21 keV: 2.0")

        assert frame.get_attribute("#live", "data-net") == "2"
