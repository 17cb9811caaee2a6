"""A page of nothing but a live matrix, complete in itself."""

from html import escape
from typing import NamedTuple

import polars as pl

from gammapolars.report.live.packing import Packed, live_cells, pack
from gammapolars.report.live.policy import policy
from gammapolars.report.live.section import Known, section_of

STYLE = """
:root { --ink: #1f2933; --quiet: #5b6773; --line: #d9e0e6; --paper: #fff; --wash: #f4f7f9; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --quiet: #9fb0bf; --line: #36424d; --paper: #171c21; --wash: #20272e; --accent: #6cb8ea; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); font-size: .9rem; }
.scroll { overflow-x: auto; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
"""


class Page(NamedTuple):
    """A page, and the texts that its policy names."""

    html: str
    script: str
    style: str


def page_of(packed: Packed, title: str, known: Known, still: str = "") -> Page:
    """An HTML page with the live matrix; it may ask the server that it came from, where it has detectors to choose.

    Args:
        packed: the matrix, with the spectra of single detectors that are known.
        title: of the page.
        known: further facts about the matrix.
        still: HTML of a figure for print and where no script runs; none: the matrix is printed as it is drawn.
    """
    live = section_of(packed, still, known)
    css = STYLE + live.style
    allowed = policy([css], [live.script], connect="'self'" if known.detectors else "")
    html = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(allowed)}">\n'
        f"<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"{live.html}<script>{live.script}</script>\n</body>\n</html>\n"
    )
    return Page(html, live.script, css)


def document(
    matrix: pl.DataFrame,
    *,
    title: str = "Coincidence matrix",
    width: float | tuple[float, float] | None = None,
    known: Known | None = None,
    most: int | None = None,
    still: str = "",
) -> str:
    """The page of a matrix as a table.

    Args:
        matrix: as `gp.matrix` gives it.
        title: of the page.
        width: of the bins, on both axes or on each; None: from the distances of the centres.
        known: further facts about the matrix.
        most: characters of data; None: as many as a page may have.
        still: HTML of a figure for print and where no script runs.

    Raises:
        TableError: it is no matrix that can be gated.
    """
    known = known or Known()
    return page_of(pack(live_cells(matrix, width), known.singles, most=most), title, known, still).html
