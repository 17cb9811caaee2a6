"""Figures in files."""

from pathlib import Path
from typing import TYPE_CHECKING

from gammapolars.io.output import check_output, check_suffix, write_bytes

if TYPE_CHECKING:
    from plotnine import ggplot
    from plotnine.composition import Compose

FIGURES = (".png", ".pdf", ".svg")
"""The suffixes of figures."""


def is_figure(path: Path) -> bool:
    """Whether an output is a figure."""
    return path.suffix.lower() in FIGURES


def check_figure(path: Path | None, *, overwrite: bool) -> None:
    """Raise before any work is done if a figure that is wanted cannot be written at the end of it.

    Raises:
        UsageError: it ends in none of the suffixes of figures.
        OutputError: as for `check_output`.
    """
    if path is not None:
        check_suffix(path, "figures are", FIGURES)
        check_output(path, overwrite=overwrite)


def save_figure(plot: "ggplot | Compose", path: Path, *, overwrite: bool) -> None:
    """Draw a figure into a file, which appears when it is complete.

    Args:
        plot: one figure, or several below each other.
        path: its suffix, one of FIGURES, says the format.
        overwrite: whether a file of this name is replaced.

    Raises:
        OutputError: the file exists already or cannot be written.
    """
    write_bytes(drawn(plot, path), path, overwrite=overwrite)


def drawn(plot: "ggplot | Compose", path: Path) -> bytes:
    """A figure in the format of a file's suffix."""
    from gammapolars.figures import image

    return image(plot, path.suffix.lower().removeprefix("."))
