"""Figures as PNG."""

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotnine as p9
    from plotnine.composition import Compose

DPI = 140


def png(plot: "p9.ggplot | Compose") -> bytes:
    """A figure, or several below each other, as PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A detector's name may have letters that the font lacks: they become boxes, and nobody can act on a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        plot.save(buffer, format="png", dpi=DPI, verbose=False)
    return buffer.getvalue()
