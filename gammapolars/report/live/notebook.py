"""A live matrix in a notebook, or as a page of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from gammapolars.core.frames import AnyFrame, lazy
from gammapolars.report.live.document import document
from gammapolars.report.live.section import Known


@dataclass(frozen=True, repr=False)
class LiveMatrix:
    """A page on which gates are drawn on a matrix; notebooks show it.

    Attributes:
        html: the page, complete in itself: written into a file, it opens in any browser.
        height: of its frame in a notebook, in pixels.
    """

    html: str
    height: int = 900

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" width="100%" height="{self.height}" frameborder="0" '
            'sandbox="allow-scripts allow-downloads allow-modals" title="Coincidence matrix"></iframe>'
        )

    def __repr__(self) -> str:
        return f"LiveMatrix of {len(self.html):,} characters: notebooks show it, and .html is a page"


def live(
    matrix: AnyFrame,
    *,
    width: float | tuple[float, float] | None = None,
    lines: Mapping[float, str] | None = None,
    fwhm: Mapping[float, float] | None = None,
    title: str = "Coincidence matrix",
    file: str | Path = "matrix.parquet",
    height: int = 900,
) -> LiveMatrix:
    """A matrix on which gates can be drawn, typed and moved by keys; net counts are those of `gp.project`.

    Jupyter and marimo show the result; `Path("page.html").write_text(gp.live(matrix).html)` makes a page of it.

    Args:
        matrix: of two energies, or of two adc values, as `gp.matrix` or `gp.scan_matrix` gives it.
        width: of the bins, on both axes or on each; None: from the distances of the centres.
        lines: labels by energy (keV).
        fwhm: of lines by energy (keV), for the gate that a click sets; None: gates of 6 keV.
        title: of the page.
        file: of the matrix, in the equivalent command that the page shows.
        height: of the frame in a notebook, in pixels.

    Raises:
        TableError: it is no matrix that can be gated.
    """
    matrix = lazy(matrix, "matrix")
    known = Known(file=str(file), lines=lines or {}, fwhm=fwhm or {})
    return LiveMatrix(document(matrix.lazy().collect(), title=title, width=width, known=known), height)
