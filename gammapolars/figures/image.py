"""Figures as the bytes of a file: PNG, PDF or SVG."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import matplotlib as mpl
import numpy as np
import plotnine as p9
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL.Image import Image, fromarray
from plotnine.composition import Compose

from gammapolars.core.collection import paused_collection

SETTINGS: dict[Any, Any] = {
    "pdf.fonttype": 42,  # TrueType: text can be searched and edited, and journals accept it
    "svg.fonttype": "none",  # text as text, with further families where the first one is not installed
    "svg.hashsalt": "gammapolars",  # the same figure gives the same bytes
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica", "sans-serif"],
    "mathtext.fontset": "dejavusans",
}

METADATA: dict[str, dict[str, None]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Without the date, so that the same data give the same file; the provenance has it."""


def image(plot: p9.ggplot | Compose, kind: str = "png") -> bytes:
    """A figure, or several that belong together, as the content of a file.

    Args:
        plot: as the functions of figures give it, which hold size and resolution themselves.
        kind: the format: `png`, `pdf` or `svg`.
    """
    buffer = io.BytesIO()
    with _drawn(plot) as figure:
        if kind == "png":
            _canvas(figure).print_png(buffer)
        else:
            figure.savefig(buffer, format=kind, metadata=METADATA[kind])
    return buffer.getvalue()


def pixels(plot: p9.ggplot | Compose) -> Image:
    """A figure as an image in memory, with its dots per inch in `info`."""
    with _drawn(plot) as figure:
        canvas = _canvas(figure)
        canvas.draw()
        picture = fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.info["dpi"] = (figure.dpi, figure.dpi)
    return picture


@contextmanager
def _drawn(plot: p9.ggplot | Compose) -> Iterator[Figure]:
    """The matplotlib figure of a plot, in the settings in which it is to be saved."""
    with paused_collection(), warnings.catch_warnings(), mpl.rc_context(SETTINGS):
        # A detector's name may have letters that the font lacks: they become boxes, and nobody can act on a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield deepcopy(plot).draw()  # drawing changes a plot


def _canvas(figure: Figure) -> FigureCanvasAgg:
    """A canvas that draws a figure once, where `savefig` does so twice, the first time to lay it out."""
    canvas = FigureCanvasAgg(figure)
    figure.dpi = getattr(figure, "_original_dpi", figure.dpi)  # another one on the screen of a window
    return canvas


def png(plot: p9.ggplot | Compose) -> bytes:
    """A figure as PNG."""
    return image(plot, "png")
