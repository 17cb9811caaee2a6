"""The guide as web pages: one file each, with their figures next to them."""

import re
from html import escape
from importlib.resources import files
from pathlib import Path

from markdown_it import MarkdownIt

from gammapolars.commands.guide.pages import Page, figures

_HEADING = re.compile(r"<h([23])>(.*?)</h\1>")
_TAG = re.compile(r"<[^>]+>")
_TO_PAGE = re.compile(r'href="([a-z0-9-]+)\.md(#[^"]*)?"')


def write_pages(pages: list[Page], folder: Path) -> None:
    """Write each page, with the table of contents next to it, as `TOPIC.html`, and the figures that it shows."""
    guide = files("gammapolars") / "guide"
    template = (guide / "template.html").read_text(encoding="utf-8")
    for page in pages:
        text = template.replace("{title}", escape(page.title)).replace("{contents}", _contents(pages, page.topic))
        (folder / f"{page.topic}.html").write_text(text.replace("{page}", html_of(page.markdown)), encoding="utf-8")
        for name in figures(page.markdown):
            (folder / name).write_bytes((guide / name).read_bytes())


def html_of(markdown: str) -> str:
    """A page's HTML, whose headings can be linked to, and whose links lead to web pages."""
    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    text = _HEADING.sub(lambda found: f'<h{found[1]} id="{anchor(found[2])}">{found[2]}</h{found[1]}>', text)
    return _TO_PAGE.sub(lambda found: f'href="{found[1]}.html{found[2] or ""}"', text)


def anchor(heading: str) -> str:
    """The fragment of a link to a heading: its words in small letters, with hyphens."""
    words = re.sub(r"[^\w\s-]", "", _TAG.sub("", heading).lower())
    return re.sub(r"\s+", "-", words.strip())


def _contents(pages: list[Page], here: str) -> str:
    """Links to all pages, the present one marked."""
    rows = []
    for page in pages:
        mark = ' aria-current="page"' if page.topic == here else ""
        rows.append(f'<li><a href="{page.topic}.html"{mark}>{escape(page.title)}</a></li>')
    return "\n".join(rows)
