"""One HTML page from its parts: text is escaped here, once, and nothing is loaded from elsewhere.

Names come from files and people: whatever they hold, they are written as text, never in an address, a class or an id.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

from gammapolars.report.live import policy

STYLE = files("gammapolars.report").joinpath("style.css").read_text(encoding="utf-8")

LONG_TABLE = 16
"""A table of more rows than this scrolls within the page; printed, it is whole."""

SHORT_CELL = 20
"""A cell of as many letters is on one line."""

NARROW_SCREEN = "(max-width: 40rem)"
"""Where figures made for a phone are shown; as in the style sheet."""

NO_BREAK = "\N{NO-BREAK SPACE}"

_UNITS = "ps|ns|us|µs|ms|s|min|h|d|keV|MeV|%|counts/s|hits/s|Bq|kBq|MBq|cps"
_TOGETHER = re.compile(
    rf"(?<=\d)[ ](?=±)|(?<=±)[ ](?=\d)|(?<=\d)[ ](?=(?:{_UNITS})(?![\w/]))|(?<=\w)[ ](?=CH\d)"
    r"|(?<=\d)[ ](?=\d\d:\d\d)|(?<=:\d\d)[ ](?=\(UTC)"
)
"""Spaces within one quantity, between a number and its uncertainty or unit, and in names of channels and moments."""


class Table(NamedTuple):
    """A table: a heading a column, cells as text; columns named in `numbers` are set to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()
    caption: str = ""


class Image(NamedTuple):
    """A figure: its PNG, a description for those who do not see it, and whether it is higher than wide.

    `phone` is the same drawn for a narrow screen; `html` takes the place of the figure, as is.
    """

    png: bytes
    alt: str
    narrow: bool = False
    phone: bytes | None = None
    html: str = ""


class Section(NamedTuple):
    """A heading, and below it paragraphs, a figure and tables; with `html`, that takes the place of the figure, as is.

    `group` is the heading above several sections that belong together, such as those of one run.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    image: Image | None = None
    tables: Sequence[Table] = ()
    html: str = ""
    group: str = ""


class File(NamedTuple):
    """A file next to the page: its name, which is the package's own, and its content."""

    name: str
    what: str


def page(
    *,
    title: str,
    subtitle: Sequence[str],
    tiles: Sequence[tuple[str, str]],
    warnings: Sequence[str],
    sections: Iterable[Section],
    foot: Sequence[tuple[str, str]],
    files: Sequence[File] = (),
    script: str = "",
    style: str = "",
) -> str:
    """The whole document, HTML 5, complete in itself.

    Args:
        title: the heading of the page.
        subtitle: lines below it.
        tiles: numbers with their labels.
        warnings: doubts that a reader must know first.
        sections: of the page, those of one group together.
        foot: terms with texts.
        files: next to the page.
        script: of the page, as is.
        style: added to the style sheet, as is.
    """
    shown, css = list(sections), STYLE + style
    key_numbers = "".join(
        f"<li><b>{unbroken(number)}</b> <span>{unbroken(what)}</span></li>\n" for number, what in tiles
    )
    provenance = "".join(f"<dt>{unbroken(term)}</dt><dd>{unbroken(text)}</dd>\n" for term, text in foot)
    lines = "".join(f'<p class="quiet">{unbroken(line)}</p>\n' for line in subtitle)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy([css], [script]))}">\n'
        f"<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n<body>\n<main>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n{lines}</header>\n"
        f'{_warnings(warnings)}<ul class="tiles">\n{key_numbers}</ul>\n'
        f"{_contents(shown)}{_files(files)}{_body(shown)}<footer>\n<dl>\n{provenance}</dl>\n</footer>\n</main>\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def unbroken(text: str) -> str:
    """Text as HTML, in which no quantity is broken across lines: `1,234 ± 35`, `2.1 keV`."""
    return escape(_TOGETHER.sub(NO_BREAK, text))


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{unbroken(warning)}</li>\n" for warning in warnings)
    return f'<section class="warnings">\n<h2>Warnings</h2>\n<ul>\n{items}</ul>\n</section>\n'


def _contents(sections: Sequence[Section]) -> str:
    """The list of contents: sections, those of a group below its heading."""
    items, group = [], ""
    for number, section in enumerate(sections):
        if section.group != group:
            items += ["</ul></li>\n"] if group else []
            group = section.group
            items += [f'<li><a href="#{_group_id(number)}">{unbroken(group)}</a>\n<ul>\n'] if group else []
        items.append(f'<li><a href="#{_section_id(number)}">{unbroken(section.heading)}</a></li>\n')
    items += ["</ul></li>\n"] if group else []
    return f'<nav aria-label="Contents">\n<h2>Contents</h2>\n<ul>\n{"".join(items)}</ul>\n</nav>\n' if items else ""


def _files(files: Sequence[File]) -> str:
    items = "".join(f'<li><a href="{escape(name)}">{escape(name)}</a> {unbroken(what)}</li>\n' for name, what in files)
    return (
        f'<nav class="files" aria-label="Files">\n<h2>Files next to this page</h2>\n<ul>\n{items}</ul>\n</nav>\n'
        if items
        else ""
    )


def _section_id(number: int) -> str:
    return f"section-{number + 1}"


def _group_id(number: int) -> str:
    """The address of the group that begins with a section."""
    return f"group-{number + 1}"


def _body(sections: Sequence[Section]) -> str:
    parts, group = [], ""
    for number, section in enumerate(sections):
        if section.group != group:
            group = section.group
            parts += [f'<h2 id="{_group_id(number)}">{unbroken(group)}</h2>\n'] if group else []
        parts.append(_section(section, number))
    return "".join(parts)


def _section(section: Section, number: int) -> str:
    level = "h3" if section.group else "h2"
    paragraphs = "".join(f"<p>{unbroken(text)}</p>\n" for text in section.paragraphs)
    image = section.html or (section.image.html or figure(section.image) if section.image else "")
    tables = "".join(_table(table) for table in section.tables if table.rows)
    heading = f'<{level} id="{_section_id(number)}">{unbroken(section.heading)}</{level}>\n'
    return f"<section>\n{heading}{paragraphs}{image}{tables}</section>\n"


def figure(image: Image) -> str:
    """A figure as HTML, with its PNG in it."""
    narrow = ' class="narrow"' if image.narrow else ""
    img = f'<img{narrow} src="{_data(image.png)}" alt="{escape(image.alt)}">'
    if image.phone is None:
        return f"<figure>{img}</figure>\n"
    source = f'<source media="{NARROW_SCREEN}" srcset="{_data(image.phone)}">'
    return f"<figure><picture>{source}{img}</picture></figure>\n"


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _short(cell: str) -> str:
    """The class of a cell that is not broken into lines."""
    return ' class="short"' if len(cell) <= SHORT_CELL else ""


def _table(table: Table) -> str:
    """The table, in a part of the page that scrolls where it is wide or long, by keys as well."""
    classes = [' class="number"' if heading in table.numbers else "" for heading in table.headings]
    head = "".join(f"<th{kind}>{unbroken(text)}</th>" for kind, text in zip(classes, table.headings, strict=True))
    cells = (
        "".join(f"<td{kind or _short(cell)}>{unbroken(cell)}</td>" for kind, cell in zip(classes, row, strict=True))
        for row in table.rows
    )
    rows = "".join(f"<tr>{row}</tr>\n" for row in cells)
    long = " long" if len(table.rows) > LONG_TABLE else ""
    caption = f"<caption>{unbroken(table.caption)}</caption>\n" if table.caption else ""
    return (
        f'<div class="scroll{long}" tabindex="0"><table>\n{caption}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
