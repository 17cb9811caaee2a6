"""Figures in files."""

from pathlib import Path
from typing import TYPE_CHECKING

from gammapolars.io.output import check_output, check_suffix, write_bytes

if TYPE_CHECKING:
    from plotnine import ggplot
    from plotnine.composition import Compose

FIGURE = ".png"
"""The suffix of figures."""


def check_figure(path: Path | None, *, overwrite: bool) -> None:
    """Raise before any work is done if a figure that is wanted cannot be written at the end of it.

    Raises:
        UsageError: it does not end in .png.
        OutputError: as for `check_output`.
    """
    if path is not None:
        check_suffix(path, "figures are", (FIGURE,))
        check_output(path, overwrite=overwrite)


def save_figure(plot: "ggplot | Compose", path: Path, *, overwrite: bool) -> None:
    """Draw a figure into a PNG file, which appears when it is complete.

    Args:
        plot: one figure, or several below each other.
        path: ends in .png.
        overwrite: whether a file of this name is replaced.

    Raises:
        OutputError: the file exists already or cannot be written.
    """
    from gammapolars.figures import png

    write_bytes(png(plot), path, overwrite=overwrite)
