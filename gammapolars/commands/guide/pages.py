"""The pages of the guide: Markdown files among the package's code, in the order in which `index.md` links them."""

import difflib
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from gammapolars.core.errors import UsageError

INDEX = "index"
API = "api"
"""The page that is made of docstrings."""

_LINK = re.compile(r"\]\(([a-z0-9-]+)\.md(?:#[^)]*)?\)")

FIGURE = re.compile(r"!\[([^\]]*)\]\(([a-z0-9-]+\.(?:png|svg))\)")
"""A figure in a page: its caption, and its file next to the page."""


class Page(NamedTuple):
    """A page of the guide: the word that calls it, its title, and its Markdown."""

    topic: str
    title: str
    markdown: str


def linked(markdown: str) -> list[str]:
    """The topics that a page links to, in order."""
    return list(dict.fromkeys(_LINK.findall(markdown)))


def figures(markdown: str) -> list[str]:
    """The files of the figures that a page shows, in order."""
    return [name for _, name in FIGURE.findall(markdown)]


@cache
def topics() -> tuple[str, ...]:
    """All pages, in the order of the table of contents."""
    return (INDEX, *linked(_read(INDEX)))


def page(topic: str) -> Page:
    """A page by its name, or by the beginning of it.

    Raises:
        UsageError: there is no such page, or there are several.
    """
    name = _name(topic)
    if name == API:
        from gammapolars.commands.guide.api import api_page

        markdown = api_page()
    else:
        markdown = _read(name)
    return Page(name, markdown.partition("\n")[0].removeprefix("# "), markdown)


def _name(topic: str) -> str:
    """The page that a word means."""
    word = topic.lower().removesuffix(".md")
    begin = [name for name in topics() if name.startswith(word)]
    if word in topics() or len(begin) == 1:
        return word if word in topics() else begin[0]
    near = begin or difflib.get_close_matches(word, topics(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "'gammapolars guide' lists all pages"
    raise UsageError(f"the guide has no page '{topic}': {hint}")


def _read(name: str) -> str:
    return (files("gammapolars") / "guide" / f"{name}.md").read_text(encoding="utf-8")
