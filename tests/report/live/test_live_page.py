"""What a user does to the live page, in a real browser, and what the page shows when it cannot be as it should."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import gammapolars as gp
from gammapolars.report.live.document import document
from gammapolars.report.live.section import Known
from tests.report.live.browsers import LivePage, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

BINS = 500
KNOWN = Known(lines={100.0: "A 100", 200.0: "B 200", 202.0: "B 202"}, fwhm={100.0: 4.0, 200.0: 6.0})


def lines_matrix(**how: Any) -> pl.DataFrame:
    """Two lines in coincidence, of FWHM 4 and 6, on a background, in bins of 1 keV up to 500 keV."""
    rng = np.random.default_rng(5)
    energies = rng.exponential(120, (2, 8000)) % BINS
    peaks = np.stack([rng.normal(100, 1.7, 3000), rng.normal(200, 2.5, 3000)])
    table = pl.DataFrame(np.concatenate([energies, peaks], axis=1).T, ["energy_kev_a", "energy_kev_b"])
    edges = pl.DataFrame({"energy_kev_a": [0.5, BINS - 0.5], "energy_kev_b": [0.5, BINS - 0.5]})
    return gp.matrix(pl.concat([table, edges]).lazy(), bin_kev=1.0, **how).collect()


MATRIX = lines_matrix()


def page_of(folder: Path, matrix: pl.DataFrame = MATRIX, known: Known = KNOWN, **how: Any) -> Path:
    path = folder / "page.html"
    still = "<p>the figure</p>"
    path.write_text(document(matrix, known=known, width=1.0, **{"still": still} | how), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePage]:
    with opened(browser, page_of(tmp_path_factory.mktemp("live"))) as live:
        yield live


@pytest.fixture
def live(page: LivePage) -> LivePage:
    """The page as it is when it is opened, with all 500 keV in view."""
    page.page.evaluate("() => history.replaceState(null, '', '#')")
    page.page.reload()
    page.page.wait_for_selector(".live-on")
    page.press("all")
    return page


def gate(live: LivePage) -> tuple[str, str, str]:
    low, high, background = (live.page.input_value(f"#live-{name}") for name in ("low", "high", "background"))
    return low, high, background


def at(kev: float) -> float:
    return kev / BINS


def projected(low: float, high: float, *background: tuple[float, float]) -> list[tuple[float, ...]]:
    return gp.project(MATRIX, gp.Gate(low, high, background), width=1.0).collect().rows()


def test_a_drag_makes_a_gate_and_another_its_background(live: LivePage) -> None:
    live.drag("total", at(95.1), at(105.2))
    assert gate(live) == ("95", "105", "")
    assert live.spectrum() == projected(95, 105)

    live.press("background")
    live.drag("total", at(80), at(90))
    live.drag("total", at(120), at(110))  # from right to left

    assert gate(live) == ("95", "105", "80:90,110:120")
    assert live.spectrum() == projected(95, 105, (80, 90), (110, 120))
    assert live.total[0] == pytest.approx(3000, rel=0.1)
    live.page.wait_for_selector("#live-result >> text=background scaled by 0.5")
    assert "Gate 95 to 105 keV: " in live.page.inner_text("#live-result")
    assert "B 200" in live.page.inner_text("#live-bins")


def test_what_cannot_be_a_gate_is_refused_with_a_reason(live: LivePage) -> None:
    live.drag("total", at(95), at(105))
    live.press("background")
    live.drag("total", at(60), at(97))
    assert gate(live) == ("95", "105", "")
    assert "overlap" in live.page.inner_text("#live-message")

    live.page.dblclick("#live-total", position={"x": 500, "y": 200})
    assert gate(live) == ("95", "105", "")

    live.type_gate(105, 95)
    assert "at least one bin" in live.page.inner_text("#live-message")
    live.page.fill("#live-background", "80-90")
    live.page.press("#live-background", "Tab")
    assert "not of the form LOW:HIGH" in live.page.inner_text("#live-message")
    assert live.spectrum() == projected(95, 105)


def test_ends_and_middle_of_a_gate_are_dragged(live: LivePage) -> None:
    live.type_gate(90, 110, [(60, 70)])
    live.drag("total", at(110), at(120))
    assert gate(live) == ("90", "120", "60:70")
    live.drag("total", at(60), at(55))
    assert gate(live) == ("90", "120", "55:70")
    live.drag("total", at(105), at(115))  # in the middle: all of it moves

    assert gate(live) == ("100", "130", "65:80")


@pytest.mark.parametrize(("start", "end"), [(110, 85), (110, 65), (100, 2), (69, 95), (60, 200)])
def test_a_drag_too_far_leaves_what_is_shown_and_what_is_saved_the_same(
    live: LivePage, start: float, end: float
) -> None:
    """A drag that comes to a place where nothing can be stops at the last place where it could."""
    live.type_gate(90, 110, [(60, 70)])
    live.drag("total", at(start), at(end))
    live.press("log")  # shows again what the gate is

    low, high, background = gate(live)
    stretches = [tuple(map(float, part.split(":"))) for part in background.split(",")]
    assert live.spectrum() == projected(float(low), float(high), *stretches)  # type: ignore[arg-type]


def test_keys_alone_do_it(live: LivePage) -> None:
    live.type_gate(90, 110, [(60, 70)])
    live.page.focus("#live-total")
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft", "Alt+ArrowRight"):
        live.page.keyboard.press(key)
    assert gate(live) == ("93", "111", "62:72")

    for key, button in (("b", "background"), ("z", "zoom"), ("g", "gate")):
        live.page.keyboard.press(key)
        assert live.page.get_attribute(f"[data-live={button}]", "aria-pressed") == "true"
    live.page.keyboard.press("l")
    assert live.page.get_attribute("[data-live=log]", "aria-pressed") == "false"
    live.page.keyboard.press("a")
    assert gate(live)[2] != "62:72"
    live.page.keyboard.press("Delete")
    assert gate(live) == ("", "", "")


def test_a_click_on_a_spot_makes_a_gate_as_wide_as_the_line(live: LivePage) -> None:
    box = live.page.locator("#live-matrix").bounding_box()
    assert box
    across, up = at(100.5) * (box["width"] - 76), at(200.2) * (box["height"] - 56)
    live.page.click("#live-matrix", position={"x": 62 + across, "y": box["height"] - 34 - up})

    low, high, background = gate(live)

    assert (float(low) + float(high)) / 2 == pytest.approx(200.2, abs=1.5)
    assert float(high) - float(low) == pytest.approx(12, abs=1)
    assert len(background.split(",")) == 2


def test_zooms_show_the_same_part_of_both_spectra(live: LivePage) -> None:
    live.drag("total", at(50), at(150), shift=True)
    live.drag("total", 0.45, 0.55)
    assert [float(end) for end in gate(live)[:2]] == pytest.approx([95, 105], abs=1)

    live.page.click("#live-net", position={"x": 400, "y": 100})
    live.page.mouse.wheel(0, -300)
    live.page.wait_for_timeout(100)
    live.page.hover("#live-net", position={"x": 62, "y": 100})
    first = float(live.page.inner_text("#live-readout").split()[0])
    assert first > 55
    live.page.dblclick("#live-net", position={"x": 400, "y": 100})
    live.page.wait_for_timeout(100)
    live.page.hover("#live-total", position={"x": 62, "y": 100})
    assert live.page.inner_text("#live-readout").startswith("0.0 keV: all pairs ")


def test_gates_are_kept_in_the_address(live: LivePage) -> None:
    live.type_gate(90, 110, [(60, 70)])
    live.page.fill("#live-name", "<b>&~;=ü")
    live.press("keep")
    live.type_gate(190, 210)
    live.page.fill("#live-name", "")
    live.page.press("#live-name", "Tab")
    live.page.wait_for_function("() => location.hash.includes('190')")

    live.page.reload()
    live.page.wait_for_selector(".live-on")
    live.page.wait_for_selector("#live-list tr")
    assert gate(live) == ("190", "210", "")
    row = live.page.inner_text("#live-list tr").split("\t")
    assert row[:2] == ["<b>&~;=ü", "90 to 110"]
    assert live.page.locator("#live-list b").count() == 0

    live.page.click("#live-list button >> text=Show")
    assert gate(live) == ("90", "110", "60:70")
    live.page.click("#live-list button >> text=Remove")
    live.page.wait_for_function("() => !document.querySelector('#live-list tr')")


@pytest.mark.parametrize(
    "hash_",
    ["#gate=", "#gate=%E0%A4%A;1:2;", "#gate=a;9:1;", "#gate=a;1:9;3:5", "#gate=a;x:y;", "#gate=a;1:2", "#else"],
)
def test_an_address_that_is_none_of_ours_is_passed_over(live: LivePage, hash_: str) -> None:
    live.page.evaluate("hash => { location.hash = hash; }", hash_)
    live.page.reload()
    live.page.wait_for_selector(".live-on")

    assert gate(live) == ("", "", "")


@pytest.mark.slow
def test_rebinned_spectra_and_single_hits_are_drawn(browser: "Browser", tmp_path: Path) -> None:
    singles = pl.DataFrame({"energy_kev": np.arange(BINS) + 0.5, "counts": np.arange(BINS) * 3.0})
    path = page_of(tmp_path, known=KNOWN._replace(singles=[("one", singles), ("<i>two", singles)]))
    with opened(browser, path) as live:
        live.type_gate(90, 110)
        pictures = [live.page.locator("#live-total").screenshot()]
        live.page.select_option("#live-times", "8")
        live.page.wait_for_timeout(100)
        pictures.append(live.page.locator("#live-total").screenshot())
        live.page.check("[data-single] >> nth=1")
        live.page.wait_for_timeout(100)
        pictures.append(live.page.locator("#live-total").screenshot())

        assert len(set(pictures)) == 3
        assert "<i>two" in live.page.inner_text("#live")
        assert live.spectrum() == projected(90, 110)


def test_net_counts_below_0_are_shown_and_saved(browser: "Browser", tmp_path: Path) -> None:
    matrix = pl.DataFrame(
        {
            "energy_kev_x": [0.5, 1.5, 5.5],
            "energy_kev_y": [0.5, 2.5, 7.5],
            "counts": [2.0, -3.5, 9.0],
            "variance": [2.0, 4.0, 9.0],
        }
    )
    with opened(browser, page_of(tmp_path, matrix)) as live:
        live.page.select_option("#live-side", "x")
        live.type_gate(0, 2, [(5, 6)])
        live.press("log")

        assert live.spectrum() == [(0.5, 2.0, 2.0), (2.5, -3.5, 4.0), (7.5, -18.0, 36.0)]
        assert live.total == (-19.5, 42.0)


@pytest.mark.parametrize("counts", [1.0, -1.0])
def test_a_matrix_of_one_bin_is_shown(browser: "Browser", tmp_path: Path, counts: float) -> None:
    one = {"energy_kev_x": [40.5], "energy_kev_y": [40.5], "counts": [counts], "variance": [1.0]}
    with opened(browser, page_of(tmp_path, pl.DataFrame(one))) as live:
        live.type_gate(40, 41)

        assert live.spectrum() == [(40.5, counts, 1.0)]


EVIL = "</script><!--<script> \u2028 \"'><img src=x onerror=alert(1)><svg onload=alert(2)>"


def test_hostile_names_become_neither_markup_nor_script(browser: "Browser", tmp_path: Path) -> None:
    singles = [(EVIL, pl.DataFrame({"energy_kev": [100.5], "counts": [5.0]}))]
    known = Known(file=EVIL, lines={100.0: EVIL, 200.0: EVIL}, fwhm={100.0: 4.0}, singles=singles)
    with opened(browser, page_of(tmp_path, known=known, title=EVIL)) as live:
        live.type_gate(90, 110)
        live.page.fill("#live-name", EVIL)
        live.press("keep")
        live.page.wait_for_selector("#live-list tr")

        assert live.page.locator("img, svg, script[src]").count() == 0
        assert live.page.title() == EVIL
        assert EVIL.replace("'", "'\"'\"'") in live.command


@pytest.mark.slow
def test_nothing_but_its_own_script_runs_on_the_page(browser: "Browser", tmp_path: Path) -> None:
    path = page_of(tmp_path)
    more = '<script>document.title = "bad"</script><p style="color: red" onclick="alert(1)" id="bad">x</p>'
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", more + "</body>"), encoding="utf-8")
    with opened(browser, path) as live:
        live.page.click("#bad")

        assert live.page.title() == "Coincidence matrix"
        assert len(live.problems) == 3
        assert all("Content Security Policy" in problem for problem in live.problems)
        live.problems.clear()


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r'(id="live-data">.{200})', r"\g<1>AAAA"),
        (r'id="live-data">[^<]*', 'id="live-data">'),
        (r'id="live-head">.', 'id="live-head">['),
        (r'"layout": 1', '"layout": 2'),
        (r'"cells": (\d+)', r'"cells": 1\1'),
    ],
)
def test_damaged_data_are_said_to_be_so(browser: "Browser", tmp_path: Path, pattern: str, replacement: str) -> None:
    path = page_of(tmp_path)
    path.write_text(re.sub(pattern, replacement, path.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    with opened(browser, path) as live:
        note = live.page.inner_text("[role=alert]")

        assert note.startswith("The live matrix cannot be shown: ")
        assert live.page.is_visible(".live-still")
        assert not live.page.is_visible(".live-app")


def test_an_old_browser_is_told_what_it_lacks(browser: "Browser", tmp_path: Path) -> None:
    path = page_of(tmp_path)
    context = browser.new_context(offline=True)
    context.add_init_script("delete window.DecompressionStream")
    old = context.new_page()
    old.goto(path.as_uri())

    assert "this browser is too old" in old.inner_text("[role=alert]")
    assert "Firefox 113" in old.inner_text("[role=alert]")
    context.close()


def test_without_javascript_the_figure_stands_there(browser: "Browser", tmp_path: Path) -> None:
    with opened(browser, page_of(tmp_path), java_script_enabled=False) as live:
        assert live.page.is_visible(".live-still")
        assert "if JavaScript is enabled" in live.page.inner_text(".live-note")
        assert not live.page.is_visible(".live-app")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_page(browser: "Browser", tmp_path: Path, scheme: str) -> None:
    phone = {"width": 400, "height": 800}
    with opened(browser, page_of(tmp_path), viewport=phone, color_scheme=scheme, has_touch=True) as live:
        live.type_gate(95, 105, [(80, 90)])
        live.page.tap("[data-live=zoom]")

        assert live.page.evaluate("() => document.documentElement.scrollWidth") <= 400
        assert live.page.get_attribute("[data-live=zoom]", "aria-pressed") == "true"


@pytest.mark.slow
def test_in_print_the_figure_stands_there_and_the_gate_below(browser: "Browser", tmp_path: Path) -> None:
    with opened(browser, page_of(tmp_path)) as live:
        live.page.emulate_media(media="print")
        assert live.page.is_visible(".live-still")
        assert not live.page.is_visible("#live-total")
        live.page.emulate_media(media="screen")
        live.type_gate(95, 105)
        live.page.emulate_media(media="print")

        assert live.page.is_visible(".live-still")
        assert live.page.is_visible("#live-net")
        assert not live.page.is_visible("#live-matrix")
        assert live.page.pdf()[:5] == b"%PDF-"
    with opened(browser, page_of(tmp_path, still="")) as live:
        live.page.emulate_media(media="print")
        assert live.page.is_visible("#live-matrix")  # there is no figure of it
