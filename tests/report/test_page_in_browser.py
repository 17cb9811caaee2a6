"""The page in a real browser: on a phone and a screen, in the light, in the dark and printed, with hostile names."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from gammapolars.report import content
from gammapolars.report.analyse import Analysis
from gammapolars.report.recorded import RecordedRun
from tests import analyses
from tests.report.live.browsers import LivePage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
EVIL = "\"'></style></script><img src=x onerror=alert(1)><script>alert(2)</script>" + "a" * 80
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
WIDTHS = (400, 1280)

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
BROKEN = "() => [...document.querySelectorAll('.tiles b')].filter(b => b.getClientRects().length > 1 ||"
BROKEN += " b.scrollWidth > b.clientWidth || b.offsetHeight > 40).map(b => b.textContent)"


def large() -> Analysis:
    """Billions of hits, and more pairs than ever were."""
    return replace(analyses.cobalt(), hits_read=12_345_678_901, hits_used=12_345_678_900, pairs=9_876_543_210)


def hostile() -> Analysis:
    """Detectors, files, runs, flags and warnings with names that would be markup."""
    run = analyses.cobalt()
    renamed = run.named({name: EVIL + str(number) for number, name in enumerate(run.detectors["name"])})
    runs = (RecordedRun(EVIL, channels={(0, 0): EVIL}),)
    return replace(renamed, inputs=(EVIL,), warnings=(EVIL,), runs=runs, rejected={EVIL: 5})


def two_runs() -> tuple[Analysis, list[Analysis]]:
    """The same two runs together, and each."""
    runs = (RecordedRun("a" * 90, start=NOW), RecordedRun("Co60_0_872uCi_19Mar2014_250318_run2"))
    each = [replace(analyses.cobalt(seed), runs=(run,)) for seed, run in enumerate(runs, 1)]
    return replace(analyses.cobalt(), runs=runs), each


@pytest.fixture(scope="module", params=["large", "hostile", "uncalibrated", "empty", "two runs"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run, with figures of one pixel."""
    makers = {"large": large, "hostile": hostile, "uncalibrated": analyses.uncalibrated, "empty": analyses.empty}
    analysis, by_run = two_runs() if request.param == "two runs" else (makers[request.param](), [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gammapolars.report.drawing.png", lambda plot, **_: DOT)
        files = content.contents(analysis, NOW, by_run=by_run)
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_bytes(files["index.html"])
    return path


@contextmanager
def opened(browser: "Browser", path: Path, width: int = 1280, **context: Any) -> Iterator["Page"]:
    """The page, without a network; a failure if anything goes wrong in it, the security policy is violated among it."""
    of_page = browser.new_context(offline=True, viewport={"width": width, "height": 900}, **context)
    watched = LivePage(of_page.new_page())
    watched.watch()
    watched.page.goto(path.as_uri())
    yield watched.page
    of_page.close()
    assert watched.problems == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen_and_no_number_is_broken(browser: "Browser", page: Path, width: int) -> None:
    with opened(browser, page, width) as shown:
        assert shown.evaluate(OVERFLOW) == 0
        assert shown.evaluate(BROKEN) == []


def test_hostile_names_are_text(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as shown:
        assert shown.locator("img:not([src^='data:image/png'])").count() == 0
        # Data that no script is, and the page's own one.
        assert shown.locator("script:not([type])").count() <= 1
        assert shown.evaluate("() => [...document.querySelectorAll('[style]')].every(one => one.closest('.live'))")


def test_every_link_of_the_contents_leads_somewhere(browser: "Browser", page: Path) -> None:
    with opened(browser, page) as shown:
        links = shown.eval_on_selector_all("nav a[href^='#']", "all => all.map(one => one.hash.slice(1))")
        assert links
        assert all(shown.locator(f"[id='{link}']").count() == 1 for link in links)


@pytest.mark.parametrize("width", WIDTHS)
def test_figures_follow_dark_mode_and_are_as_drawn_in_print(browser: "Browser", page: Path, width: int) -> None:
    style = "() => [...document.querySelectorAll('figure img')].map(one => getComputedStyle(one).filter)"
    with opened(browser, page, width, color_scheme="dark") as shown:
        dark = shown.evaluate(style)
        assert all("invert(0.89)" in one for one in dark)
        shown.emulate_media(media="print")
        assert shown.evaluate(style) == ["none"] * len(dark)
    with opened(browser, page, width) as shown:
        assert shown.evaluate(style) == ["none"] * len(dark)


def test_a_phone_gets_the_figures_that_are_drawn_for_it(browser: "Browser", tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gammapolars.report.drawing.png", lambda plot, few_colours=False: DOT + b"\0" * few_colours)
        files = content.contents(analyses.cobalt(), NOW, is_live=False)
    path = tmp_path / "index.html"
    path.write_bytes(files["index.html"])
    source = "() => [...document.querySelectorAll('figure img')].map(one => one.currentSrc.split(',')[1])"
    for width, image in ((400, DOT + b"\0"), (1280, DOT)):
        with opened(browser, path, width) as shown:
            assert shown.evaluate(source) == [base64.b64encode(image).decode()] * 4


def test_printed_tables_are_whole(browser: "Browser", tmp_path: Path) -> None:
    many = analyses.many()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gammapolars.report.drawing.png", lambda plot, **_: DOT)
        path = tmp_path / "index.html"
        path.write_bytes(content.contents(many, NOW, is_live=False)["index.html"])
    heights = "() => [...document.querySelectorAll('.long')].map(one => one.scrollHeight - one.clientHeight)"
    with opened(browser, path) as shown:
        assert max(shown.evaluate(heights)) > 0
        shown.emulate_media(media="print")
        assert max(shown.evaluate(heights)) == 0


def test_names_of_channels_reach_the_figures() -> None:
    run = analyses.cobalt()
    unnamed = run.named({name: f"0/{number}" for number, name in enumerate(run.detectors["name"])})
    recorded = RecordedRun("run", channels={(0, number): f"V1725_292 CH{number}" for number in range(4)})
    shown = content.as_recorded(replace(unnamed, runs=(recorded,)))
    for table in (shown.detectors, shown.spectra, shown.rates):
        assert set(table["name"]) == {f"V1725_292 CH{number}" for number in range(4)}
    names = pl.concat([shown.time_differences["name_a"], shown.pairs_by_detectors["name_b"]])
    assert names.str.starts_with("V1725_292 CH").all()
    assert shown.command_names["V1725_292 CH2"] == "0/2"
