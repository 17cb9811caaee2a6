"""Figures in tests: drawn small, or built only, which is four times as fast and shows most of what can be wrong."""

import io
import struct
import zlib

from plotnine import ggplot
from plotnine._utils.context import plot_context
from plotnine.composition import Compose

from tests.drawing import THOROUGH


def drawn(plot: ggplot | Compose, dpi: int = 50) -> bytes:
    """A figure as a small PNG."""
    buffer = io.BytesIO()
    plot.save(buffer, format="png", dpi=dpi, verbose=False)
    return buffer.getvalue()


def built(plot: ggplot | Compose, _kind: str = "png") -> bytes:
    """A figure made ready to be drawn: scales, facets and what is computed of its data. Drawn, in a thorough run."""
    if THOROUGH:
        return drawn(plot)
    if isinstance(plot, Compose):
        return b"".join(map(built, plot.items))
    with plot_context(plot):
        plot._setup()
        plot._build()
    return b"\x89PNG"


def pixels(png: bytes) -> set[bytes]:
    """The distinct scan lines of a PNG: one, for a blank picture."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    data, place = b"", 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    raw = zlib.decompress(data)
    line = len(raw) // height
    assert line > width
    return {raw[row * line : (row + 1) * line] for row in range(height)}
