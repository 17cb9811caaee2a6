"""A page of the guide in the terminal."""

import shutil
import sys
from io import StringIO

from gammapolars.commands.guide.pages import FIGURE
from gammapolars.commands.guide.run import GuideSummary

WIDEST = 100


def text(summary: GuideSummary) -> list[str]:
    """The page, laid out for a terminal; elsewhere as the Markdown that it is."""
    if summary.pages is not None:
        return [f"{summary.pages} pages; open {summary.outputs[0]}"]
    page = summary.markdown or ""
    return laid_out(page).splitlines() if sys.stdout.isatty() else page.splitlines()


def laid_out(markdown: str, width: int | None = None) -> str:
    """Markdown as plain text of the terminal's width, with tables and lists in columns, and figures by their names."""
    from rich.console import Console
    from rich.markdown import Markdown

    width = width or min(shutil.get_terminal_size().columns, WIDEST)
    canvas = StringIO()
    Console(file=canvas, width=width, force_terminal=False, legacy_windows=False).print(
        Markdown(FIGURE.sub(r"*Figure \2: \1*", markdown), hyperlinks=False)
    )
    return canvas.getvalue()
