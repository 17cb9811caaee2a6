"""One HTML page out of its parts: text is escaped here, once, and nothing is loaded from elsewhere."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

STYLE = """
:root {
  --ink: #1f2933; --quiet: #5b6773; --line: #d9e0e6; --paper: #ffffff; --wash: #f4f7f9;
  --warn: #fdf3d8; --mark: #e69f00; --accent: #0072b2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e4e9ee; --quiet: #9fb0bf; --line: #36424d; --paper: #171c21; --wash: #20272e;
    --warn: #3a3015; --accent: #6cb8ea;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, "DejaVu Sans", "Segoe UI", Roboto, sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .9rem; border-top: 1px solid var(--line); }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
.quiet { color: var(--quiet); font-size: .9rem; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); gap: .7rem;
  margin: 1.2rem 0; padding: 0; list-style: none;
}
.tiles li { background: var(--wash); border-radius: .5rem; padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--quiet); font-size: .85rem; }
.warnings {
  background: var(--warn); border-left: .3rem solid var(--mark); padding: .7rem 1rem;
  margin: 1.2rem 0; border-radius: .2rem;
}
.warnings h2 { border: 0; padding: 0; margin: 0 0 .3rem; font-size: 1rem; }
.warnings ul { margin: 0; padding-left: 1.2rem; }
figure { margin: 1.2rem 0; }
figure img {
  display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: .4rem; padding: .4rem;
}
figure img.narrow { max-width: 48rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; color: var(--quiet); vertical-align: bottom; }
td.number, th.number { text-align: right; white-space: nowrap; }
summary { cursor: pointer; color: var(--accent); }
footer {
  margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--quiet);
  font-size: .88rem;
}
footer dt { font-weight: 600; }
footer dd { margin: 0 0 .5rem 0; overflow-wrap: anywhere; }
@media print {
  :root { --ink: #000; --quiet: #444; --line: #bbb; --paper: #fff; --wash: #f4f4f4; --warn: #fff; }
  main { max-width: none; padding: 0; }
  figure, table, .tiles, .warnings { break-inside: avoid; }
  h2 { break-after: avoid; }
  body { font-size: 11pt; }
}
"""

LONG_TABLE = 16


class Table(NamedTuple):
    """A table: a heading a column, cells as text; columns named in `numbers` are set to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()


class Image(NamedTuple):
    """A figure: its PNG, what it shows for those who do not see it, and whether it is higher than wide."""

    png: bytes
    alt: str
    narrow: bool = False


class Section(NamedTuple):
    """A heading, and below it paragraphs, a figure and a table."""

    heading: str
    paragraphs: Sequence[str] = ()
    image: Image | None = None
    table: Table | None = None


def page(
    *,
    title: str,
    subtitle: str,
    tiles: Sequence[tuple[str, str]],
    warnings: Sequence[str],
    sections: Iterable[Section],
    foot: Sequence[tuple[str, str]],
) -> str:
    """The whole document, HTML 5, complete in itself: tiles are numbers with what they count, the foot terms with
    texts.
    """
    body = "".join(_section(section) for section in sections)
    key_numbers = "".join(f"<li><b>{escape(number)}</b><span>{escape(what)}</span></li>\n" for number, what in tiles)
    provenance = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>\n" for term, text in foot)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="quiet">{escape(subtitle)}</p>\n'
        f'{_warnings(warnings)}<ul class="tiles">\n{key_numbers}</ul>\n'
        f"{body}<footer>\n<dl>\n{provenance}</dl>\n</footer>\n</main>\n</body>\n</html>\n"
    )


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>\n" for warning in warnings)
    return f'<section class="warnings">\n<h2>Warnings</h2>\n<ul>\n{items}</ul>\n</section>\n'


def _section(section: Section) -> str:
    paragraphs = "".join(f"<p>{escape(text)}</p>\n" for text in section.paragraphs)
    image = _image(section.image) if section.image else ""
    table = _table(section.table) if section.table and section.table.rows else ""
    return f"<section>\n<h2>{escape(section.heading)}</h2>\n{paragraphs}{image}{table}</section>\n"


def _image(image: Image) -> str:
    data = base64.b64encode(image.png).decode("ascii")
    narrow = ' class="narrow"' if image.narrow else ""
    return f'<figure><img{narrow} src="data:image/png;base64,{data}" alt="{escape(image.alt)}"></figure>\n'


def _table(table: Table) -> str:
    """The table; a long one can be folded away."""
    classes = [' class="number"' if heading in table.numbers else "" for heading in table.headings]
    head = "".join(f"<th{kind}>{escape(text)}</th>" for kind, text in zip(classes, table.headings, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(classes, row, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    html = f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
    if len(table.rows) <= LONG_TABLE:
        return html
    return f"<details><summary>Table of {len(table.rows):,} rows</summary>\n{html}</details>\n"
