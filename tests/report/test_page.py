"""The page: contents, links, tables and quantities; nothing that is loaded, and nothing in a name becomes markup."""

import re

import pytest

from gammapolars.report.page import File, Image, Section, Table, page, unbroken

EVIL = "</style></script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&#\u2028<!--"


def made(sections: list[Section], **parts: object) -> str:
    plain = {"title": "t", "subtitle": [], "tiles": [], "warnings": [], "foot": []}
    return page(**(plain | parts), sections=sections)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("9,061 ± 98 pairs in 1 min 5 s", "9,061\xa0±\xa098 pairs in 1\xa0min 5\xa0s"),
        ("1,173.2 keV; 4.8 % of 12 hits within ±250 ns", "1,173.2\xa0keV; 4.8\xa0% of 12 hits within ±250\xa0ns"),
        ("5 sources, 2 detectors, 3 min_ps", "5 sources, 2 detectors, 3 min_ps"),
        ("<b>3 ns</b>", "&lt;b&gt;3\xa0ns&lt;/b&gt;"),
    ],
)
def test_a_quantity_is_not_broken_across_lines(text: str, html: str) -> None:
    assert unbroken(text) == html


def test_contents_lead_to_every_section_and_group() -> None:
    html = made([Section("a"), Section("b", group="run 1"), Section("c", group="run 1"), Section("d", group="run 2")])
    headings = re.findall(r'<(h[23]) id="([^"]+)">([^<]+)<', html)

    assert [(level, text) for level, _, text in headings] == [
        ("h2", "a"), ("h2", "run 1"), ("h3", "b"), ("h3", "c"), ("h2", "run 2"), ("h3", "d"),
    ]  # fmt: skip
    contents = re.search(r"<nav.*?</nav>", html, re.DOTALL)
    assert contents
    assert re.findall(r'href="#([^"]+)">([^<]+)<', contents[0]) == [(address, text) for _, address, text in headings]
    assert contents[0].count("<ul>") == contents[0].count("</ul>") == 3


def test_the_page_links_to_the_files_next_to_it() -> None:
    assert '<a href="pairs.parquet">pairs.parquet</a> 5 pairs' in made([], files=[File("pairs.parquet", "5 pairs")])


def test_a_figure_for_a_phone_stands_beside_the_other() -> None:
    html = made([Section("a", image=Image(b"wide", "what it shows", phone=b"small"))])
    assert '<source media="(max-width: 40rem)" srcset="data:image/png;base64,c21hbGw=">' in html
    assert '<img src="data:image/png;base64,d2lkZQ==" alt="what it shows">' in html


def test_a_long_table_scrolls_and_can_be_reached_by_keys() -> None:
    short, long = (Table(("a",), [("1",)] * rows) for rows in (16, 17))
    assert '<div class="scroll" tabindex="0">' in made([Section("a", tables=[short])])
    assert '<div class="scroll long" tabindex="0">' in made([Section("a", tables=[long])])


def test_nothing_that_is_hostile_becomes_markup() -> None:
    table = Table((EVIL,), [(EVIL,)], frozenset((EVIL,)), caption=EVIL)
    section = Section(EVIL, [EVIL], Image(b"", EVIL), [table], group=EVIL)
    html = made(
        [section], title=EVIL, subtitle=[EVIL], tiles=[(EVIL, EVIL)], warnings=[EVIL], foot=[(EVIL, EVIL)],
        files=[File(EVIL, EVIL)],
    )  # fmt: skip
    assert "<script" not in html
    assert "<!--" not in html
    assert html.count("<img") == 1
    assert html.count("</style>") == 1
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 20


def test_a_strict_policy_forbids_nothing_of_the_page() -> None:
    html = made([Section("a", ["b"], Image(b"", "c", narrow=True), [Table(("a",), [("1",)])])], warnings=["w"])
    assert not re.search(r"<[^>]*\s(?:style|on\w+)=", html)
    assert html.count("<style>") == 1
    assert "url(" not in html
