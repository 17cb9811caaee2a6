"""A page of nothing but a live matrix, complete in itself."""

from html import escape

import polars as pl

from gammapolars.report.live.packing import live_cells
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


def document(
    matrix: pl.DataFrame,
    *,
    title: str = "Coincidence matrix",
    width: float | tuple[float, float] | None = None,
    known: Known | None = None,
    most: int | None = None,
) -> str:
    """An HTML page with the live matrix.

    Args:
        matrix: as `gp.matrix` gives it.
        title: what it is of.
        width: of the bins, on both axes or on each; None: as the distances of centres tell.
        known: what else is known of the matrix.
        most: characters of data; None: as many as a page may have.

    Raises:
        TableError: it is no matrix that can be gated.
    """
    still = "<p>The matrix is drawn by the script of this page.</p>"
    live = section_of(live_cells(matrix, width), still, known or Known(), most=most)
    css = STYLE + live.style
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy([css], [live.script]))}">\n'
        f"<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"{live.html}<script>{live.script}</script>\n</body>\n</html>\n"
    )
